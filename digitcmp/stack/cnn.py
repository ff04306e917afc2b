"""The image layers of a CNN: convolutions that are max-pooled by 2, of all networks at once.

The first convolution, on pixels, is one matrix product over patches that are cut beforehand. The
second is done by Winograd's filtering along both axes: F(4x4, 3x3) takes 36 multiplications for
what are 144 in a plain convolution, and makes a tile of 4x4 outputs of one of 6x6 inputs: exactly
the maps that this layer has. A CNN spends most of its time there.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from digitcmp.stack.layers import Weight, aten
from digitcmp.stack.winograd import transforms

POINTS = (0.0, 3 / 2, -3 / 2, 2 / 3, -2 / 3)
"""Where polynomials are multiplied, beside infinity.

These round half as much as the usual 0, 1, -1, 2, -2, and two and a half times as much as a plain
convolution does.
"""


class Maximum:
    """The maximum over a dimension of two: neighbours along one axis of an image.

    PyTorch's own max-pooling is scalar at 32 channels, and slower than the convolution before it.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension

    def forward(self, inputs: Tensor) -> Tensor:
        """Take the larger of each two."""
        self.inputs = inputs
        return torch.maximum(*inputs.unbind(self.dimension))

    def backward(self, gradient: Tensor) -> Tensor:
        """Give the gradient of each maximum to what it was; of two equals, to the second."""
        first, second = self.inputs.unbind(self.dimension)
        of_inputs = torch.empty_like(self.inputs)
        of_first, of_second = of_inputs.unbind(self.dimension)
        aten.threshold_backward.grad_input(gradient, first - second, 0, grad_input=of_first)
        torch.sub(gradient, of_first, out=of_second)
        return of_inputs


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


class PooledWinograd:
    """A 3x3 convolution of 6x6 maps, max-pooled by 2.

    `(R, 36, B, C)` to `(R, 4, B, channels)`: positions come before images, so that a transform of
    all maps, along both axes, is one product with a small matrix.
    """

    def __init__(self, weight: Weight, bias: Weight) -> None:
        self.networks, self.channels = weight.value.shape[:2]
        self.weight, self.weight_gradient = (
            part.view(self.networks, -1, 9).transpose(1, 2) for part in weight
        )
        # The same all over a window, so that the maximum need not have it.
        self.bias, self.bias_gradient = bias.value[:, None, None], bias.gradient
        self.input_transform, self.kernel_transform, self.output_transform = (
            torch.kron(along_one, along_one).to(weight.value).expand(self.networks, -1, -1)
            for along_one in transforms(POINTS)
        )
        self.columns, self.rows = Maximum(4), Maximum(2)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        images, channels = inputs.shape[2:]
        transformed = torch.bmm(self.input_transform, inputs.flatten(2))
        self.transformed_inputs = transformed.view(-1, images, channels)
        transformed = torch.bmm(self.kernel_transform, self.weight)
        self.transformed_kernel = transformed.view(-1, self.channels, channels)
        products = torch.bmm(self.transformed_inputs, self.transformed_kernel.transpose(1, 2))
        maps = torch.bmm(self.output_transform, products.view(self.networks, 36, -1))
        maximum = self.rows.forward(self.columns.forward(maps.unflatten(1, (2, 2, 2, 2))))
        return maximum.view(self.networks, 4, images, -1).add_(self.bias)

    def backward(self, gradient: Tensor) -> Tensor:
        images = gradient.shape[2]
        torch.sum(gradient.flatten(1, 2), 1, out=self.bias_gradient)
        of_rows = self.rows.backward(gradient.view(self.networks, 2, 2, -1))
        of_maps = self.columns.backward(of_rows).flatten(1, 4)
        of_products = torch.bmm(self.output_transform.transpose(1, 2), of_maps)
        of_products = of_products.view(-1, images, self.channels)
        of_kernel = torch.bmm(of_products.transpose(1, 2), self.transformed_inputs)
        of_kernel = of_kernel.view(self.networks, 36, -1)
        # This way round: the other takes six times as long.
        of_weight = torch.bmm(self.kernel_transform.transpose(1, 2), of_kernel)
        self.weight_gradient.copy_(of_weight)
        of_transformed = torch.bmm(of_products, self.transformed_kernel)
        of_transformed = of_transformed.view(self.networks, 36, -1)
        of_inputs = torch.bmm(self.input_transform.transpose(1, 2), of_transformed)
        return of_inputs.view(self.networks, 36, images, -1)
