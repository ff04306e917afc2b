"""What decides a search: pairs, ranking, one grid or two; from the protocol to the winner."""

import statistics
from collections.abc import Callable
from itertools import product

import optuna
import pytest
from runs import Runs
from standin import StandIn, accuracy

from digitcmp.training import Hyperparameters
from storage.queries import best_params, model_results
from storage.reader import open_reader
from storage.store import open_store
from studies.chain import run_chain
from studies.driver import Driver
from studies.protocol import ALPHAS, BATCH_SIZES, LEARNING_RATES, Protocol

SMALL = {"epochs": 2, "repeats": 3, "reruns": 2}
CELLS = [Hyperparameters(rate, size, None) for rate, size in product(LEARNING_RATES, BATCH_SIZES)]
JOINT = [
    Hyperparameters(rate, size, alpha)
    for rate, size, alpha in product(LEARNING_RATES, BATCH_SIZES, ALPHAS)
]


def on_test(model: str, cell: Hyperparameters) -> list[float]:
    return [accuracy(model, cell, seed) for seed in range(3)]


def on_validation(model: str, cell: Hyperparameters) -> list[float]:
    return [accuracy(model, cell, seed + 1000) for seed in range(3)]


def lower_bound(accuracies: list[float]) -> float:
    return statistics.fmean(accuracies) - statistics.stdev(accuracies) / 3**0.5


@pytest.mark.parametrize(
    ("model", "settings", "cells", "accuracies", "score", "stage"),
    [
        ("MLP", {"select_on": "validation"}, CELLS, on_validation, statistics.fmean, "lr-batch"),
        ("SiameseCNN", {"rank_by": "lower-bound"}, CELLS, on_test, lower_bound, "lr-batch"),
        ("MLP", {"search": "joint"}, CELLS, on_test, statistics.fmean, "joint"),
        pytest.param(
            "AuxMLP", {"search": "joint", "select_on": "validation", "rank_by": "lower-bound"},
            JOINT, on_validation, lower_bound, "joint", marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_the_winner_is_the_best_by_the_protocol(
    model: str,
    settings: dict[str, str],
    cells: list[Hyperparameters],
    accuracies: Callable[[str, Hyperparameters], list[float]],
    score: Callable[[list[float]], float],
    stage: str,
    runs: Runs,
    standin: StandIn,
) -> None:
    def rank(cell: Hyperparameters) -> float:
        return score(accuracies(model, cell))

    winner = max(cells, key=rank)
    # A check that could not fail would choose the same by the paper's rule.
    if stage == "lr-batch":
        assert winner != max(cells, key=lambda cell: statistics.fmean(on_test(model, cell)))
    assert runs.chain(model, standin, Protocol(**SMALL, **settings)) == []  # type: ignore[arg-type]
    engine = open_reader(runs.url)
    (best,) = best_params(engine)
    assert Hyperparameters(best.learning_rate, best.batch_size, best.alpha) == winner
    assert best.mean_accuracy == pytest.approx(statistics.fmean(accuracies(model, winner)))
    with open_store(runs.url) as store:
        study = optuna.load_study(study_name=f"toy/{model}/{stage}", storage=store.optuna)
        assert study.best_value == pytest.approx(rank(winner))
        assert study.metric_names[0].startswith("lower bound of") == (score is lower_bound)
    (result,) = model_results(engine)
    # Reruns are always measured on test pairs.
    assert result.mean_accuracy == pytest.approx(
        statistics.fmean(accuracy(model, winner, seed) for seed in (10, 11))
    )


def _chain(driver: Driver, experiment: str, protocol: Protocol) -> None:
    run_chain(driver, experiment, "AuxMLP", protocol)


@pytest.mark.slow
def test_a_joint_search_uses_what_the_two_stages_recorded(runs: Runs, standin: StandIn) -> None:
    runs.drive(standin, lambda driver: _chain(driver, "two", Protocol(**SMALL)))
    before = len(standin.trained())
    runs.drive(standin, lambda driver: _chain(driver, "one", Protocol(**SMALL, search="joint")))
    two_stage = 3 * (20 + 11 - 1)
    assert before == two_stage + 2
    assert len(standin.trained()) - before == 3 * 220 - two_stage + 2
