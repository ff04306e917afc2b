"""A network that was trained answers for images as it did in its test."""

import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from digitcmp.comparer import MEAN, Comparer, Comparison
from digitcmp.data import pairs
from digitcmp.data.mnist import Digits
from digitcmp.models import MODELS, build
from digitcmp.stack import UnknownNetwork
from digitcmp.training import Hyperparameters, TrainingResult, train

SEED = 3


@pytest.fixture(scope="module")
def digits(sample: Digits) -> Digits:
    return sample


def pairs_of(digits: Digits, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The test pairs of a seed as 28x28 images, `(1000, 2, 28, 28)`, and what is right."""
    stream = np.random.SeedSequence(seed).spawn(3)[2]
    generator = np.random.Generator(np.random.PCG64(stream))
    drawn = pairs.draw(len(digits.test.labels), 1000, generator)
    labels = digits.test.labels[drawn]
    return digits.test.pixels[drawn], labels[:, 0] <= labels[:, 1]


def trained(digits: Digits, name: str, seeds: tuple[int, ...] = (SEED,)) -> list[TrainingResult]:
    alpha = 0.5 if MODELS[name].auxiliary_loss else None
    cell = Hyperparameters(1e-3, 64, alpha, weight_decay=1e-3)
    return train(partial(build, name), cell, pairs.pool(digits), seeds, 1)


@pytest.mark.parametrize("name", MODELS)
def test_it_is_right_as_often_as_in_its_test(name: str, digits: Digits) -> None:
    seeds = (SEED,) if "ResNet" in name else (SEED, 4)
    for result in trained(digits, name, seeds):
        images, right = pairs_of(digits, result.seed)
        weights = result.weights()
        comparer = Comparer(build(name), weights)
        answer = comparer.compare(images[:, 0], images[:, 1])
        assert (answer.is_ordered == right).mean() == result.accuracy
        assert sum(array.size for name, array in weights.items() if "running" not in name) == (
            MODELS[name].parameters + 2
        )


def test_autograd_gives_its_weights_as_well(
    digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(networks: object) -> None:
        raise UnknownNetwork("none is known here")

    monkeypatch.setattr(sys.modules["digitcmp.training.train"], "Stack", refuse)
    (result,) = trained(digits, "SiameseResNet")
    images, right = pairs_of(digits, SEED)
    answer = Comparer(build("SiameseResNet"), result.weights()).compare(images[:, 0], images[:, 1])
    assert (answer.is_ordered == right).mean() == result.accuracy


@pytest.fixture(scope="module")
def comparer(digits: Digits) -> Comparer:
    (result,) = trained(digits, "SiameseMLP")
    return Comparer(build("SiameseMLP"), result.weights())


def test_an_image_is_the_same_in_every_form(comparer: Comparer, digits: Digits) -> None:
    images, _ = pairs_of(digits, SEED)
    answers = comparer.compare(images[:, 0], images[:, 1])
    averages = images.reshape(-1, 2, 14, 2, 14, 2).mean(axis=(3, 5))
    for form in (
        images / 255,
        images.astype(np.int64),
        averages / 255,
        averages.astype("f4") / 255,
    ):
        again = comparer.compare(form[:, 0], form[:, 1])
        assert np.array_equal(again.probability, answers.probability)
        assert np.array_equal(again.is_ordered, answers.is_ordered)


def test_a_pair_is_a_batch_of_one(comparer: Comparer, digits: Digits) -> None:
    images, _ = pairs_of(digits, SEED)
    answers = comparer.compare(images[:5, 0], images[:5, 1])
    for number, (first, second) in enumerate(images[:5]):
        alone = comparer.compare(first, second.tolist())
        assert alone.is_ordered is bool(answers.is_ordered[number])  # type: ignore[index]
        assert alone.probability == pytest.approx(answers.probability[number])  # type: ignore[index]
        assert (alone.probability > 0.5) == alone.is_ordered


ONE = np.zeros((28, 28), np.uint8)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (np.zeros((28, 27)), ONE, r"not \(28, 27\)"),
        (np.zeros((2, 3, 28, 28)), ONE, r"images are \(28, 28\) or \(14, 14\)"),
        (np.zeros((3, 28, 28)), np.zeros((2, 28, 28)), "make none"),
        (np.zeros((1, 28, 28)), ONE, "make none"),
        (ONE.astype(float) + 2, ONE, "fractions are from 0 to 1"),
        (ONE.astype(float) + np.nan, ONE, "fractions are from 0 to 1"),
        (ONE.astype(int) - 1, ONE, "whole numbers are from 0 to 255"),
        (ONE.astype(bool), ONE, "images are numbers, not bool"),
    ],
)
def test_what_is_no_image_is_refused(
    comparer: Comparer, first: Any, second: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        comparer.compare(first, second)


def test_sizes_may_differ_within_a_pair(comparer: Comparer) -> None:
    answer = comparer.compare(ONE, np.zeros((14, 14)))
    assert isinstance(answer, Comparison) and 0 < answer.probability < 1


def test_weights_of_another_network_are_refused(digits: Digits) -> None:
    (result,) = trained(digits, "MLP")
    weights = dict(result.weights())
    with pytest.raises(ValueError, match="not those of this network"):
        Comparer(build("SiameseMLP"), weights)
    del weights[MEAN]
    with pytest.raises(ValueError, match="not those of this network"):
        Comparer(build("MLP"), weights)
