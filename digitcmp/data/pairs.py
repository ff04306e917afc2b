"""Pair sets: what one seed trains, validates and tests on.

Source: experimental set-up.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from digitcmp.data.mnist import Digits, Images


@dataclass(frozen=True, eq=False)
class PooledImages:
    """Images average-pooled from 28x28 to 14x14, before any division."""

    sums: NDArray[np.uint16]
    """`(N, 14, 14)`: the sum of four pixels, 0 to 1020. Small and exact; pairs are normalised,
    so the scale makes no difference."""
    labels: NDArray[np.uint8]
    """`(N,)`, 0 to 9."""


@dataclass(frozen=True, eq=False)
class PooledDigits:
    """A data set in the form in which it is sent to workers: all that `pair_sets` needs."""

    train: PooledImages
    validation: PooledImages
    test: PooledImages
    sha256: str
    """That of the Digits they were pooled from, and of the split where each seed has its own."""
    is_split_by_seed: bool = False
    """Whether each seed splits all images anew into parts of the same sizes."""


@dataclass(frozen=True, eq=False)
class PairSet:
    """Pairs of digits, with what there is to learn of them."""

    images: Tensor
    """`(N, 2, 14, 14)`, float32, normalised."""
    digits: Tensor
    """`(N, 2)`, int64, 0 to 9."""
    target: Tensor
    """`(N,)`, int64: 1 where the first digit <= the second digit, else 0."""


@dataclass(frozen=True, eq=False)
class PairSets:
    """The three pair sets of one seed."""

    train: PairSet
    validation: PairSet
    test: PairSet
    mean: np.float32
    """Of the training pairs' pixels, in sums of four: 0 to 1020."""
    deviation: np.float32
    """The same pixels' standard deviation."""


def pool(digits: Digits, is_split_by_seed: bool = False) -> PooledDigits:
    """Average-pool every image of a data set, once for all the seeds that draw from it."""
    sha256 = digits.sha256
    if is_split_by_seed:
        sha256 = hashlib.sha256(f"{sha256} split by seed".encode()).hexdigest()
    train, validation, test = map(_pool, (digits.train, digits.validation, digits.test))
    return PooledDigits(train, validation, test, sha256, is_split_by_seed)


def pair_sets(digits: PooledDigits, seed: int, count: int = 1000) -> PairSets:
    """Draw `count` pairs each for training, validation and test: for a seed always the same bits.

    Each set is drawn from its own part of the data, by its own stream of random numbers. All are
    normalised by one mean and one standard deviation, those of the training pairs' pixels.

    Raises ValueError where `count` is below 1 or `seed` below 0.

    Source: experimental set-up. Where we depart from the paper: it has no validation pairs.
    """
    parts: Sequence[PooledImages] = (digits.train, digits.validation, digits.test)
    *streams, splitting = map(_generator, np.random.SeedSequence(seed).spawn(len(parts) + 1))
    if digits.is_split_by_seed:
        parts = split(parts, splitting)
    drawn = [
        draw(len(part.labels), count, stream) for part, stream in zip(parts, streams, strict=True)
    ]
    mean, deviation = _moments(parts[0].sums[drawn[0]])

    def pair_set(part: PooledImages, pairs: NDArray[np.intp]) -> PairSet:
        images = (part.sums[pairs].astype(np.float32) - mean) / deviation
        labels = torch.from_numpy(part.labels[pairs].astype(np.int64))
        return PairSet(torch.from_numpy(images), labels, (labels[:, 0] <= labels[:, 1]).long())

    train, validation, test = map(pair_set, parts, drawn)
    return PairSets(train, validation, test, mean, deviation)


def split(parts: Sequence[PooledImages], generator: np.random.Generator) -> list[PooledImages]:
    """Return all images of some parts, split at random into parts of about the same sizes.

    Each digit is split by itself, in the proportion of the sizes.
    """
    sums = np.concatenate([part.sums for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    ends = np.cumsum([len(part.labels) for part in parts]) / len(labels)
    order = np.asarray(generator.bit_generator.random_raw(len(labels))).argsort(kind="stable")
    chosen: list[list[NDArray[np.intp]]] = [[] for _ in parts]
    for digit in np.unique(labels):
        images = order[labels[order] == digit]
        cuts = np.rint(ends[:-1] * len(images)).astype(int)
        for part, taken in zip(chosen, np.split(images, cuts), strict=True):
            part.append(taken)
    places = [np.sort(np.concatenate(part)) for part in chosen]
    return [PooledImages(sums[place], labels[place]) for place in places]


def _generator(stream: np.random.SeedSequence) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(stream))


def draw(images: int, pairs: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Pair up `images` images at random: the indices of `pairs` pairs, `(pairs, 2)`.

    Each image is used at most once where there are enough of them, else as evenly as can be: use
    counts differ by one at most. No pair holds the same image twice.

    Raises ValueError for fewer than two images or less than one pair.
    """
    if images < 2 or pairs < 1:
        raise ValueError(f"cannot draw {pairs} pairs from {images} images")
    rounds = -(-2 * pairs // images)
    # Raw bits, because numpy promises a fixed stream for those and not for permutation().
    bits = np.asarray(generator.bit_generator.random_raw((rounds, images)))
    order = bits.argsort(axis=1, kind="stable").ravel()
    # With an odd number of images a pair can reach across two rounds and meet one image in both:
    # it trades with the pair after it, which lies within the second round.
    twice = 2 * np.flatnonzero(order[:-1:2] == order[1::2]) + 1
    order[twice], order[twice + 1] = order[twice + 1], order[twice]
    return order[: 2 * pairs].reshape(pairs, 2)


def _pool(images: Images) -> PooledImages:
    return PooledImages(sums_of_four(images.pixels), images.labels)


def sums_of_four(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the sums of two by two pixels: `(B, 28, 28)` to `(B, 14, 14)`."""
    blocks: NDArray[Any] = pixels.reshape(-1, 14, 2, 14, 2)
    wide = np.uint16 if blocks.dtype == np.uint8 else blocks.dtype
    sums: NDArray[Any] = blocks.sum(axis=(2, 4), dtype=wide)
    return sums


def _moments(sums: NDArray[np.uint16]) -> tuple[np.float32, np.float32]:
    """Return the mean and the standard deviation of all values."""
    # In whole numbers up to the last step: a sum of floats may differ between machines.
    values = sums.astype(np.int64)
    size, total, squares = values.size, int(values.sum()), int((values * values).sum())
    variance = (size * squares - total * total) / (size * size)
    return np.float32(total / size), np.float32(math.sqrt(variance))
