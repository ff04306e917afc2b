"""The image layers of a ResNet: those below, with filtered convolutions and batch norms.

Each is for one network and takes maps as `(H, W, B, C)`, where B counts all images of a batch. If
the network sees both sides of a pair, the two images are neighbours.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from digitcmp import networks
from digitcmp.stack.batch_norm import BatchNorm
from digitcmp.stack.layers import Chain, Layer, ReLU, Weight
from digitcmp.stack.parameters import Parameters
from digitcmp.stack.winograd import SIZE, Convolution


class PixelConvolution:
    """A 3x3 convolution on pixels, without bias, that keeps the size: one matrix product."""

    def __init__(self, weight: Weight) -> None:
        self.weight, self.weight_gradient = (part.flatten(1) for part in weight)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        padded = pad(inputs, (0, 0, 0, 0, 1, 1, 1, 1))
        windows = padded.unfold(0, 3, 1).unfold(1, 3, 1)
        # Positions and images last, so that long pieces are copied.
        self.patches = windows.permute(3, 4, 5, 0, 1, 2).reshape(self.weight.shape[1], -1)
        return torch.mm(self.patches.t(), self.weight.t()).view(*inputs.shape[:3], -1)

    def backward(self, gradient: Tensor) -> Tensor:
        of_weight = torch.mm(self.patches, gradient.flatten(0, 2))
        self.weight_gradient.copy_(of_weight.t())
        return gradient


class Residual:
    """The outputs of a chain, added to its inputs, then a ReLU.

    So the chain has to begin with a layer that leaves its inputs as they are, and to end with one
    that leaves the gradient.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.activation = ReLU()

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        outputs = self.chain.forward(inputs, training)
        return self.activation.forward(outputs.add_(inputs), training)

    def backward(self, gradient: Tensor) -> Tensor:
        gradient = self.activation.backward(gradient)
        return self.chain.backward(gradient).add_(gradient)


class AveragePool:
    """The mean of every window, as a matrix product.

    `(14, 14, B, C)` to `(windows, windows, B, C)`; rows and columns that fill none are left out.
    """

    def __init__(self, size: int, dtype: torch.dtype) -> None:
        self.windows = SIZE // size
        along_one = torch.eye(self.windows, dtype=dtype).repeat_interleave(size, 1) / size
        along_one = pad(along_one, (0, SIZE % size))
        self.matrix = torch.kron(along_one, along_one)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        means = torch.mm(self.matrix, inputs.view(SIZE**2, -1))
        return means.view(self.windows, self.windows, *inputs.shape[2:])

    def backward(self, gradient: Tensor) -> Tensor:
        of_inputs = torch.mm(self.matrix.t(), gradient.view(self.windows**2, -1))
        return of_inputs.view(SIZE, SIZE, *gradient.shape[2:])


class EachNetwork:
    """The image layers of R networks, one after the other.

    `(R, sides * pairs, C, H, W)`, side by side as batches are, to `(R, sides * pairs, features)`.
    The layers are so large that networks together would gain nothing.
    """

    def __init__(self, chains: Sequence[Chain], sides: int) -> None:
        self.chains, self.sides = chains, sides

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        maps = [
            chain.forward(pixels, training)
            for chain, pixels in zip(self.chains, self._positions_first(inputs), strict=True)
        ]
        by_image = torch.stack(maps).unflatten(3, (-1, self.sides))
        self.map_shape = by_image.shape[1:3]
        features: Tensor = by_image.permute(0, 4, 3, 5, 1, 2).flatten(3)
        return features.flatten(1, 2)

    def backward(self, gradient: Tensor) -> Tensor:
        of_maps = self._positions_first(gradient.unflatten(2, (-1, *self.map_shape)))
        for chain, of_map in zip(self.chains, of_maps, strict=True):
            chain.backward(of_map)
        return gradient

    def _positions_first(self, batch: Tensor) -> Tensor:
        """`(R, sides * pairs, C, H, W)` as `(R, H, W, pairs * sides, C)`, as the layers take it."""
        by_side: Tensor = batch.unflatten(1, (self.sides, -1))
        return by_side.permute(0, 4, 5, 2, 1, 3).flatten(3, 4)


def batch_norms(layer: Layer) -> Iterator[BatchNorm]:
    """Yield the batch normalisations of one network's image layers, in order."""
    match layer:
        case BatchNorm():
            yield layer
        case Residual():
            yield from batch_norms(layer.chain)
        case Chain():
            for inner in layer.layers:
                yield from batch_norms(inner)


def resnet_layers(
    layers: Sequence[nn.Module], parameters: Parameters, number: int, sides: int
) -> Chain:
    """Return the image layers of one network of a ResNet: what comes first reads pixels."""

    def normalised(
        kind: Callable[[Weight], Layer], convolution: nn.Module, normalisation: nn.Module
    ) -> list[Layer]:
        # The batch normalisation has to know of the bias.
        weight, left_out = parameters.of(convolution, number)
        norm = BatchNorm(*parameters.of(normalisation, number), left_out.value, sides)
        return [kind(weight), norm]

    first, normalisation, _, *blocks, pooling = layers
    built = [*normalised(PixelConvolution, first, normalisation), ReLU()]
    for block in blocks:
        assert isinstance(block, networks.Residual)
        first, first_norm, _, second, second_norm = block.convolutions
        convolutions = [
            *normalised(Convolution, first, first_norm), ReLU(),
            *normalised(Convolution, second, second_norm),
        ]  # fmt: skip
        built.append(Residual(Chain(convolutions)))
    assert isinstance(pooling, nn.AvgPool2d)
    assert isinstance(pooling.kernel_size, int)
    return Chain([*built, AveragePool(pooling.kernel_size, parameters.values.dtype)])
