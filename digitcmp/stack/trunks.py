"""From the layers of a network to the layers of a stack."""

from collections.abc import Callable, Sequence
from itertools import takewhile

import torch
from torch import Tensor, nn

from digitcmp.networks import Residual as ResidualBlock
from digitcmp.stack.batch_norm import BatchNorm
from digitcmp.stack.known_layers import UnknownNetwork, kind, kinds, layers_of
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
    """Return the layers of so many networks like `trunk`, each of which sees so many images of a
    pair.

    Raises UnknownNetwork for any but the three kinds of trunks that the paper's models have.
    """
    layers = layers_of(trunk)
    on_images = list(takewhile(lambda layer: kind(layer) != "flatten", layers))
    if len(on_images) == len(layers):
        raise UnknownNetwork("a trunk that does not flatten its images")
    linear = _linear_layers(layers[len(on_images) + 1 :], parameters, reads_pixels=not on_images)
    match kinds(on_images):
        case []:
            return Trunk(linear, lambda images: images.flatten(-3).contiguous())
        # The kernels of both convolutions are made for the maps that these layers have.
        case ["convolution", "max-pooling", "ReLU", "convolution", "max-pooling", "ReLU"]:
            first, second = on_images[0], on_images[3]
            pooled: list[Layer] = [
                PooledPatches(*parameters.of(first)), ReLU(),
                PooledWinograd(*parameters.of(second)), ReLU(), Flatten(),
            ]  # fmt: skip
            return Trunk([*pooled, *linear], patches)
        case ["padded convolution", "batch normalisation", "ReLU", *blocks, "average-pooling"] if (
            all(block == "residual" for block in blocks)
        ):
            chains = [
                _residual_layers(on_images, parameters, number, images_per_pair)
                for number in range(networks)
            ]
            each = EachNetwork(chains, images_per_pair)
            return Trunk([each, *linear], torch.Tensor.contiguous)
    raise UnknownNetwork(f"image layers in this order: {', '.join(kinds(on_images))}")


def head_layers(head: nn.Module, parameters: Parameters) -> Chain:
    """Return the layers of all heads like `head`. Raises UnknownNetwork."""
    return Chain(_linear_layers(layers_of(head), parameters, reads_pixels=False))


def _linear_layers(
    layers: Sequence[nn.Module], parameters: Parameters, reads_pixels: bool
) -> list[Layer]:
    built: list[Layer] = []
    for number, layer in enumerate(layers):
        match kind(layer):
            case "linear":
                first = reads_pixels and number == 0
                built.append(Linear(*parameters.of(layer), reads_pixels=first))
            case "ReLU":
                built.append(ReLU())
            case other:
                raise UnknownNetwork(f"{other} on features")
    return built


def _residual_layers(
    layers: Sequence[nn.Module], parameters: Parameters, number: int, sides: int
) -> Chain:
    """Return the image layers of one network of a ResNet: what comes first reads pixels."""
    first, normalisation, _, *blocks, pooling = layers
    assert isinstance(pooling, nn.AvgPool2d)
    assert isinstance(pooling.kernel_size, int)
    weight, left_out = parameters.of_module(first, number)
    return Chain(
        [
            PixelConvolution(weight),
            _batch_norm(normalisation, parameters, number, left_out.value, sides),
            ReLU(),
            *(_residual(block, parameters, number, sides) for block in blocks),
            AveragePool(pooling.kernel_size, parameters.values.dtype),
        ]
    )


def _residual(block: nn.Module, parameters: Parameters, number: int, sides: int) -> Residual:
    assert isinstance(block, ResidualBlock)
    first, first_normalisation, _, second, second_normalisation = block.convolutions
    layers: list[Layer] = []
    for convolution, normalisation in (
        (first, first_normalisation), (second, second_normalisation),
    ):  # fmt: skip
        # The batch normalisation that follows has to know of the bias.
        weight, left_out = parameters.of_module(convolution, number)
        layers += [
            Convolution(weight),
            _batch_norm(normalisation, parameters, number, left_out.value, sides),
        ]
    return Residual(Chain([*layers[:2], ReLU(), *layers[2:]]))


def _batch_norm(
    layer: nn.Module, parameters: Parameters, number: int, left_out: Tensor, sides: int
) -> BatchNorm:
    return BatchNorm(*parameters.of_module(layer, number), left_out, sides)
