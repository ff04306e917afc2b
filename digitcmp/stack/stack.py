"""R networks of one model as one."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from digitcmp.data.pairs import PairSet
from digitcmp.networks import TwoBranch
from digitcmp.stack.known_layers import require_known, trunks_of
from digitcmp.stack.layers import Linear, positive_part
from digitcmp.stack.pairs import Logits, StackedPairs, targets
from digitcmp.stack.parameters import Parameters
from digitcmp.stack.trunks import head_layers, trunk_layers


class Stack:
    """R models of one kind, which must differ in their parameters alone.

    The models only lend their initial parameters; they are not changed. Raises UnknownNetwork where
    autograd would give anything else.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        models = require_known(networks)
        # The two trunks of a network without weight sharing are two networks for their layers.
        trunks = [trunk for model in models for trunk in trunks_of(model)]
        heads = [model.head for model in models]
        comparisons = [model.comparison for model in models if isinstance(model, TwoBranch)]
        self.parameters = Parameters([trunks, heads, comparisons])
        self.networks, self.trunk_count = len(models), len(trunks)
        self.sides = 2 if comparisons else 1
        images_per_pair = self.sides * self.networks // self.trunk_count
        self.trunk = trunk_layers(trunks[0], self.parameters, self.trunk_count, images_per_pair)
        self.head = head_layers(heads[0], self.parameters)
        self.comparison = (
            Linear(*self.parameters.of(comparisons[0]), reads_pixels=False) if comparisons else None
        )

    def pairs(self, sets: Sequence[PairSet]) -> StackedPairs:
        """Bring a pair set for each network into the form that `forward` takes."""
        images = torch.stack([pairs.images for pairs in sets]).unflatten(2, (self.sides, -1))
        return StackedPairs(self.trunk.prepare(images.transpose(1, 2)), targets(sets))

    def forward(self, images: Tensor, training: bool) -> Logits:
        """Compare the images of a batch of `pairs`, `(R, sides * B, ...)`."""
        features = self.trunk.forward(_regrouped(images, self.trunk_count), training)
        units = self.head.forward(_regrouped(features, self.networks), training)
        if self.comparison is None:
            return Logits(units, None)
        digits = units.unflatten(1, (2, -1))
        self.activated = digits.relu()
        both = self.activated.transpose(1, 2).flatten(2)
        return Logits(self.comparison.forward(both, training), digits)

    def backward(self, gradient: Logits) -> None:
        """Write the gradients of all parameters, given those of the last `forward`'s outputs."""
        of_units = gradient.comparison
        if self.comparison is not None:
            of_both = self.comparison.backward(of_units)
            of_activated = of_both.unflatten(2, (2, -1)).transpose(1, 2)
            of_digits = positive_part(of_activated, self.activated)
            if gradient.digits is not None:
                of_digits = of_digits + gradient.digits
            of_units = of_digits.flatten(1, 2)
        self.trunk.backward(_regrouped(self.head.backward(of_units), self.trunk_count))


def _regrouped(batch: Tensor, groups: int) -> Tensor:
    """The images or features of a batch in so many consecutive groups, `(groups, images, ...)`.

    Those of a network with two trunks are its first images, then its second ones.
    """
    return batch.view(groups, -1, *batch.shape[2:])
