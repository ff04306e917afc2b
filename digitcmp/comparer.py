"""A trained network that compares images as they come, and its weights as plain arrays."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from digitcmp.data.pairs import sums_of_four

Weights = Mapping[str, NDArray[Any]]
"""What a training learned, by PyTorch's names: parameters, and running means and variances of batch
normalisation. `MEAN` and `DEVIATION` are the pixels' of the training pairs."""

MEAN, DEVIATION = "normalisation.mean", "normalisation.deviation"
"""Numbers in the unit of `PooledImages`: sums of four pixels, 0 to 1020."""

_UNUSED = "num_batches_tracked"
"""Counts that batch normalisation keeps, and that a trained network does not use."""

_BATCH = 250
"""Pairs that are compared at a time."""


class Comparison(NamedTuple):
    """What a network makes of a pair of images, or of B pairs."""

    is_ordered: bool | NDArray[np.bool_]
    """Whether the first digit <= the second digit; `(B,)` for a batch."""
    probability: float | NDArray[np.float64]
    """How probably that is so, by the network: 0 to 1; `(B,)` for a batch."""


def weights_of(network: nn.Module, mean: np.float32, deviation: np.float32) -> dict[str, Any]:
    """Return the weights of a network, each once where it is shared, and the normalisation."""
    arrays = {name: tensor.detach().numpy().copy() for name, tensor in _tensors(network).items()}
    return {**arrays, MEAN: np.asarray(mean), DEVIATION: np.asarray(deviation)}


class Comparer:
    """A trained network with the pooling and the normalisation that belong to it."""

    def __init__(self, network: nn.Module, weights: Weights) -> None:
        """Load weights into a network. Raises ValueError where they are those of another kind."""
        tensors = _tensors(network)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        given = {name: np.shape(array) for name, array in weights.items()}
        if given != {**shapes, MEAN: (), DEVIATION: ()}:
            raise ValueError("these weights are not those of this network")
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(torch.from_numpy(np.array(weights[name])))
        self.network = network.eval()
        self.mean, self.deviation = weights[MEAN], weights[DEVIATION]

    def compare(self, first: ArrayLike, second: ArrayLike) -> Comparison:
        """Return whether the digit in `first` <= the digit in `second`, and how probably.

        Images are `(28, 28)`, or `(14, 14)` as pooled from these by averages of two by two pixels;
        `(B, 28, 28)` or `(B, 14, 14)` for a batch of pairs. Whole numbers are 0 (black) to 255,
        fractions 0 to 1. The digits are white on black, as in MNIST.

        The probability is the sigmoid of half the difference of the two units' logits. Raises
        ValueError for images of other shapes or values, and for unequal numbers of images.
        """
        images = [_sums(image) for image in (first, second)]
        if len(images[0]) != len(images[1]) or np.ndim(first) != np.ndim(second):
            shapes = f"{np.shape(first)} and {np.shape(second)}"
            raise ValueError(f"images come in pairs: shapes {shapes} make none")
        pairs = np.stack([(sums - self.mean) / self.deviation for sums in images], axis=1)
        logits = self._logits(torch.from_numpy(pairs)).double()
        # As in the accuracy: where both logits are equal, the first digit counts as greater.
        is_ordered = logits.argmax(1) == 1
        probability = ((logits[:, 1] - logits[:, 0]) / 2).sigmoid()
        if np.ndim(first) == 2:
            return Comparison(bool(is_ordered), float(probability))
        return Comparison(is_ordered.numpy(), probability.numpy())

    @torch.no_grad()
    def _logits(self, pairs: Tensor) -> Tensor:
        return torch.cat([self.network(some).comparison for some in pairs.split(_BATCH)])


def _sums(images: ArrayLike) -> NDArray[np.float32]:
    """Return images as the sums of four pixels that they are pooled from, `(B, 14, 14)`."""
    pixels = np.asarray(images)
    if pixels.ndim not in (2, 3) or pixels.shape[-2:] not in ((28, 28), (14, 14)):
        raise ValueError(f"images are (28, 28) or (14, 14), or a batch of them, not {pixels.shape}")
    is_whole = np.issubdtype(pixels.dtype, np.integer)
    if not is_whole and not np.issubdtype(pixels.dtype, np.floating):
        raise ValueError(f"images are numbers, not {pixels.dtype}")
    most = 255 if is_whole else 1
    if not ((pixels >= 0) & (pixels <= most)).all():
        kind = "whole numbers" if is_whole else "fractions"
        raise ValueError(f"pixels that are {kind} are from 0 to {most}")
    values = pixels.astype(np.float64) * (255 / most)
    small = values.shape[-1] == 14
    sums = 4 * values.reshape(-1, 14, 14) if small else sums_of_four(values)
    # Fractions of 255 are rounded: these are the whole numbers that they stand for.
    whole = sums.round()
    return np.where(abs(sums - whole) < 1e-3, whole, sums).astype(np.float32)


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {name: tensor for name, tensor in named.items() if not name.endswith(_UNUSED)}
