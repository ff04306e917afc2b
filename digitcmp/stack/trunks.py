"""From the layers of `digitcmp.models` to the layers of a stack."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from digitcmp import architectures
from digitcmp.stack.layers import Chain, Flatten, Layer, Linear, ReLU
from digitcmp.stack.parameters import Parameters
from digitcmp.stack.patches import PooledPatches, patches
from digitcmp.stack.residual import AveragePool, BatchNorm, Convolution, EachNetwork, Residual
from digitcmp.stack.winograd import PooledWinograd


class Trunk:
    """A trunk, or a head, of R networks: images or features to `(R, B, features)`."""

    def __init__(
        self, layers: nn.Sequential, parameters: Parameters, networks: int, sides: int = 1
    ) -> None:
        found = list(layers)
        of_images = next((i for i, each in enumerate(found) if isinstance(each, nn.Flatten)), 0)
        built: list[Layer]
        if any(isinstance(each, nn.BatchNorm2d) for each in found):
            chains = [
                Chain(_image_layers(found[:of_images], parameters, network, sides))
                for network in range(networks)
            ]
            built = [EachNetwork(chains)]
        else:
            built = _pooled_layers(found[:of_images], parameters)
        sees_pixels = isinstance(found[0], nn.Flatten) if found else False
        for layer in found[of_images:]:
            if isinstance(layer, nn.Linear):
                built.append(Linear(*parameters.of(layer), sees_pixels and not built))
            elif isinstance(layer, nn.ReLU):
                built.append(ReLU())
        self.chain = Chain(built)

    def prepare(self, images: Tensor) -> Tensor:
        """Bring images, `(..., C, 14, 14)`, into the form that `forward` takes, once for all."""
        match self.chain.layers[0]:
            case PooledPatches():
                return patches(images)
            case EachNetwork():
                return images.movedim(-3, -1).contiguous()
            case _:
                return images.flatten(-3)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Take a batch of images, prepared, or of features: `(R, B, ...)`."""
        return self.chain.forward(inputs, training)

    def backward(self, gradient: Tensor) -> Tensor:
        return self.chain.backward(gradient)


def _pooled_layers(layers: Sequence[nn.Module], parameters: Parameters) -> list[Layer]:
    """The image layers of a CNN."""
    built: list[Layer] = []
    for layer in layers:
        match layer:
            case nn.Conv2d(in_channels=1 | 2):
                built.append(PooledPatches(*parameters.of(layer)))
            case nn.Conv2d():
                built.append(PooledWinograd(*parameters.of(layer)))
            case nn.ReLU():
                built.append(ReLU())
            case nn.MaxPool2d():
                pass  # within the convolution before it
            case _:
                raise TypeError(f"no image layer stands for {layer}")
    return [*built, Flatten()] if built else []


def _image_layers(
    layers: Iterable[nn.Module], parameters: Parameters, network: int, sides: int
) -> list[Layer]:
    """The image layers of one network of a ResNet."""
    built: list[Layer] = []
    for layer in layers:
        match layer:
            case nn.Conv2d(in_channels=channels):
                weight, bias = parameters.of_network(layer, network)
                built.append(Convolution(weight, bias, reads_pixels=channels <= 2))
            case nn.BatchNorm2d(num_features=channels):
                running = torch.zeros(channels), torch.ones(channels)
                built.append(BatchNorm(*parameters.of_network(layer, network), running, sides))
            case nn.ReLU():
                built.append(ReLU())
            case nn.AvgPool2d(kernel_size=int(size)):
                built.append(AveragePool(size))
            case architectures.Residual(convolutions=inner):
                chain = Chain(_image_layers(inner, parameters, network, sides))
                built.append(Residual(chain))
            case _:
                raise TypeError(f"no image layer stands for {layer}")
    return built
