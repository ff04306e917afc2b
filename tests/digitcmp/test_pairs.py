import hashlib
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from digitcmp.data import pairs
from digitcmp.data.mnist import Digits, Images
from digitcmp.data.pairs import PairSet, PairSets, PooledDigits


def bits(*sets: PairSet) -> str:
    """The SHA-256 of every value of some pair sets."""
    digest = hashlib.sha256()
    for pair_set in sets:
        for tensor in (pair_set.images, pair_set.digits, pair_set.target):
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def all_of(sets: PairSets) -> tuple[PairSet, PairSet, PairSet]:
    return sets.train, sets.validation, sets.test


def draw(images: int, count: int, seed: int = 0) -> NDArray[np.intp]:
    return pairs.draw(images, count, np.random.Generator(np.random.PCG64(seed)))


# Drawing


@settings(deadline=None)  # a busy machine is no failure
@given(images=st.integers(2, 60), count=st.integers(1, 150), seed=st.integers(0, 2**32))
@example(images=2, count=1, seed=0)
@example(images=3, count=150, seed=0)
def test_images_are_used_evenly_and_never_paired_with_themselves(
    images: int, count: int, seed: int
) -> None:
    drawn = draw(images, count, seed)
    assert drawn.shape == (count, 2)
    assert (drawn[:, 0] != drawn[:, 1]).all()
    uses = np.bincount(drawn.ravel(), minlength=images)
    assert len(uses) == images
    assert uses.max() - uses.min() <= 1
    if 2 * count <= images:
        assert uses.max() == 1
    np.testing.assert_array_equal(drawn, draw(images, count, seed))


@settings(deadline=None)
@given(images=st.integers(20, 60), count=st.integers(5, 60), seed=st.integers(0, 2**32))
def test_another_seed_draws_other_pairs(images: int, count: int, seed: int) -> None:
    assert (draw(images, count, seed) != draw(images, count, seed + 1)).any()


@pytest.mark.parametrize(("images", "count"), [(4, 2), (5, 5), (6, 1)])
def test_every_pair_is_as_likely_as_any_other(images: int, count: int) -> None:
    generator = np.random.default_rng(0)
    draws = 20_000
    seen = np.zeros((count, images, images))
    for _ in range(draws):
        drawn = pairs.draw(images, count, generator)
        seen[np.arange(count), drawn[:, 0], drawn[:, 1]] += 1
    share = seen / draws * images * (images - 1)
    off_diagonal = ~np.eye(images, dtype=bool)
    assert share[:, off_diagonal] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(("images", "count"), [(1, 1), (0, 1), (2, 0), (2, -1)])
def test_pairs_that_cannot_be_drawn_are_an_error(images: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"cannot draw {count} pairs from {images} images"):
        draw(images, count)


# Pair sets


def test_seed_0_never_changes(pooled: PooledDigits) -> None:
    assert bits(*all_of(pairs.pair_sets(pooled, 0))) == (
        "4d6b537eb9b7ae9c8767c5c44a8f840b16c61f15e56ab84f48cb925855d8de7c"
    )


def test_pair_sets_are_what_the_models_take(pooled: PooledDigits) -> None:
    for pair_set in all_of(pairs.pair_sets(pooled, 3, count=7)):
        assert pair_set.images.shape == (7, 2, 14, 14)
        assert pair_set.images.dtype == torch.float32
        assert pair_set.digits.shape == (7, 2)
        assert pair_set.target.shape == (7,)
        assert pair_set.digits.dtype == pair_set.target.dtype == torch.int64


def test_target_says_whether_the_first_digit_is_no_larger(pooled: PooledDigits) -> None:
    for pair_set in all_of(pairs.pair_sets(pooled, 1)):
        expected = [int(first <= second) for first, second in pair_set.digits.tolist()]
        assert pair_set.target.tolist() == expected
        assert {0, 1} == set(expected)
        assert (pair_set.digits[:, 0] == pair_set.digits[:, 1]).any()


def test_training_pairs_are_normalised(pooled: PooledDigits) -> None:
    images = pairs.pair_sets(pooled, 2).train.images.double()
    assert images.mean().item() == pytest.approx(0, abs=1e-6)
    assert images.std(correction=0).item() == pytest.approx(1, abs=1e-6)


def test_images_are_average_pooled_and_normalised_by_the_training_pairs(sample: Digits) -> None:
    def average(images: Images) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(torch.from_numpy(images.pixels).double(), 2) / 255

    sets = pairs.pair_sets(pairs.pool(sample), 0, count=50)
    streams = np.random.SeedSequence(0).spawn(3)
    parts = (sample.train, sample.validation, sample.test)
    drawn = [
        pairs.draw(len(part.labels), 50, np.random.Generator(np.random.PCG64(stream)))
        for part, stream in zip(parts, streams, strict=True)
    ]
    train = average(sample.train)[torch.from_numpy(drawn[0])]
    for part, indices, pair_set in zip(parts, drawn, all_of(sets), strict=True):
        images = average(part)[torch.from_numpy(indices)]
        expected = (images - train.mean()) / train.std(correction=0)
        torch.testing.assert_close(pair_set.images, expected.float(), rtol=0, atol=1e-5)
        assert pair_set.digits.tolist() == part.labels[indices].tolist()


def test_each_part_has_a_stream_of_its_own(pooled: PooledDigits) -> None:
    fewer = replace(pooled, validation=pooled.test, sha256="")
    before, after = pairs.pair_sets(pooled, 0), pairs.pair_sets(fewer, 0)
    assert bits(before.train, before.test) == bits(after.train, after.test)
    assert bits(after.validation) != bits(after.test)


def test_a_worker_draws_the_same(pooled: PooledDigits) -> None:
    sent = pickle.dumps(pooled)
    assert len(sent) < 4_000_000
    here, there = pairs.pair_sets(pooled, 5), pairs.pair_sets(pickle.loads(sent), 5)
    assert bits(*all_of(here)) == bits(*all_of(there))
    assert pickle.loads(sent).sha256 == pooled.sha256


def test_seeds_differ(pooled: PooledDigits) -> None:
    assert len({bits(pairs.pair_sets(pooled, seed).train) for seed in range(20)}) == 20


@pytest.fixture(scope="module")
def by_seed(sample: Digits) -> PooledDigits:
    return pairs.pool(sample, is_split_by_seed=True)


def parts_of(digits: PooledDigits, seed: int) -> list[set[bytes]]:
    """Return the images of the three parts that a seed splits them into."""
    parts = pairs.split((digits.train, digits.validation, digits.test), generator(seed))
    return [{image.tobytes() for image in part.sums} for part in parts]


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def test_a_split_has_all_images_once_and_the_same_numbers_of_each_digit(
    by_seed: PooledDigits,
) -> None:
    known = (by_seed.train, by_seed.validation, by_seed.test)
    parts = pairs.split(known, generator(1))
    for part, before in zip(parts, known, strict=True):
        assert np.bincount(part.labels).tolist() == np.bincount(before.labels).tolist()
    together = np.concatenate([part.sums for part in parts])
    assert len(np.unique(together, axis=0)) == len(
        np.unique(np.concatenate([part.sums for part in known]), axis=0)
    )
    train, validation, test = parts_of(by_seed, 1)
    assert not (train & validation or train & test or validation & test)


def test_another_seed_splits_otherwise(by_seed: PooledDigits) -> None:
    assert parts_of(by_seed, 1) == parts_of(by_seed, 1)
    *_, test = parts_of(by_seed, 1)
    *_, other = parts_of(by_seed, 2)
    # 2,000 of 5,000 images are in both by chance in two fifths of all cases.
    assert 0.3 < len(test & other) / len(test) < 0.5


def test_a_split_by_seed_is_other_data_with_pairs_of_its_own(
    by_seed: PooledDigits, pooled: PooledDigits
) -> None:
    assert by_seed.sha256 != pooled.sha256
    first, again, other = (pairs.pair_sets(by_seed, seed) for seed in (3, 3, 4))
    assert bits(*all_of(first)) == bits(*all_of(again)) != bits(*all_of(other))
    assert bits(first.test) != bits(pairs.pair_sets(pooled, 3).test)
    assert first.test.images.shape == (1000, 2, 14, 14)
