"""The first convolution of a CNN, on pixels: one matrix product over patches cut beforehand."""

import numpy as np
import torch
from torch import Tensor

from digitcmp.stack.layers import Weight
from digitcmp.stack.pooling import Windows


class PooledPatches:
    """A 3x3 convolution on pixels, max-pooled by 2, as one matrix product over `patches`.

    `(R, B, 4, windows, 9 C)` to `(R, windows, B, channels)`.
    """

    def __init__(self, weight: Weight, bias: Weight) -> None:
        self.weight, self.bias = weight, bias

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.patches = inputs.flatten(1, 3)
        products = torch.bmm(self.patches, self.weight.value.flatten(2).transpose(1, 2))
        self.products = products.unflatten(1, inputs.shape[1:4])
        self.windows = Windows(*self.products.unbind(2))
        maximum = self.windows.maximum()
        networks, images, windows, channels = maximum.shape
        outputs = maximum.new_empty(networks, windows, images, channels)
        # The bias is the same all over a window, so the maximum need not have it.
        torch.add(maximum, self.bias.value[:, None, None], out=outputs.transpose(1, 2))
        return outputs

    def backward(self, gradient: Tensor) -> Tensor:
        torch.sum(gradient.flatten(1, 2), 1, out=self.bias.gradient)
        of_products = torch.empty_like(self.products)
        self.windows.backward(gradient.transpose(1, 2).contiguous(), *of_products.unbind(2))
        # This way round: the other takes four times as long.
        of_weight = torch.bmm(self.patches.transpose(1, 2), of_products.flatten(1, 3))
        self.weight.gradient.flatten(2).copy_(of_weight.transpose(1, 2))
        return gradient


def patches(images: Tensor) -> Tensor:
    """Cut all 3x3 patches of images, `(..., C, H, W)`, by corners of 2x2 windows of patches.

    Returns `(..., 4, windows, 9 C)`; a patch is in the order of a convolution's weights.
    """
    channels, height, width = images.shape[-3:]
    places = np.arange(channels * height * width).reshape(channels, height, width)
    cut = np.lib.stride_tricks.sliding_window_view(places, (3, 3), axis=(1, 2))
    by_window = cut.reshape(channels, (height - 2) // 2, 2, (width - 2) // 2, 2, 3, 3)
    # (corner row, corner column, window row, window column, C, 3, 3)
    by_corner = by_window.transpose(2, 4, 1, 3, 0, 5, 6)
    # NumPy takes these from each image six times as fast as PyTorch does.
    found = np.take(images.flatten(-3).numpy(), by_corner.ravel(), axis=-1)
    return torch.from_numpy(found).unflatten(-1, (4, -1, 9 * channels))
