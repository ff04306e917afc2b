"""Batch normalisation of a ResNet's maps."""

import torch
from torch import Tensor

from digitcmp.stack.layers import Weight, aten

EPSILON, MOMENTUM = 1e-5, 0.1
"""PyTorch's own: what is added to a variance, and what part of a running one each batch gives."""


class BatchNorm:
    """Batch normalisation, one image side at a time: `(H, W, pairs * sides, C)` to the same.

    Each side is normalised by its own mean and variance, and moves the running ones, as if its
    images had come alone. The maps are those of a convolution whose bias was left out, as it only
    shifts the running means.
    """

    def __init__(self, weight: Weight, bias: Weight, left_out: Tensor, sides: int) -> None:
        self.weight, self.bias, self.sides = weight, bias, sides
        # PyTorch's running mean less the bias.
        self.mean = -left_out.repeat(sides)
        self.left_out, self.subtracted = left_out, left_out.clone()
        self.variance = torch.ones_like(self.mean)
        # One after the other, the sides would move one mean and one variance. Here each has its
        # own, which moves as far as that would; what came first has faded more by the end.
        kept = 1 - MOMENTUM
        self.momentum = 1 - kept**sides
        faded = kept ** torch.arange(sides - 1, -1, -1).to(self.mean)
        self.shares = (faded / faded.sum())[:, None]

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self._subtract_bias()
        self.inputs = self._by_channel(inputs)
        self.scale = self.weight.value.repeat(self.sides)
        shift = self.bias.value.repeat(self.sides)
        running = self.mean, self.variance
        if not training:
            running = self._of_all_sides(self.mean), self._of_all_sides(self.variance)
        outputs, *self.saved = aten.native_batch_norm(
            self.inputs, self.scale, shift, *running, training, self.momentum, EPSILON
        )
        return _by_image(outputs, inputs)

    def backward(self, gradient: Tensor) -> Tensor:
        of_inputs, of_scale, of_shift = aten.native_batch_norm_backward(
            self._by_channel(gradient), self.inputs, self.scale, None, None, *self.saved, True,
            EPSILON, [True, True, True],
        )  # fmt: skip
        torch.sum(of_scale.view(self.sides, -1), 0, out=self.weight.gradient)
        torch.sum(of_shift.view(self.sides, -1), 0, out=self.bias.gradient)
        return _by_image(of_inputs, gradient)

    def running(self) -> tuple[Tensor, Tensor]:
        """Return the running mean and variance as PyTorch's layer would have them, `(C,)` each."""
        channels = len(self.left_out)
        mean, variance = map(self._of_all_sides, (self.mean, self.variance))
        return mean[:channels] + self.subtracted, variance[:channels]

    def _subtract_bias(self) -> None:
        """Follow the bias, which has no gradient, where weight decay has moved it."""
        moved = self.left_out - self.subtracted
        self.subtracted += moved
        self.mean -= moved.repeat(self.sides)

    def _by_channel(self, maps: Tensor) -> Tensor:
        """Return maps as PyTorch takes them, the channels of each side as channels of their own."""
        height, width, _, channels = maps.shape
        return maps.view(height, width, -1, self.sides * channels).permute(0, 3, 1, 2)

    def _of_all_sides(self, running: Tensor) -> Tensor:
        average = (self.shares * running.view(self.sides, -1)).sum(0)
        return average.repeat(self.sides)


def _by_image(maps: Tensor, like: Tensor) -> Tensor:
    """Return maps in the shape of `like`: the inverse of `_by_channel`."""
    return maps.permute(0, 2, 3, 1).view(like.shape)
