"""Layers on images: each works for one network, on `(B, C, H, W)` in channels-last memory."""

import torch
from torch import Tensor

from digitcmp.stack.layers import Chain, ReLU, Weight, positive_part

aten = torch.ops.aten


class Convolution:
    """A 3x3 convolution."""

    def __init__(self, weight: Weight, bias: Weight, padding: int, reads_pixels: bool) -> None:
        self.weight, self.bias = weight, bias
        self.padding, self.reads_pixels = padding, reads_pixels

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.inputs = inputs
        return torch.conv2d(inputs, self.weight.value, self.bias.value, padding=self.padding)

    def backward(self, gradient: Tensor) -> Tensor:
        of_inputs, of_weight, of_bias = aten.convolution_backward(
            gradient, self.inputs, self.weight.value, [len(self.bias.value)], [1, 1],
            [self.padding] * 2, [1, 1], False, [0, 0], 1, [not self.reads_pixels, True, True],
        )  # fmt: skip
        self.weight.gradient.copy_(of_weight)
        self.bias.gradient.copy_(of_bias)
        return gradient if self.reads_pixels else of_inputs


class MaxPool:
    """Max-pooling by 2: the maximum of the four corners of every window.

    PyTorch's own kernel is scalar at 32 channels, and slower than the convolution before it.
    """

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.inputs = inputs
        self.upper, self.lower = (torch.maximum(*self._corners(inputs, row)) for row in (0, 1))
        return torch.maximum(self.upper, self.lower)

    def backward(self, gradient: Tensor) -> Tensor:
        of_inputs = torch.empty_like(self.inputs)
        for row, of_row in enumerate(_of_larger(gradient, self.upper, self.lower)):
            of_corners = _of_larger(of_row, *self._corners(self.inputs, row))
            for corner, of_corner in zip(self._corners(of_inputs, row), of_corners, strict=True):
                corner.copy_(of_corner)
        return of_inputs

    @staticmethod
    def _corners(images: Tensor, row: int) -> tuple[Tensor, Tensor]:
        """The left and right corners, in the upper (0) or lower (1) row, of all windows."""
        return images[:, :, row::2, 0::2], images[:, :, row::2, 1::2]


def _of_larger(gradient: Tensor, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Give the gradient of `maximum(left, right)` to the larger; ties go to the right."""
    of_left = positive_part(gradient, left - right)
    return of_left, gradient - of_left


class AveragePool:
    """The mean of every window; `H` and `W` are cut to whole windows, as PyTorch does."""

    def __init__(self, size: int) -> None:
        self.size = size

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.inputs = inputs
        return torch.nn.functional.avg_pool2d(inputs, self.size)

    def backward(self, gradient: Tensor) -> Tensor:
        of_inputs: Tensor = aten.avg_pool2d_backward(
            gradient, self.inputs, [self.size] * 2, [self.size] * 2, [0, 0], False, True, None
        )
        return of_inputs


class BatchNorm:
    """Batch normalisation, one image side at a time.

    The batch holds `sides` sets of images, one after the other. Each is normalised by its own mean
    and variance, and moves the running ones, as if it had come alone.
    """

    def __init__(
        self, weight: Weight, bias: Weight, running: tuple[Tensor, Tensor], sides: int
    ) -> None:
        self.weight, self.bias, self.running, self.sides = weight, bias, running, sides

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.inputs = inputs.chunk(self.sides)
        results = [
            aten.native_batch_norm(
                side, self.weight.value, self.bias.value, *self.running, training, 0.1, 1e-5
            )
            for side in self.inputs
        ]
        outputs, self.means, self.inverse_deviations = zip(*results, strict=True)
        return torch.cat(outputs)

    def backward(self, gradient: Tensor) -> Tensor:
        results = [
            aten.native_batch_norm_backward(
                of_side, side, self.weight.value, *self.running, mean, inverse_deviation,
                True, 1e-5, [True, True, True],
            )
            for of_side, side, mean, inverse_deviation in zip(
                gradient.chunk(self.sides), self.inputs, self.means, self.inverse_deviations,
                strict=True,
            )
        ]  # fmt: skip
        of_inputs, of_weight, of_bias = zip(*results, strict=True)
        torch.sum(torch.stack(of_weight), 0, out=self.weight.gradient)
        torch.sum(torch.stack(of_bias), 0, out=self.bias.gradient)
        return torch.cat(of_inputs)


class Residual:
    """What a chain finds, added to its inputs, then a ReLU."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.activation = ReLU()

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        return self.activation.forward(self.chain.forward(inputs, training) + inputs, training)

    def backward(self, gradient: Tensor) -> Tensor:
        gradient = self.activation.backward(gradient)
        return self.chain.backward(gradient) + gradient
