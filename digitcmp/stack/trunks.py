"""From the layers of `digitcmp.models` to the layers of a stack."""

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

import torch
from torch import Tensor, nn

from digitcmp import architectures
from digitcmp.stack.batch_norm import BatchNorm
from digitcmp.stack.layers import Chain, Flatten, Layer, Linear, ReLU
from digitcmp.stack.parameters import Parameters
from digitcmp.stack.patches import PooledPatches, patches
from digitcmp.stack.residual import AveragePool, EachNetwork, PixelConvolution, Residual
from digitcmp.stack.winograd_pooled import PooledWinograd
from digitcmp.stack.winograd_rows import Convolution


class Trunk(Chain):
    """A trunk: images, prepared, to features, `(R, B, features)`."""

    def __init__(self, layers: Sequence[Layer], prepare: Callable[[Tensor], Tensor]) -> None:
        super().__init__(layers)
        self.prepare = prepare
        """Brings images, `(..., C, 14, 14)`, into the form the first layer takes, once for all."""


def trunk_layers(
    trunk: nn.Module, parameters: Parameters, networks: int, images_per_pair: int
) -> Trunk:
    """The layers of so many networks like `trunk`, each of which sees so many images of a pair."""
    layers = list(trunk.children())
    on_images = list(takewhile(lambda layer: not isinstance(layer, nn.Flatten), layers))
    linear = _linear_layers(layers[len(on_images) + 1 :], parameters, reads_pixels=not on_images)
    if not on_images:
        return Trunk(linear, lambda images: images.flatten(-3).contiguous())
    if not any(isinstance(layer, nn.BatchNorm2d) for layer in on_images):
        return Trunk([*_pooled_layers(on_images, parameters), Flatten(), *linear], patches)
    each = [
        Chain(_residual_layers(on_images, parameters, number, images_per_pair))
        for number in range(networks)
    ]
    return Trunk([EachNetwork(each, images_per_pair), *linear], torch.Tensor.contiguous)


def head_layers(head: nn.Module, parameters: Parameters) -> Chain:
    """The layers of all heads like `head`."""
    return Chain(_linear_layers(head.children(), parameters, reads_pixels=False))


def _linear_layers(
    layers: Iterable[nn.Module], parameters: Parameters, reads_pixels: bool
) -> list[Layer]:
    return [
        Linear(*parameters.of(layer), reads_pixels=reads_pixels and number == 0)
        if isinstance(layer, nn.Linear)
        else ReLU()
        for number, layer in enumerate(layers)
    ]


def _pooled_layers(layers: Iterable[nn.Module], parameters: Parameters) -> list[Layer]:
    """The image layers of a CNN, all networks at once."""
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
    return built


def _residual_layers(
    layers: Iterable[nn.Module], parameters: Parameters, number: int, sides: int
) -> list[Layer]:
    """The image layers of one network of a ResNet."""
    built: list[Layer] = []
    for layer in layers:
        match layer:
            case nn.Conv2d(in_channels=channels):
                # The batch normalisation that follows has to know of the bias.
                weight, left_out = parameters.of_module(layer, number)
                built.append(PixelConvolution(weight) if channels <= 2 else Convolution(weight))
            case nn.BatchNorm2d():
                weight, bias = parameters.of_module(layer, number)
                built.append(BatchNorm(weight, bias, left_out.value, sides))
            case nn.ReLU():
                built.append(ReLU())
            case nn.AvgPool2d(kernel_size=int(size)):
                built.append(AveragePool(size, parameters.values.dtype))
            case architectures.Residual(convolutions=inner):
                chain = Chain(_residual_layers(inner, parameters, number, sides))
                built.append(Residual(chain))
            case _:
                raise TypeError(f"no image layer stands for {layer}")
    return built
