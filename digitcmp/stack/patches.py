"""The first convolution of a CNN, on pixels: one matrix product over patches cut beforehand."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from digitcmp.stack.layers import Weight
from digitcmp.stack.pooling import Maximum


class PooledPatches:
    """A 3x3 convolution on pixels, max-pooled by 2, as one matrix product over `patches`.

    `(R, B, 2, 2, windows, 9 C)` to `(R, windows, B, channels)`.
    """

    def __init__(self, weight: Weight, bias: Weight) -> None:
        self.bias_gradient, self.weight_gradient = bias.gradient, weight.gradient.flatten(2)
        self.kernel = weight.value.flatten(2).transpose(1, 2)
        # The same all over a window, so that the maximum need not have it.
        self.bias = bias.value[:, None, None]
        self.columns, self.rows = Maximum(3), Maximum(2)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.patches = inputs.flatten(1, 4)
        products = torch.bmm(self.patches, self.kernel).unflatten(1, inputs.shape[1:5])
        maximum = self.rows.forward(self.columns.forward(products))
        networks, images, windows, channels = maximum.shape
        outputs = maximum.new_empty(networks, windows, images, channels)
        torch.add(maximum, self.bias, out=outputs.transpose(1, 2))
        return outputs

    def backward(self, gradient: Tensor) -> Tensor:
        torch.sum(gradient.flatten(1, 2), 1, out=self.bias_gradient)
        of_rows = self.rows.backward(gradient.transpose(1, 2))
        of_products = self.columns.backward(of_rows).flatten(1, 4)
        # This way round: the other takes four times as long.
        of_weight = torch.bmm(self.patches.transpose(1, 2), of_products)
        self.weight_gradient.copy_(of_weight.transpose(1, 2))
        return gradient


def patches(images: Tensor) -> Tensor:
    """Cut all 3x3 patches of images, `(..., C, H, W)`, by corners of 2x2 windows of patches.

    Returns `(..., 2, 2, windows, 9 C)`; a patch is in the order of a convolution's weights.
    """
    channels, height, width = images.shape[-3:]
    places = np.arange(channels * height * width).reshape(channels, height, width)
    cut = np.lib.stride_tricks.sliding_window_view(places, (3, 3), axis=(1, 2))
    by_window = cut.reshape(channels, (height - 2) // 2, 2, (width - 2) // 2, 2, 3, 3)
    # (corner row, corner column, window row, window column, C, 3, 3)
    by_corner = by_window.transpose(2, 4, 1, 3, 0, 5, 6)
    # NumPy takes these from each image six times as fast as PyTorch does.
    found: NDArray[Any] = np.take(images.flatten(-3).numpy(), by_corner.ravel(), axis=-1)
    return torch.from_numpy(found).view(*images.shape[:-3], 2, 2, -1, 9 * channels)
