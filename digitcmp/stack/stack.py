"""R networks of one model as one."""

from collections.abc import Callable, Sequence
from itertools import takewhile

import torch
from torch import Tensor, nn

from digitcmp import networks
from digitcmp.data.pairs import PairSet
from digitcmp.stack.cnn import PooledPatches, PooledWinograd, patches
from digitcmp.stack.known_layers import UnknownNetwork, layers_of, require_known, trunks_of
from digitcmp.stack.layers import Chain, Flatten, Layer, Linear, ReLU, aten
from digitcmp.stack.pairs import Logits, StackedPairs, targets
from digitcmp.stack.parameters import Parameters
from digitcmp.stack.residual import EachNetwork, batch_norms, resnet_layers


class Stack:
    """R models of one kind, which must differ in their parameters alone.

    The models only lend their initial parameters; they are not changed. Raises UnknownNetwork where
    autograd would give anything else.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        known = require_known(models)
        trunks, heads, comparisons = parts = _parts(known)
        self.parameters = Parameters(parts)
        self.networks, self.trunk_count = len(known), len(trunks)
        self.sides = 2 if comparisons else 1
        images_per_pair = self.sides * self.networks // self.trunk_count
        self.trunk, self.prepare = _trunk_layers(
            trunks[0], self.parameters, self.trunk_count, images_per_pair
        )
        self.head = Chain(_linear_layers(layers_of(heads[0]), self.parameters))
        self.comparison = Linear(*self.parameters.of(comparisons[0])) if comparisons else None

    @torch.no_grad()
    def write(self, models: Sequence[nn.Module]) -> None:
        """Write all that was learned to as many models of this kind, in place."""
        trunks, _, _ = parts = _parts(models)
        self.parameters.write(parts)
        first = self.trunk.layers[0]
        if isinstance(first, EachNetwork):
            for trunk, chain in zip(trunks, first.chains, strict=True):
                layers = [layer for layer in trunk.modules() if isinstance(layer, nn.BatchNorm2d)]
                for layer, learned in zip(layers, batch_norms(chain), strict=True):
                    assert layer.running_mean is not None and layer.running_var is not None
                    mean, variance = learned.running()
                    layer.running_mean.copy_(mean)
                    layer.running_var.copy_(variance)

    def pairs(self, sets: Sequence[PairSet]) -> StackedPairs:
        """Bring a pair set for each network into the form that `forward` takes."""
        images = torch.stack([pairs.images for pairs in sets]).unflatten(2, (self.sides, -1))
        return StackedPairs(self.prepare(images.transpose(1, 2)), targets(sets))

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
            of_digits = aten.threshold_backward(of_activated, self.activated, 0)
            if gradient.digits is not None:
                of_digits = of_digits + gradient.digits
            of_units = of_digits.flatten(1, 2)
        self.trunk.backward(_regrouped(self.head.backward(of_units), self.trunk_count))


def _parts(models: Sequence[nn.Module]) -> list[list[nn.Module]]:
    """Return all trunks, all heads and all comparisons of models that are known."""
    known = [model for model in models if isinstance(model, networks.Network)]
    # The two trunks of a network without weight sharing are two networks for their layers.
    trunks = [trunk for model in known for trunk in trunks_of(model)]
    two_branches = [model for model in known if isinstance(model, networks.TwoBranch)]
    return [trunks, [model.head for model in known], [model.comparison for model in two_branches]]


def _regrouped(batch: Tensor, groups: int) -> Tensor:
    """Return the images or features of a batch in consecutive groups, `(groups, images, ...)`.

    Those of a network with two trunks are its first images, then its second ones.
    """
    return batch.view(groups, -1, *batch.shape[2:])


def _trunk_layers(
    trunk: nn.Module, parameters: Parameters, count: int, images_per_pair: int
) -> tuple[Chain, Callable[[Tensor], Tensor]]:
    """Return the layers of `count` trunks like `trunk`, which each see so many images of a pair.

    They turn images into features, `(R, B, features)`. The function that comes with them brings
    images, `(..., C, 14, 14)`, into the form that the first layer takes, once for all. Raises
    UnknownNetwork for any but the three kinds of trunks that the paper's models have.
    """
    layers = layers_of(trunk)
    on_images = list(takewhile(lambda layer: not isinstance(layer, nn.Flatten), layers))
    if len(on_images) == len(layers):
        raise UnknownNetwork("a trunk that does not flatten its images")
    linear = _linear_layers(layers[len(on_images) + 1 :], parameters, read_pixels=not on_images)
    match on_images:
        case []:
            return Chain(linear), lambda images: images.flatten(-3).contiguous()
        # The kernels of both convolutions are made for the maps that these layers have.
        case [
            nn.Conv2d(padding=(0, 0)) as first, nn.MaxPool2d(), nn.ReLU(),
            nn.Conv2d(padding=(0, 0)) as second, nn.MaxPool2d(), nn.ReLU(),
        ]:  # fmt: skip
            pooled = PooledPatches(*parameters.of(first)), PooledWinograd(*parameters.of(second))
            return Chain([pooled[0], ReLU(), pooled[1], ReLU(), Flatten(), *linear]), patches
        case [
            nn.Conv2d(padding=(1, 1)), nn.BatchNorm2d(), nn.ReLU(), *blocks, nn.AvgPool2d(),
        ] if all(isinstance(block, networks.Residual) for block in blocks):  # fmt: skip
            chains = [
                resnet_layers(on_images, parameters, number, images_per_pair)
                for number in range(count)
            ]
            return Chain([EachNetwork(chains, images_per_pair), *linear]), Tensor.contiguous
    raise UnknownNetwork(f"image layers in this order: {on_images}")


def _linear_layers(
    layers: Sequence[nn.Module], parameters: Parameters, read_pixels: bool = False
) -> list[Layer]:
    built: list[Layer] = []
    for layer in layers:
        match layer:
            case nn.Linear():
                built.append(Linear(*parameters.of(layer), read_pixels and not built))
            case nn.ReLU():
                built.append(ReLU())
            case _:
                raise UnknownNetwork(f"{layer} on features")
    return built
