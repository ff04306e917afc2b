"""The parameters of a stack, and Adam, which moves them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from digitcmp.stack.layers import Weight

VECTOR = 64
"""Numbers; a multiple of what any processor's vector registers hold."""


class Parameters:
    """All parameters of a stack in one flat tensor, so that one kernel updates them all.

    Each part is a list of modules that differ in their parameters alone. It is known by the layers
    of its first module.
    """

    def __init__(self, parts: Sequence[Sequence[nn.Module]]) -> None:
        alike = _alike(parts)
        stacked = [torch.stack([weight.detach() for weight in same]) for same in alike]
        # Matrix products round by how their result is aligned, and Adam's kernel rounds what does
        # not fill a vector otherwise: with each parameter on a boundary and no number left over, a
        # network's bits do not depend on how many others are in its stack.
        padded = [pad(all_of.flatten(), (0, -all_of.numel() % VECTOR)) for all_of in stacked]
        self.values = torch.cat(padded)
        self.gradients = torch.zeros_like(self.values)
        sizes = [len(flat) for flat in padded]
        self._weights = {
            same[0]: Weight(*(flat[: like.numel()].view_as(like) for flat in flats))
            for same, like, *flats in zip(
                alike, stacked, self.values.split(sizes), self.gradients.split(sizes), strict=True
            )
        }

    def of(self, layer: nn.Module, number: int | slice = slice(None)) -> tuple[Weight, Weight]:
        """Return weight and bias of a layer: `(modules, ...)` for its part, or of one module."""
        weight, bias = (
            Weight(*(tensor[number] for tensor in self._weights[parameter]))
            for parameter in (layer.weight, layer.bias)
        )
        return weight, bias

    @torch.no_grad()
    def write(self, parts: Sequence[Sequence[nn.Module]]) -> None:
        """Write the values to modules like those that lent the first ones."""
        for same, weight in zip(_alike(parts), self._weights.values(), strict=True):
            for parameter, value in zip(same, weight.value, strict=True):
                parameter.copy_(value)


def _alike(parts: Sequence[Sequence[nn.Module]]) -> list[tuple[Any, ...]]:
    """Return the parameters of all parts in order, those of the modules of a part together."""
    return [
        same
        for part in parts
        for same in zip(*(module.parameters() for module in part), strict=True)
    ]


class Adam:
    """Moves `values` against `gradients`, in place, with PyTorch's defaults.

    It is the kernel of `torch.optim.Adam(fused=True)` without the class around it, which imports a
    compiler (2 s) and takes longer for each step of a small network than the kernel does.
    `tests/digitcmp/test_stack.py` holds it to that class.
    """

    def __init__(
        self, values: Tensor, gradients: Tensor, learning_rate: float, weight_decay: float = 0.0
    ) -> None:
        self.values, self.gradients = values, gradients
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.mean, self.square = torch.zeros_like(values), torch.zeros_like(values)
        self.steps = torch.zeros(())

    def step(self) -> None:
        """Take one step."""
        self.steps += 1
        torch._fused_adam_(
            [self.values], [self.gradients], [self.mean], [self.square], [], [self.steps],
            lr=self.learning_rate, beta1=0.9, beta2=0.999, weight_decay=self.weight_decay,
            eps=1e-8, amsgrad=False, maximize=False,
        )  # fmt: skip
