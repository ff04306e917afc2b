"""R networks of one model as one."""

from collections.abc import Sequence

import torch
from torch import Tensor

from digitcmp.models import OneBranch, TwoBranch
from digitcmp.pairs import PairSet
from digitcmp.stack.layers import Linear, positive_part
from digitcmp.stack.pairs import Logits, StackedPairs, targets
from digitcmp.stack.parameters import Parameters
from digitcmp.stack.trunks import Trunk


class Stack:
    """R models of one kind, which must differ in their parameters alone.

    The models only lend their initial parameters; they are not changed.
    """

    def __init__(self, models: Sequence[OneBranch | TwoBranch]) -> None:
        model = models[0]
        self.networks = len(models)
        self.parameters = Parameters(models)
        self.head = Trunk(model.head, self.parameters, self.networks)
        if isinstance(model, OneBranch):
            self.sides = 1
            trunks = [model.trunk]
            self.comparison = None
        else:
            self.sides = 2
            trunks = [model.first] if model.first is model.second else [model.first, model.second]
            self.comparison = Linear(*self.parameters.of(model.comparison), reads_pixels=False)
        self.trunks = [
            Trunk(trunk, self.parameters, self.networks, sides=self.sides // len(trunks))
            for trunk in trunks
        ]

    def pairs(self, sets: Sequence[PairSet]) -> StackedPairs:
        """Bring a pair set for each network into the form that `forward` takes."""
        images = torch.stack([each.images for each in sets]).unflatten(2, (self.sides, -1))
        return StackedPairs(self.trunks[0].prepare(images.transpose(1, 2)), targets(sets))

    def forward(self, images: Tensor, training: bool) -> Logits:
        """Compare the images of a batch of `pairs`, `(R, sides * B, ...)`."""
        features = [
            trunk.forward(part, training)
            for trunk, part in zip(self.trunks, images.chunk(len(self.trunks), 1), strict=True)
        ]
        together = features[0] if len(features) == 1 else torch.cat(features, 1)
        units = self.head.forward(together, training)
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
        of_features = self.head.backward(of_units)
        parts = of_features.chunk(len(self.trunks), 1)
        for trunk, part in zip(self.trunks, parts, strict=True):
            trunk.backward(part)
