"""Layers on images: each works for one network, on `(B, C, H, W)` in channels-last memory."""

import torch
from torch import Tensor

from digitcmp.stack.layers import Weight

aten = torch.ops.aten


class Convolution:
    """A 3x3 convolution.

    Before a batch normalisation, which takes any constant away again, the bias has no gradient.
    """

    def __init__(
        self, weight: Weight, bias: Weight, padding: int, reads_pixels: bool, normalised: bool
    ) -> None:
        self.weight, self.bias, self.padding = weight, bias, padding
        self.wanted = [not reads_pixels, True, not normalised]

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.inputs = inputs
        return torch.conv2d(inputs, self.weight.value, self.bias.value, padding=self.padding)

    def backward(self, gradient: Tensor) -> Tensor:
        of_inputs, of_weight, of_bias = aten.convolution_backward(
            gradient, self.inputs, self.weight.value, [len(self.bias.value)], [1, 1],
            [self.padding] * 2, [1, 1], False, [0, 0], 1, self.wanted,
        )  # fmt: skip
        self.weight.gradient.copy_(of_weight)
        if of_bias is not None:
            self.bias.gradient.copy_(of_bias)
        return gradient if of_inputs is None else of_inputs


class MaxPool:
    """Max-pooling by 2."""

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.inputs = inputs
        self.windows = Windows(*_corners(inputs))
        return self.windows.maximum()

    def backward(self, gradient: Tensor) -> Tensor:
        of_inputs = torch.empty_like(self.inputs)
        self.windows.backward(gradient, *_corners(of_inputs))
        return of_inputs


class PooledPatches:
    """A 3x3 convolution on pixels, max-pooled by 2, as one matrix product over `patches`.

    `(B, 4, H/2 * W/2, 9 C)` to `(B, channels, H/2, W/2)`. The patches are cut once for all epochs.
    """

    def __init__(self, weight: Weight, bias: Weight) -> None:
        self.weight, self.bias = weight, bias

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.patches = inputs.flatten(0, 2)
        channels, side = len(self.bias.value), int(inputs.shape[2] ** 0.5)
        products = torch.mm(self.patches, self.weight.value.flatten(1).t())
        self.products = products.view(*inputs.shape[:3], channels)
        self.windows = Windows(*self.products.unbind(1))
        # The bias is the same all over a window, so the maximum need not have it.
        pooled = self.windows.maximum().add_(self.bias.value)
        return pooled.view(-1, side, side, channels).permute(0, 3, 1, 2)

    def backward(self, gradient: Tensor) -> Tensor:
        rows = gradient.permute(0, 2, 3, 1).flatten(1, 2)
        of_products = torch.empty_like(self.products)
        self.windows.backward(rows, *of_products.unbind(1))
        # This way round: the other takes four times as long.
        of_weight = torch.mm(self.patches.t(), of_products.flatten(0, 2))
        self.weight.gradient.flatten(1).copy_(of_weight.t())
        torch.sum(rows, (0, 1), out=self.bias.gradient)
        return gradient


def patches(images: Tensor) -> Tensor:
    """Cut all 3x3 patches of images, `(..., C, H, W)`, by corners of 2x2 windows of patches.

    Returns `(..., 4, windows, 9 C)`; a patch is in the order of a convolution's weights.
    """
    cut = images.unfold(-2, 3, 1).unfold(-2, 3, 1)
    split: Tensor = cut.unflatten(-4, (-1, 2)).unflatten(-3, (-1, 2))
    # (..., C, window row, row, window column, column, 3, 3)
    order = [-5, -3, -6, -4, -7, -2, -1]
    leading = range(split.ndim - 7)
    by_corner = split.permute(*leading, *(split.ndim + each for each in order))
    leading_shape = images.shape[:-3]
    return by_corner.reshape(*leading_shape, 4, -1, 9 * images.shape[-3])


class Windows:
    """Pooling windows by their corners: four tensors of one shape, row by row.

    PyTorch's own max-pooling is scalar at 32 channels, and slower than the convolution before it.
    """

    def __init__(self, *corners: Tensor) -> None:
        self.corners = corners

    def maximum(self) -> Tensor:
        """The maximum of each window."""
        self.upper, self.lower = (torch.maximum(*self.corners[i : i + 2]) for i in (0, 2))
        return torch.maximum(self.upper, self.lower)

    def backward(self, gradient: Tensor, *of_corners: Tensor) -> None:
        """Write the gradient of the maxima to where they are; of equals, to the last."""
        of_upper, of_lower = torch.empty_like(gradient), torch.empty_like(gradient)
        _share(gradient, self.upper, self.lower, of_upper, of_lower)
        _share(of_upper, *self.corners[:2], *of_corners[:2])
        _share(of_lower, *self.corners[2:], *of_corners[2:])


def _share(
    gradient: Tensor, left: Tensor, right: Tensor, of_left: Tensor, of_right: Tensor
) -> None:
    """Write the gradient of `maximum(left, right)`."""
    aten.threshold_backward.grad_input(gradient, left - right, 0, grad_input=of_left)
    torch.sub(gradient, of_left, out=of_right)


def _corners(images: Tensor) -> list[Tensor]:
    return [images[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)]
