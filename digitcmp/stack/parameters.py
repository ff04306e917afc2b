"""The parameters of R networks of one model."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from digitcmp.stack.layers import Weight

VECTOR = 64
"""Numbers; a multiple of what any processor's vector registers hold."""


class Parameters:
    """All parameters of R models in one flat tensor, so that one kernel updates them all."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        stacked = [
            torch.stack([each.detach() for each in same])
            for same in zip(*(model.parameters() for model in models), strict=True)
        ]
        # Matrix products round by how their result is aligned, and Adam's kernel rounds what does
        # not fill a vector otherwise: with each parameter on a boundary and no number left over, a
        # network's bits do not depend on how many others are in its stack.
        padded = [functional.pad(each.flatten(), (0, -each.numel() % VECTOR)) for each in stacked]
        self.values = torch.cat(padded)
        self.gradients = torch.zeros_like(self.values)
        sizes = [len(each) for each in padded]
        self._weights = {
            parameter: Weight(*(flat[: like.numel()].view_as(like) for flat in flats))
            for parameter, like, *flats in zip(
                models[0].parameters(), stacked, self.values.split(sizes),
                self.gradients.split(sizes), strict=True,
            )
        }  # fmt: skip

    def of(self, layer: nn.Module) -> tuple[Weight, Weight]:
        """The weight and the bias of a layer of the first model, `(R, ...)` for all of them."""
        return self._weights[layer.weight], self._weights[layer.bias]  # type: ignore[index]

    def of_network(self, layer: nn.Module, network: int) -> tuple[Weight, Weight]:
        """The same for one network of the stack."""
        weight, bias = self.of(layer)
        return (
            Weight(weight.value[network], weight.gradient[network]),
            Weight(bias.value[network], bias.gradient[network]),
        )
