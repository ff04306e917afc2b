"""The second convolution of a CNN, by Winograd's minimal filtering.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. Its F(4x4, 3x3)
takes 36 multiplications for what are 144 in a plain convolution, and makes a tile of 4x4 outputs
of one of 6x6 inputs: exactly the maps that this layer has. A CNN spends most of its time here.
"""

import torch
from torch import Tensor

from digitcmp.stack.layers import Weight
from digitcmp.stack.pooling import Windows

INPUTS = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
OUTPUTS = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)
"""The three transforms along one axis: outputs = OUTPUTS ((KERNEL kernel) * (INPUTS inputs))."""


class PooledWinograd:
    """A 3x3 convolution of 6x6 maps, max-pooled by 2.

    `(R, 36, B, C)` to `(R, 4, B, channels)`: positions come before images, so that a transform of
    all maps, along both axes, is one product with a small matrix.
    """

    def __init__(self, weight: Weight, bias: Weight) -> None:
        self.weight, self.bias = weight, bias
        networks = len(weight.value)
        self.of_inputs, self.of_kernel, self.of_outputs = (
            _both_axes(matrix).to(weight.value).expand(networks, -1, -1)
            for matrix in (INPUTS, KERNEL, OUTPUTS)
        )

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        networks, points, images, channels = inputs.shape
        kernel = torch.bmm(self.of_kernel, self.weight.value.view(networks, -1, 9).transpose(1, 2))
        self.kernel = kernel.view(networks * points, -1, channels)
        self.inputs = torch.bmm(self.of_inputs, inputs.flatten(2)).view(-1, images, channels)
        products = torch.bmm(self.inputs, self.kernel.transpose(1, 2))
        self.maps = torch.bmm(self.of_outputs, products.view(networks, points, -1))
        self.windows = Windows(*_corners(self.maps, images))
        # The bias is the same all over a window, so the maximum need not have it.
        maximum = self.windows.maximum().flatten(1, 2)
        return maximum.add_(self.bias.value[:, None, None])

    def backward(self, gradient: Tensor) -> Tensor:
        networks, _, images, channels = gradient.shape
        torch.sum(gradient.flatten(1, 2), 1, out=self.bias.gradient)
        of_maps = torch.empty_like(self.maps)
        self.windows.backward(gradient.unflatten(1, (2, 2)), *_corners(of_maps, images))
        of_products = torch.bmm(self.of_outputs.transpose(1, 2), of_maps)
        of_products = of_products.view(-1, images, channels)
        of_kernel = torch.bmm(of_products.transpose(1, 2), self.inputs).view(networks, 36, -1)
        # This way round: the other takes six times as long.
        of_weight = torch.bmm(self.of_kernel.transpose(1, 2), of_kernel)
        self.weight.gradient.view(networks, -1, 9).copy_(of_weight.transpose(1, 2))
        of_inputs = torch.bmm(of_products, self.kernel).view(networks, 36, -1)
        return torch.bmm(self.of_inputs.transpose(1, 2), of_inputs).unflatten(2, (images, -1))


def _both_axes(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    along_one = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(along_one, along_one)


def _corners(maps: Tensor, images: int) -> list[Tensor]:
    """The corners of 2x2 windows of 4x4 maps, `(R, 16, B * channels)`."""
    windows = maps.unflatten(2, (images, -1)).unflatten(1, (2, 2, 2, 2))
    return [windows[:, :, row, :, column] for row in (0, 1) for column in (0, 1)]
