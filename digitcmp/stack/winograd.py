"""The second convolution of a CNN, by Winograd's minimal filtering.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. F(4x4, 3x3) takes
36 multiplications for what are 144 in a plain convolution, and makes a tile of 4x4 outputs of one
of 6x6 inputs: exactly the maps that this layer has. A CNN spends most of its time here.
"""

from math import prod

import numpy as np
import torch
from numpy.polynomial import polynomial
from torch import Tensor

from digitcmp.stack.layers import Weight
from digitcmp.stack.pooling import Maximum

POINTS = (0, 3 / 2, -3 / 2, 2 / 3, -2 / 3)
"""Where polynomials are multiplied, beside infinity.

These round half as much as the usual 0, 1, -1, 2, -2, and two and a half times as much as a plain
convolution does.
"""


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
            torch.kron(along_one, along_one).to(weight.value).expand(self.networks, -1, -1)
            for along_one in transforms()
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


def transforms() -> tuple[Tensor, Tensor, Tensor]:
    """The matrices of F(4, 3), along one axis, in double precision: `(6, 6)`, `(6, 3)`, `(4, 6)`.

    A convolution is `outputs @ ((kernel @ weights) * (inputs @ pixels))`.
    """
    others = [[each for each in POINTS if each != point] for point in POINTS]
    inputs = np.zeros((6, 6))
    for row, roots in enumerate([*others, POINTS]):
        inputs[row, : len(roots) + 1] = polynomial.polyfromroots(roots)
    scale = [
        prod(point - other for other in rest) for point, rest in zip(POINTS, others, strict=True)
    ]
    kernel = np.vander(POINTS, 3, increasing=True) / np.array(scale)[:, None]
    outputs = np.vander(POINTS, 4, increasing=True)
    at_infinity = [np.eye(3)[2:], np.eye(4)[3:]]
    kernel, outputs = (np.vstack(each) for each in zip((kernel, outputs), at_infinity, strict=True))
    return torch.from_numpy(inputs), torch.from_numpy(kernel), torch.from_numpy(outputs.T.copy())
