"""From the layers of `digitcmp.models` to the layers of a stack."""

from collections import deque
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from digitcmp import architectures
from digitcmp.stack.images import Convolution, MaxPool, PooledPatches, patches
from digitcmp.stack.layers import Chain, Layer, Linear, ReLU, Weight
from digitcmp.stack.residual import AveragePool, BatchNorm, Residual

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


class Trunk:
    """A trunk, or a head, of R networks: images or features to `(R, B, features)`.

    Up to where the images are flattened every network goes by itself; from there, all at once.
    """

    def __init__(
        self, layers: nn.Module, parameters: Parameters, networks: int, sides: int = 1
    ) -> None:
        found = list(layers.children())
        flatten = next((i for i, each in enumerate(found) if isinstance(each, nn.Flatten)), -1)
        self.chains = [
            Chain(_image_layers(found[:flatten], parameters, network, sides))
            for network in range(networks if flatten > 0 else 0)
        ]
        self.linear = Chain(
            [
                Linear(*parameters.of(each), reads_pixels=flatten == i == 0)
                if isinstance(each, nn.Linear)
                else ReLU()
                for i, each in enumerate(found[flatten + 1 :])
            ]
        )

    def prepare(self, images: Tensor) -> Tensor:
        """Bring images, `(..., C, 14, 14)`, into the form that `forward` takes, once for all."""
        if not self.chains:
            return images.flatten(-3)
        if isinstance(self.chains[0].layers[0], PooledPatches):
            return patches(images)
        return images.movedim(-3, -1).contiguous()

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Take a batch of images, prepared, or of features: `(R, B, ...)`."""
        if self.chains:
            if not isinstance(self.chains[0].layers[0], PooledPatches):
                inputs = inputs.movedim(-1, -3)
            maps = [
                chain.forward(images, training)
                for chain, images in zip(self.chains, inputs, strict=True)
            ]
            self.map_shape = maps[0].shape
            inputs = torch.stack([each.flatten(1) for each in maps])
        return self.linear.forward(inputs, training)

    def backward(self, gradient: Tensor) -> Tensor:
        gradient = self.linear.backward(gradient)
        for chain, of_features in zip(self.chains, gradient, strict=False):
            of_map = of_features.view(self.map_shape)
            chain.backward(of_map.contiguous(memory_format=torch.channels_last))
        return gradient


def _image_layers(
    layers: Iterable[nn.Module], parameters: Parameters, network: int, sides: int
) -> list[Layer]:
    """The image layers of one network that compute what `layers` do."""
    built: list[Layer] = []
    waiting = deque(layers)
    while waiting:
        layer = waiting.popleft()
        after = waiting[0] if waiting else None
        match layer:
            case nn.Conv2d(padding=(int(padding), _)):
                weights = parameters.of_network(layer, network)
                pixels = layer.in_channels <= 2
                if pixels and isinstance(after, nn.MaxPool2d):
                    waiting.popleft()
                    built.append(PooledPatches(*weights))
                else:
                    normalised = isinstance(after, nn.BatchNorm2d)
                    built.append(Convolution(*weights, padding, pixels, normalised))
            case nn.BatchNorm2d(num_features=channels):
                running = torch.zeros(channels), torch.ones(channels)
                built.append(BatchNorm(*parameters.of_network(layer, network), running, sides))
            case nn.ReLU():
                built.append(ReLU())
            case nn.MaxPool2d():
                built.append(MaxPool())
            case nn.AvgPool2d(kernel_size=int(size)):
                built.append(AveragePool(size))
            case architectures.Residual(convolutions=inner):
                chain = Chain(_image_layers(inner, parameters, network, sides))
                built.append(Residual(chain))
            case _:
                raise TypeError(f"no image layer stands for {layer}")
    return built
