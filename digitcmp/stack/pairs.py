"""Pair sets for a stack: images, targets and logits, a pair set for each network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from digitcmp.data.pairs import PairSet


class Logits(NamedTuple):
    """Logits of a batch of pairs for each network, or what belongs to them: targets, gradients."""

    comparison: Tensor
    """`(R, B, 2)`"""
    digits: Tensor | None
    """`(R, 2, B, 10)`, first images then second; None for plain models."""

    def narrow(self, start: int, length: int) -> "Logits":
        """Return the logits of `length` pairs, from number `start` on."""
        digits = None if self.digits is None else self.digits.narrow(2, start, length)
        return Logits(self.comparison.narrow(1, start, length), digits)


class Batch(NamedTuple):
    """A batch of pairs for each network."""

    images: Tensor
    """`(R, sides * B, ...)`: the images of one side, then those of the other."""
    target: Logits


@dataclass(frozen=True, eq=False)
class StackedPairs:
    """A pair set of its own for each network of a stack."""

    images: Tensor
    """`(R, sides, N, ...)`, float32, in the form that the networks' first layer takes."""
    target: Logits
    """One-hot."""

    def in_order(self, order: Tensor) -> Logits:
        """Return the targets of each network in an order of its own, `(R, N)` indices."""
        comparison, digits = self.target
        assert digits is not None
        return Logits(
            comparison.gather(1, order[..., None].expand_as(comparison)),
            digits.gather(2, order[:, None, :, None].expand_as(digits)),
        )

    def batches(self, size: int, order: Tensor | None = None) -> Iterator[Batch]:
        """Yield the pairs in batches, in an `order` as `in_order` takes it, if one is given.

        The last batch may be smaller. Images are copied once, from where they are to where the
        first layer reads them.
        """
        networks, sides, count = self.images.shape[:3]
        if order is None:
            order = torch.arange(count).expand(networks, -1)
        target = self.in_order(order)
        firsts = torch.arange(0, networks * sides * count, count).view(networks, sides, 1)
        places = firsts + order[:, None]
        rows = self.images.flatten(0, 2)
        for start in range(0, count, size):
            length = min(size, count - start)
            chosen = places.narrow(2, start, length).flatten()
            images = rows.index_select(0, chosen).unflatten(0, (networks, sides * length))
            yield Batch(images, target.narrow(start, length))


def targets(sets: Sequence[PairSet]) -> Logits:
    """Return the one-hot targets of a pair set for each network."""
    comparison = one_hot(torch.stack([pairs.target for pairs in sets]), 2)
    digits = one_hot(torch.stack([pairs.digits for pairs in sets]), 10).transpose(1, 2)
    return Logits(comparison.float(), digits.float().contiguous())


def concatenate(parts: Sequence[Logits]) -> Logits:
    """Return the logits of several batches as those of one batch."""
    digits = [part.digits for part in parts if part.digits is not None]
    comparison = torch.cat([part.comparison for part in parts], 1)
    return Logits(comparison, torch.cat(digits, 2) if digits else None)
