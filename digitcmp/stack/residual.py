"""The layers of a ResNet's trunk: each for one network, `(B, C, H, W)` in channels-last memory."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from digitcmp.stack.layers import Chain, ReLU, Weight

aten = torch.ops.aten


class Convolution:
    """A 3x3 convolution that keeps the size, before a batch normalisation.

    That takes any constant away again, so the bias has no gradient.
    """

    def __init__(self, weight: Weight, bias: Weight, reads_pixels: bool) -> None:
        self.weight, self.bias = weight, bias
        self.wanted = [not reads_pixels, True, False]

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.inputs = inputs
        return torch.conv2d(inputs, self.weight.value, self.bias.value, padding=1)

    def backward(self, gradient: Tensor) -> Tensor:
        of_inputs, of_weight, _ = aten.convolution_backward(
            gradient, self.inputs, self.weight.value, None, [1, 1], [1, 1], [1, 1], False, [0, 0],
            1, self.wanted,
        )  # fmt: skip
        self.weight.gradient.copy_(of_weight)
        return gradient if of_inputs is None else of_inputs


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
        outputs = torch.empty_like(inputs)
        self.saved = []
        for side, of_side in zip(inputs.chunk(self.sides), outputs.chunk(self.sides), strict=True):
            mean, inverse_deviation = torch.empty(0), torch.empty(0)
            aten.native_batch_norm.out(
                side, self.weight.value, self.bias.value, *self.running, training, 0.1, 1e-5,
                out=of_side, save_mean=mean, save_invstd=inverse_deviation,
            )  # fmt: skip
            self.saved.append((side, mean, inverse_deviation))
        return outputs

    def backward(self, gradient: Tensor) -> Tensor:
        results = [
            aten.native_batch_norm_backward(
                of_side, side, self.weight.value, *self.running, mean, inverse_deviation,
                True, 1e-5, [True, True, True],
            )
            for of_side, (side, mean, inverse_deviation) in zip(
                gradient.chunk(self.sides), self.saved, strict=True
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
        found = self.chain.forward(inputs, training)
        return self.activation.forward(found.add_(inputs), training)

    def backward(self, gradient: Tensor) -> Tensor:
        gradient = self.activation.backward(gradient)
        return self.chain.backward(gradient).add_(gradient)


class AveragePool:
    """The mean of every window; rows and columns that fill none are left out."""

    def __init__(self, size: int) -> None:
        self.size = size

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.inputs = inputs
        return avg_pool2d(inputs, self.size)

    def backward(self, gradient: Tensor) -> Tensor:
        of_inputs: Tensor = aten.avg_pool2d_backward(
            gradient, self.inputs, [self.size] * 2, [self.size] * 2, [0, 0], False, True, None
        )
        return of_inputs


class EachNetwork:
    """The image layers of R networks, one after the other: `(R, B, H, W, C)` to `(R, B, features)`.

    Their convolutions are so large that going side by side would gain nothing.
    """

    def __init__(self, chains: Sequence[Chain]) -> None:
        self.chains = chains

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        maps = [
            chain.forward(images, training)
            for chain, images in zip(self.chains, inputs.movedim(-1, -3), strict=True)
        ]
        self.map_shape = maps[0].shape
        return torch.stack([each.flatten(1) for each in maps])

    def backward(self, gradient: Tensor) -> Tensor:
        for chain, of_features in zip(self.chains, gradient, strict=True):
            of_map = of_features.view(self.map_shape)
            chain.backward(of_map.contiguous(memory_format=torch.channels_last))
        return gradient
