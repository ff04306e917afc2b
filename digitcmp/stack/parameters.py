"""The parameters of a stack."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from digitcmp.stack.layers import Weight

VECTOR = 64
"""Numbers; a multiple of what any processor's vector registers hold."""


class Parameters:
    """All parameters of a stack in one flat tensor, so that one kernel updates them all.

    Each part is a list of modules that differ in their parameters alone. It is known by the layers
    of its first module.
    """

    def __init__(self, parts: Sequence[Sequence[nn.Module]]) -> None:
        alike = [
            same
            for part in parts
            for same in zip(*(module.parameters() for module in part), strict=True)
        ]
        stacked = [torch.stack([weight.detach() for weight in same]) for same in alike]
        # Matrix products round by how their result is aligned, and Adam's kernel rounds what does
        # not fill a vector otherwise: with each parameter on a boundary and no number left over, a
        # network's bits do not depend on how many others are in its stack.
        padded = [
            functional.pad(all_of.flatten(), (0, -all_of.numel() % VECTOR)) for all_of in stacked
        ]
        self.values = torch.cat(padded)
        self.gradients = torch.zeros_like(self.values)
        sizes = [len(flat) for flat in padded]
        self._weights = {
            same[0]: Weight(*(flat[: like.numel()].view_as(like) for flat in flats))
            for same, like, *flats in zip(
                alike, stacked, self.values.split(sizes), self.gradients.split(sizes), strict=True
            )
        }

    def of(self, layer: nn.Module) -> tuple[Weight, Weight]:
        """The weight and the bias of a layer, `(modules, ...)` for all of its part."""
        return self._weights[layer.weight], self._weights[layer.bias]

    def of_module(self, layer: nn.Module, number: int) -> tuple[Weight, Weight]:
        """The same for one module of the part."""
        weight, bias = self.of(layer)
        return (
            Weight(weight.value[number], weight.gradient[number]),
            Weight(bias.value[number], bias.gradient[number]),
        )
