"""Training: the same bits each time, what a plain loop would give, and how it diverges."""

from collections.abc import Callable
from dataclasses import astuple, replace
from functools import partial

import pytest
import torch

from digitcmp.data.pairs import PooledDigits, pair_sets
from digitcmp.models import MODELS, build
from digitcmp.networks import Network
from digitcmp.training import Hyperparameters, TrainingResult, initial_network, train
from digitcmp.training.loss import AUXILIARY, Loss
from tests.digitcmp import plain


def named(model: str) -> Callable[[], Network]:
    return partial(build, model)


def bits(results: list[TrainingResult]) -> list[tuple[object, ...]]:
    """All but the times."""
    alike = {"train_seconds": 0.0, "cpu_seconds": 0.0, "weights": dict}
    return [astuple(replace(result, **alike)) for result in results]


@pytest.mark.parametrize(
    ("model", "chosen"),
    [
        ("AuxsiameseMLP", Hyperparameters(5e-3, 128, 0.7)),
        ("CNN", Hyperparameters(5e-3, 128, None)),
    ],
)
@pytest.mark.usefixtures("few_pairs")
def test_results_are_the_same_to_the_bit_however_seeds_are_grouped(
    model: str, chosen: Hyperparameters, pooled: PooledDigits
) -> None:
    seeds = (3, 1, 4, 15, 9)
    together = bits(train(named(model), chosen, pooled, seeds, epochs=2))
    assert [result[0] for result in together] == list(seeds)
    assert len({result[1] for result in together}) > 1
    assert bits(train(named(model), chosen, pooled, seeds, epochs=2)) == together
    for groups in ([(3,), (1, 4), (15, 9)], [(9, 15, 4, 1), (3,)]):
        apart = [
            each for group in groups for each in bits(train(named(model), chosen, pooled, group, 2))
        ]
        assert sorted(apart) == sorted(together)


@pytest.mark.parametrize(
    ("model", "chosen", "epochs"),
    [
        ("MLP", Hyperparameters(5e-4, 8, None), 3),
        ("AuxMLP", Hyperparameters(5e-4, 32, 0.9, weight_decay=0.1), 3),
        ("SiameseCNN", Hyperparameters(5e-4, 32, None), 2),
        pytest.param("ResNet", Hyperparameters(1e-4, 128, None), 2, marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("few_pairs")
def test_a_training_is_that_of_a_plain_loop(
    model: str, chosen: Hyperparameters, epochs: int, pooled: PooledDigits
) -> None:
    (result,) = train(named(model), chosen, pooled, [7], epochs)
    accuracy, validation, curve = plain.train(model, chosen, pair_sets(pooled, 7), 7, epochs)
    assert result.loss_curve == pytest.approx(curve, rel=2e-3)
    # A pair or two of 200 may fall to the other side by rounding.
    assert result.accuracy == pytest.approx(accuracy, abs=0.01)
    assert result.validation_accuracy == pytest.approx(validation, abs=0.01)


@pytest.mark.parametrize("auxiliary", AUXILIARY)
def test_the_auxiliary_loss_is_that_of_a_plain_loop(auxiliary: str, pooled: PooledDigits) -> None:
    chosen = Hyperparameters(1e-3, 64, 0.9)
    (result,) = train(named("AuxsiameseMLP"), chosen, pooled, [7], 3, auxiliary)
    *_, curve = plain.train("AuxsiameseMLP", chosen, pair_sets(pooled, 7), 7, 3, auxiliary)
    assert result.loss_curve == pytest.approx(curve, rel=1e-4)


@pytest.mark.usefixtures("few_pairs")
@pytest.mark.parametrize(
    ("architecture", "size"),
    [("MLP", 8), ("CNN", 32), pytest.param("ResNet", 128, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(("with_loss", "without"), [("Auxsiamese", "Siamese"), ("Aux", "Unshared")])
def test_at_alpha_0_a_model_is_the_one_without_auxiliary_loss_to_the_bit(
    architecture: str, size: int, with_loss: str, without: str, pooled: PooledDigits
) -> None:
    """So their trainings have one fingerprint, whatever the auxiliary loss."""

    def trained(model: str, alpha: float | None, auxiliary: str) -> list[tuple[object, ...]]:
        chosen = Hyperparameters(5e-3, size, alpha)
        return bits(train(named(model + architecture), chosen, pooled, [3], 1, auxiliary))

    plain_one = trained(without, None, "softmax")
    for auxiliary in AUXILIARY:
        assert trained(with_loss, 0.0, auxiliary) == plain_one
    assert trained(with_loss, 0.1, "softmax") != plain_one


@pytest.mark.parametrize("model", ["MLP", "AuxsiameseMLP", "AuxsiameseCNN"])
def test_a_few_epochs_are_clearly_better_than_guessing(model: str, pooled: PooledDigits) -> None:
    alpha = 1.0 if model.startswith("Aux") else None
    (result,) = train(named(model), Hyperparameters(1e-3, 8, alpha), pooled, [0], epochs=3)
    test = pair_sets(pooled, 0).test
    share = (test.target == 1).double().mean().item()
    assert result.accuracy is not None
    assert result.accuracy > max(share, 1 - share) + 0.1
    assert result.loss_curve[-1] < result.loss_curve[0]


def test_what_a_result_holds(pooled: PooledDigits) -> None:
    chosen = Hyperparameters(1e-3, 128, None)
    results = train(named("MLP"), chosen, pooled, [2, 5], epochs=4)
    assert [each.seed for each in results] == [2, 5]
    for each in results:
        assert not each.diverged
        assert len(each.loss_curve) == 4
        for accuracy in (each.accuracy, each.validation_accuracy):
            assert accuracy is not None
            assert 0 <= accuracy <= 1
            assert round(accuracy * 1000) == pytest.approx(accuracy * 1000)
        assert each.train_seconds > 0
        assert each.cpu_seconds > 0


@pytest.mark.parametrize(
    ("model", "learning_rate"),
    # At 1e9 dead units keep the losses of most networks finite, if huge.
    [
        *((model, 1e9) for model in MODELS if not model.endswith("ResNet")),
        pytest.param("ResNet", 1e9, marks=pytest.mark.slow),
        ("MLP", 1e20),
        ("AuxsiameseMLP", 1e20),
        ("MLP", 1e39),
    ],
)
@pytest.mark.usefixtures("few_pairs")
def test_a_training_that_diverges_has_no_accuracy(
    model: str, learning_rate: float, pooled: PooledDigits
) -> None:
    alpha = 1.0 if model.startswith("Aux") else None
    chosen = Hyperparameters(learning_rate, 128, alpha)
    for result in train(named(model), chosen, pooled, [0, 1], epochs=1):
        assert result.diverged
        assert result.accuracy is None
        assert result.validation_accuracy is None
        (found,) = result.loss_curve
        assert not found <= 1000 * Loss(alpha).of_guessing


@pytest.mark.usefixtures("few_pairs")
def test_an_untrained_network_is_far_from_diverged(pooled: PooledDigits) -> None:
    for model in ("MLP", "AuxCNN", "ResNet"):
        alpha = 1.0 if model.startswith("Aux") else None
        (result,) = train(named(model), Hyperparameters(0.0, 128, alpha), pooled, [0], epochs=1)
        assert not result.diverged
        assert result.loss_curve[0] < 2 * Loss(alpha).of_guessing


def test_a_seed_fixes_the_initial_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    first, same, other = (
        torch.cat([each.flatten() for each in initial_network(named("AuxCNN"), seed).parameters()])
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_an_unknown_model_is_a_key_error(pooled: PooledDigits) -> None:
    with pytest.raises(KeyError, match="MLPP"):
        train(named("MLPP"), Hyperparameters(1e-3, 8, None), pooled, [0], epochs=1)
