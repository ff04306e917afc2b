"""Winograd's minimal filtering: convolutions in fewer multiplications.

F(m, 3) makes m outputs of m + 2 inputs and three weights, by as many multiplications as there are
inputs: one at each of so many points, where polynomials are multiplied. How much it rounds is up to
the points.

The convolutions of a ResNet are filtered along one axis. F(7, 3) makes the 14 rows of a map as two
tiles of 7, by 18 multiplications for what are 42 in a plain convolution; along the other axis the
three columns of a kernel are added up one by one. Along both axes it would be a fifth faster, and
round 25 times as much as a plain convolution does. A ResNet spends most of its time here.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.polynomial import polynomial
from torch import Tensor
from torch.nn.functional import pad

from digitcmp.stack.layers import Weight

POINTS = (1 / 4, -1 / 4, 2 / 3, -2 / 3, 9 / 8, -9 / 8, 2.0, -2.0)
"""Where polynomials are multiplied, beside infinity.

The best of some thousand that were tried: these round three and a half times as much as a plain
convolution does; 0, 1, -1, 2, -2, 1/2, -1/2 and 3 round eight times as much.
"""

SIZE = 14
"""Rows and columns of a map."""


class Transforms(NamedTuple):
    """The matrices of F(m, 3) along one axis, in double precision.

    A convolution is `outputs @ ((kernel @ weights) * (inputs @ pixels))`. The transposed matrices
    do the gradients.
    """

    inputs: Tensor
    """`(m + 2, m + 2)`"""
    kernel: Tensor
    """`(m + 2, 3)`"""
    outputs: Tensor
    """`(m, m + 2)`"""


def transforms(points: Sequence[float]) -> Transforms:
    """Return the matrices of F(m, 3) at m + 1 points, and at infinity."""
    count = len(points) + 1
    inputs, kernel = np.zeros((count, count)), np.zeros((count, 3))
    outputs = np.zeros((count - 2, count))
    for row, point in enumerate(points):
        others = [other for other in points if other != point]
        inputs[row, :-1] = polynomial.polyfromroots(others)
        kernel[row] = point ** np.arange(3) / polynomial.polyval(point, inputs[row])
        outputs[:, row] = point ** np.arange(count - 2)
    inputs[-1] = polynomial.polyfromroots(points)
    kernel[-1, -1] = outputs[-1, -1] = 1
    return Transforms(*(torch.from_numpy(matrix) for matrix in (inputs, kernel, outputs)))


class Convolution:
    """A 3x3 convolution that keeps the size of maps: `(14, 14, B, C)` to the same.

    Rows and columns come before images, so that a transform of all maps is one product with a small
    matrix. There is no bias: the batch normalisation that follows would take it away again.
    """

    def __init__(self, weight: Weight) -> None:
        self.weight, self.weight_gradient = (part.view(-1, 9) for part in weight)
        self.kernel_shape = 3, -1, *weight.value.shape[:2]
        self.input_transform, self.kernel_transform, self.output_transform = (
            matrix.to(weight.value) for matrix in _transforms_of_maps()
        )

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        kernel = torch.mm(self.kernel_transform, self.weight.t())
        self.kernel = kernel.view(self.kernel_shape)
        self.columns = _columns(self.input_transform, inputs)
        products = _sum_of_products(self.columns, self.kernel.transpose(2, 3).unbind())
        return torch.mm(self.output_transform, products.flatten(1)).view(inputs.shape)

    def backward(self, gradient: Tensor) -> Tensor:
        of_columns = _columns(self.output_transform.t(), gradient)
        of_products = of_columns[1].transpose(1, 2)
        of_kernel = torch.empty_like(self.kernel)
        for column, of_column in zip(self.columns, of_kernel, strict=True):
            torch.bmm(of_products, column, out=of_column)
        of_weight = torch.mm(self.kernel_transform.t(), of_kernel.view(-1, len(self.weight)))
        self.weight_gradient.copy_(of_weight.t())
        of_transformed = _sum_of_products(of_columns, self.kernel.unbind()[::-1])
        return torch.mm(self.input_transform.t(), of_transformed.flatten(1)).view(gradient.shape)


def _columns(transform: Tensor, maps: Tensor) -> Tensor:
    """Transform the rows of maps, `(14, 14, B, C)`, by a matrix `(rows, 14)`.

    Returns the inputs of each column of a kernel, `(3, rows, 14 * B, C)`. The three overlap in
    memory, where each row lies between columns of zeros that it shares with its neighbours.
    """
    rows, step = len(transform), SIZE + 1
    images, channels = maps.shape[2:]
    padded = maps.new_empty(rows * step + 1, images, channels)
    padded[::step] = 0
    size = images * channels
    strides = (size, step * size, channels, 1)
    columns = padded.as_strided((3, rows, SIZE * images, channels), strides)
    torch.mm(transform, maps.flatten(1), out=columns[1].flatten(1))
    return columns


def _sum_of_products(columns: Tensor, kernel: Sequence[Tensor]) -> Tensor:
    """Return the sum over a kernel's columns of their products with `columns`.

    `kernel` are three matrices, `(rows, C, C)` each. Returns `(rows, 14 * B, C)`.
    """
    products = torch.bmm(columns[0], kernel[0])
    for column in (1, 2):
        products.baddbmm_(columns[column], kernel[column])
    return products


def _transforms_of_maps() -> Transforms:
    """Return the matrices that transform all rows of a map, in two tiles, and a kernel's rows.

    Inputs `(18, 14)`, as the rows of zeros above and below a map are left out; the kernel
    `(3 * 18, 9)`, column by column, once for each tile; outputs `(14, 18)`.
    """
    tile = transforms(POINTS)
    size = len(tile.outputs)
    inputs = torch.cat((pad(tile.inputs, (0, size)), pad(tile.inputs, (size, 0))))
    by_column = torch.kron(torch.eye(3), tile.kernel.repeat(2, 1))
    kernel = by_column.unflatten(1, (3, 3)).transpose(1, 2).flatten(1)
    return Transforms(inputs[:, 1:-1], kernel, torch.block_diag(tile.outputs, tile.outputs))
