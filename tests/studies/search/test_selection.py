"""What decides a search: data, ranking, one grid or two; from the options to the winner."""

import statistics
from collections.abc import Callable
from itertools import product

import optuna
import pytest

from storage.queries import best_params, model_results
from storage.reader import open_reader
from storage.store import open_store
from studies.experiment.training import Parameters
from tests.support.runs import Runs
from tests.support.standin import NARROW, StandIn, accuracy, narrow

SMALL = {"epochs": 2, "repeats": 3, "reruns": 2}
JOINT: list[Parameters] = [
    dict(zip(NARROW, values, strict=True)) for values in product(*NARROW.values())
]
CELLS: list[Parameters] = [
    {"learning_rate": rate, "batch_size": size}
    for rate, size in product(NARROW["learning_rate"], NARROW["batch_size"])
]


def on_test(model: str, cell: Parameters) -> list[float]:
    return [accuracy(model, cell, seed) for seed in range(3)]


def on_validation(model: str, cell: Parameters) -> list[float]:
    return [accuracy(model, cell, seed + 1000) for seed in range(3)]


def lower_bound(accuracies: list[float]) -> float:
    return statistics.fmean(accuracies) - statistics.stdev(accuracies) / 3**0.5


@pytest.mark.parametrize(
    ("model", "options", "cells", "accuracies", "score", "stage"),
    [
        ("CNN", {"select_on": "validation"}, CELLS, on_validation, statistics.fmean, "lr-batch"),
        ("SiameseCNN", {"rank_by": "lower-bound"}, CELLS, on_test, lower_bound, "lr-batch"),
        ("SiameseMLP", {"rank_by": "median"}, CELLS, on_test, statistics.median, "lr-batch"),
        ("MLP", {"search": "joint"}, CELLS, on_test, statistics.fmean, "joint"),
        (
            "AuxMLP", {"search": "joint", "select_on": "validation", "rank_by": "lower-bound"},
            JOINT, on_validation, lower_bound, "joint",
        ),
    ],
)  # fmt: skip
def test_the_winner_is_the_best_by_what_was_asked(
    model: str,
    options: dict[str, str],
    cells: list[Parameters],
    accuracies: Callable[[str, Parameters], list[float]],
    score: Callable[[list[float]], float],
    stage: str,
    runs: Runs,
    standin: StandIn,
) -> None:
    def rank(cell: Parameters) -> float:
        return score(accuracies(model, cell))

    winner = max(cells, key=rank)
    # A check that could not fail would choose the same by the paper's rule.
    if stage == "lr-batch":
        assert winner != max(cells, key=lambda cell: statistics.fmean(on_test(model, cell)))
    assert runs.run(narrow(standin.experiment(**SMALL, **options)), model) == []
    engine = open_reader(runs.url)
    (best,) = best_params(engine)
    assert best.parameters == winner
    assert best.mean == pytest.approx(statistics.fmean(accuracies(model, winner)))
    with open_store(runs.url) as store:
        study = optuna.load_study(study_name=f"toy/{model}/{stage}", storage=store.optuna)
        assert study.best_value == pytest.approx(rank(winner))
        rule = {lower_bound: "lower bound of", statistics.median: "median of"}.get(score, "")
        pairs = options.get("select_on", "test")
        assert study.metric_names == [f"{rule} {pairs} accuracy".strip()]
    (result,) = model_results(engine)
    # Reruns are always measured on test pairs.
    assert result.mean == pytest.approx(
        statistics.fmean(accuracy(model, winner, seed) for seed in (10, 11))
    )


@pytest.mark.slow
def test_a_joint_search_uses_what_the_two_stages_recorded(runs: Runs, standin: StandIn) -> None:
    runs.run(standin.experiment(**SMALL), "AuxMLP")
    before = len(standin.trained())
    runs.run(standin.experiment(**SMALL, search="joint"), "AuxMLP")
    two_stages = 3 * (20 + 11 - 1)
    assert before == two_stages + 2
    assert len(standin.trained()) - before == 3 * 220 - two_stages + 2
