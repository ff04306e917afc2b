"""The second convolution of a CNN, by Winograd's minimal filtering.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. Its F(4x4, 3x3)
takes 36 multiplications for what are 144 in a plain convolution, and makes a tile of 4x4 outputs
of one of 6x6 inputs: exactly the maps that this layer has. A CNN spends most of its time here.
"""

import torch
from torch import Tensor

from digitcmp.stack.layers import Weight
from digitcmp.stack.pooling import Maximum

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
        self.networks, self.channels = weight.value.shape[:2]
        self.weight, self.of_weight = (
            each.view(self.networks, -1, 9).transpose(1, 2) for each in weight
        )
        # The same all over a window, so that the maximum need not have it.
        self.bias, self.bias_gradient = bias.value[:, None, None], bias.gradient
        self.of_inputs, self.of_kernel, self.of_outputs = (
            _both_axes(matrix).to(weight.value).expand(self.networks, -1, -1)
            for matrix in (INPUTS, KERNEL, OUTPUTS)
        )
        self.columns, self.rows = Maximum(4), Maximum(2)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        images, channels = inputs.shape[2:]
        kernel = torch.bmm(self.of_kernel, self.weight)
        self.kernel = kernel.view(-1, self.channels, channels)
        self.inputs = torch.bmm(self.of_inputs, inputs.flatten(2)).view(-1, images, channels)
        products = torch.bmm(self.inputs, self.kernel.transpose(1, 2))
        maps = torch.bmm(self.of_outputs, products.view(self.networks, 36, -1))
        maximum = self.rows.forward(self.columns.forward(maps.unflatten(1, (2, 2, 2, 2))))
        return maximum.view(self.networks, 4, images, -1).add_(self.bias)

    def backward(self, gradient: Tensor) -> Tensor:
        images = gradient.shape[2]
        torch.sum(gradient.flatten(1, 2), 1, out=self.bias_gradient)
        of_rows = self.rows.backward(gradient.view(self.networks, 2, 2, -1))
        of_maps = self.columns.backward(of_rows).flatten(1, 4)
        of_products = torch.bmm(self.of_outputs.transpose(1, 2), of_maps)
        of_products = of_products.view(-1, images, self.channels)
        of_kernel = torch.bmm(of_products.transpose(1, 2), self.inputs)
        # This way round: the other takes six times as long.
        of_weight = torch.bmm(self.of_kernel.transpose(1, 2), of_kernel.view(self.networks, 36, -1))
        self.of_weight.copy_(of_weight)
        of_inputs = torch.bmm(of_products, self.kernel).view(self.networks, 36, -1)
        back = torch.bmm(self.of_inputs.transpose(1, 2), of_inputs)
        return back.view(self.networks, 36, images, -1)


def _both_axes(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    along_one = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(along_one, along_one)
