"""Training by autograd: networks that no stack knows, as exactly and as reproducibly."""

from collections.abc import Callable
from dataclasses import astuple, replace
from functools import partial

import pytest
import torch
from torch import nn

from digitcmp.data.pairs import PooledDigits, pair_sets
from digitcmp.models import build
from digitcmp.networks import Network, Outputs, TwoBranch, assemble
from digitcmp.stack import Stack, UnknownNetwork
from digitcmp.training import Hyperparameters, TrainingResult, autograd, initial_network, train
from digitcmp.training.loss import AUXILIARY, Loss
from tests.digitcmp import plain

CHOSEN = Hyperparameters(1e-3, 64, 0.7)


def lenet(pair: bool) -> tuple[nn.Module, nn.Module]:
    channels, units = (2, 2) if pair else (1, 10)
    trunk = nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.Flatten(), nn.Dropout(0.1),
    )  # fmt: skip
    return trunk, nn.Linear(144, units)


def bits(results: list[TrainingResult]) -> list[tuple[object, ...]]:
    alike = {"train_seconds": 0.0, "cpu_seconds": 0.0, "weights": dict}
    return [astuple(replace(result, **alike)) for result in results]


@pytest.mark.parametrize(
    ("two", "shared"),
    [(False, False), pytest.param(True, False, marks=pytest.mark.slow), (True, True)],
)
def test_a_network_of_ones_own_learns(two: bool, shared: bool, pooled: PooledDigits) -> None:
    network: Callable[[], Network] = partial(assemble, lenet, two, shared)
    with pytest.raises(UnknownNetwork):
        Stack([initial_network(network, 0)])
    (result,) = train(network, replace(CHOSEN, batch_size=16), pooled, [0], epochs=4)
    assert result.accuracy is not None and result.validation_accuracy is not None
    assert result.accuracy > 0.65 and result.validation_accuracy > 0.65
    assert result.loss_curve[-1] < result.loss_curve[0]
    assert result.train_seconds > 0 and result.cpu_seconds > 0


class Summed(nn.Module):
    """A network that is built in no way like the paper's."""

    def __init__(self) -> None:
        super().__init__()
        self.brightness = nn.Linear(2, 2)

    def forward(self, pairs: torch.Tensor) -> Outputs:
        return Outputs(self.brightness(pairs.mean((2, 3))), None)


def test_any_module_trains(pooled: PooledDigits) -> None:
    with pytest.raises(UnknownNetwork, match="a network of type Summed"):
        Stack([Summed()])
    (result,) = train(Summed, Hyperparameters(1e-2, 128, None), pooled, [0], epochs=2)
    assert result.accuracy is not None
    assert result.loss_curve[1] < result.loss_curve[0]


def test_a_network_whose_trunks_differ_is_not_trained_as_if_they_were_alike(
    pooled: PooledDigits,
) -> None:
    def one_by_tanh() -> nn.Module:
        network = build("AuxMLP")
        assert isinstance(network, TwoBranch)
        network.second[2] = nn.Tanh()
        return network

    (result,) = train(one_by_tanh, replace(CHOSEN, weight_decay=0.1), pooled, [2], epochs=1)
    network, sets = initial_network(one_by_tanh, 2), pair_sets(pooled, 2)
    expected = autograd.train(network, sets, Loss(CHOSEN.alpha), 1e-3, 64, 2, 1, weight_decay=0.1)
    assert result.loss_curve == expected.loss_curve


def test_a_seed_fixes_all_that_is_drawn(pooled: PooledDigits) -> None:
    """Dropout too, whatever other seeds are given along, and whatever was drawn before."""
    network = partial(assemble, lenet, True, True)
    together = bits(train(network, CHOSEN, pooled, [3, 5], epochs=1))
    torch.manual_seed(99)
    expected = torch.rand(3)
    torch.manual_seed(99)
    assert bits(train(network, CHOSEN, pooled, [5, 3], epochs=1)) == together[::-1]
    assert torch.equal(torch.rand(3), expected)
    assert together[0] != together[1]


@pytest.mark.usefixtures("few_pairs")
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("auxiliary", AUXILIARY)
@pytest.mark.parametrize("name", ["MLP", "AuxMLP", "AuxsiameseCNN"])
def test_it_gives_what_the_stack_gives(
    name: str, auxiliary: str, weight_decay: float, pooled: PooledDigits
) -> None:
    seed, loss, sets = 2, Loss(CHOSEN.alpha, auxiliary), pair_sets(pooled, 2)
    network = initial_network(partial(build, name), seed)
    # Slowly, so that differences by rounding stay small.
    slow = replace(CHOSEN, learning_rate=2e-4, weight_decay=weight_decay)
    measured = autograd.train(network, sets, loss, 2e-4, 64, seed, 2, weight_decay)
    (fast,) = train(partial(build, name), slow, pooled, [seed], 2, auxiliary)
    assert measured.loss_curve == pytest.approx(fast.loss_curve, rel=2e-3)
    # A pair or two of 200 may fall to the other side by rounding.
    assert measured.test == pytest.approx(fast.accuracy, abs=0.01)
    assert measured.validation == pytest.approx(fast.validation_accuracy, abs=0.01)


def test_its_loss_is_that_of_bce_and_cross_entropy() -> None:
    pairs = plain.random_pairs(6, 0)
    outputs = initial_network(partial(build, "AuxMLP"), 0)(pairs.images)
    for auxiliary in AUXILIARY:
        found = Loss(0.7, auxiliary).of_batch(outputs, pairs)
        torch.testing.assert_close(found, plain.loss_of(outputs, pairs, 0.7, auxiliary))
    none = plain.loss_of(outputs, pairs, None)
    torch.testing.assert_close(Loss(None).of_batch(outputs, pairs), none)


def test_a_training_that_diverges_has_no_accuracy(pooled: PooledDigits) -> None:
    network = partial(assemble, lenet, False, False)
    (result,) = train(network, Hyperparameters(1e20, 128, None), pooled, [0], epochs=1)
    assert result.diverged
    assert result.validation_accuracy is None


def test_a_logit_that_is_no_number_is_no_accuracy() -> None:
    network = initial_network(partial(build, "AuxMLP"), 0)
    pairs = plain.random_pairs(6, 0)
    assert 0 <= autograd.accuracy(network, pairs) <= 1
    with torch.no_grad():
        network.first[1].bias[0] = torch.nan
    assert autograd.accuracy(network, pairs) != autograd.accuracy(network, pairs)
