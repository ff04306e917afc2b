"""Winograd's minimal filtering: convolutions in fewer multiplications.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. F(m, 3) makes m
outputs of m + 2 inputs and three weights, by as many multiplications as there are inputs: one at
each of so many points, where polynomials are multiplied. How much it rounds is up to the points.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.polynomial import polynomial
from torch import Tensor


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
    """Those of F(m, 3) at m + 1 points, and at infinity."""
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
