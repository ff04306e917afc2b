"""Winograd's minimal filtering: convolutions in fewer multiplications.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016. F(m, r) makes m
outputs of m + r - 1 inputs and r weights, by as many multiplications as there are inputs: one at
each of so many points, where polynomials are multiplied. How much it rounds is up to the points.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.polynomial import polynomial
from torch import Tensor


class Transforms(NamedTuple):
    """The matrices of F(m, r) along one axis, in double precision.

    A convolution is `outputs @ ((kernel @ weights) * (inputs @ pixels))`. The transposed matrices
    do the gradients.
    """

    inputs: Tensor
    """`(m + r - 1, m + r - 1)`"""
    kernel: Tensor
    """`(m + r - 1, r)`"""
    outputs: Tensor
    """`(m, m + r - 1)`"""


def transforms(points: Sequence[float], weights: int = 3) -> Transforms:
    """Those of F(m, weights) at m + weights - 2 points, and at infinity."""
    count = len(points) + 1
    size = count - weights + 1
    inputs, kernel = np.zeros((count, count)), np.zeros((count, weights))
    outputs = np.zeros((size, count))
    for row, point in enumerate(points):
        others = [each for each in points if each != point]
        inputs[row, :-1] = polynomial.polyfromroots(others)
        kernel[row] = point ** np.arange(weights) / polynomial.polyval(point, inputs[row])
        outputs[:, row] = point ** np.arange(size)
    inputs[-1] = polynomial.polyfromroots(points)
    kernel[-1, -1] = outputs[-1, -1] = 1
    return Transforms(*(torch.from_numpy(each) for each in (inputs, kernel, outputs)))
