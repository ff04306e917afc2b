"""What the networks of a stack say, and what they are told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from digitcmp.pairs import PairSet


class Logits(NamedTuple):
    """Logits of a batch of pairs for each network, or what belongs to them: targets, gradients."""

    comparison: Tensor
    """`(R, B, 2)`"""
    digits: Tensor | None
    """`(R, 2, B, 10)`, first images then second; None for plain models."""

    def narrow(self, start: int, length: int) -> "Logits":
        """Those of some pairs."""
        digits = None if self.digits is None else self.digits.narrow(2, start, length)
        return Logits(self.comparison.narrow(1, start, length), digits)


def concatenate(parts: Sequence[Logits]) -> Logits:
    """The logits of several batches as those of one."""
    digits = [part.digits for part in parts if part.digits is not None]
    comparison = torch.cat([part.comparison for part in parts], 1)
    return Logits(comparison, torch.cat(digits, 2) if digits else None)


def targets(sets: Sequence[PairSet]) -> Logits:
    """What the networks should say of a pair set each, one-hot."""
    comparison = one_hot(torch.stack([each.target for each in sets]), 2)
    digits = one_hot(torch.stack([each.digits for each in sets]), 10).transpose(1, 2)
    return Logits(comparison.float(), digits.float().contiguous())


@dataclass(frozen=True, eq=False)
class StackedPairs:
    """A pair set of its own for each network of a stack."""

    images: Tensor
    """`(R, sides, N, ...)`, float32, in the form that the networks' first layer takes. A shared
    trunk sees the images of both sides in one call."""
    target: Logits
    """One-hot."""

    def take(self, order: Sequence[Tensor]) -> "StackedPairs":
        """The pairs of each network in an order of its own, `(N,)` indices."""
        comparison, digits = self.target
        assert digits is not None
        return StackedPairs(
            _take(self.images, 1, order),
            Logits(_take(comparison, 0, order), _take(digits, 1, order)),
        )

    def batches(self, size: int) -> Iterator["StackedPairs"]:
        """The pairs in batches; the last may be smaller."""
        count = self.images.shape[2]
        for start in range(0, count, size):
            length = min(size, count - start)
            yield StackedPairs(
                self.images.narrow(2, start, length), self.target.narrow(start, length)
            )


def _take(stacked: Tensor, dimension: int, order: Sequence[Tensor]) -> Tensor:
    """Index each network's tensor along a dimension of it."""
    return torch.stack(
        [each.index_select(dimension, index) for each, index in zip(stacked, order, strict=True)]
    )
