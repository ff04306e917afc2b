"""The chain of studies of a model, whole, with a stand-in for training."""

import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from storage.queries import best_params, grid_cells, model_results
from storage.reader import open_reader
from storage.store import open_store
from storage.trainings import Value, training_runs
from studies.paper import STAGES
from studies.search.provenance import provenance
from tests.support.runs import DATA, Runs
from tests.support.standin import StandIn, accuracy, narrow

Parameters = Mapping[str, Value]

SMALL = {"epochs": 2, "repeats": 2, "reruns": 3}
LEARNING_RATES, BATCH_SIZES = STAGES[0].grid.values()
ALPHAS = STAGES[1].grid["alpha"]


def mean_accuracy(model: str, chosen: Parameters) -> float:
    return statistics.fmean(accuracy(model, chosen, seed) for seed in (0, 1))


def first_grid(**more: float) -> list[Parameters]:
    return [
        {"learning_rate": rate, "batch_size": size, **more}
        for rate, size in product(LEARNING_RATES, BATCH_SIZES)
    ]


def second_grid(winner: Parameters) -> list[Parameters]:
    return [{**winner, "alpha": alpha} for alpha in ALPHAS]


FOUR_CELLS: list[Parameters] = [
    {"learning_rate": rate, "batch_size": size} for rate in (5e-3, 1e-3) for size in (8, 16)
]
"""Of a narrow experiment."""


def noted(model: str, chosen: Parameters, seed: int) -> tuple[object, ...]:
    """A training as the stand-in notes it."""
    return (model, chosen["learning_rate"], chosen["batch_size"], chosen.get("alpha"), seed)


FIRST = max(first_grid(alpha=0.0), key=lambda chosen: mean_accuracy("AuxMLP", chosen))
SECOND = max(second_grid(FIRST), key=lambda chosen: mean_accuracy("AuxMLP", chosen))


def studies_of(url: str) -> dict[str, tuple[dict[str, Any], list[FrozenTrial]]]:
    """Every study's attributes and trials."""
    with open_store(url) as store:
        names = optuna.get_all_study_names(store.optuna)
        studies = [optuna.load_study(study_name=name, storage=store.optuna) for name in names]
        return {study.study_name: (study.user_attrs, study.get_trials()) for study in studies}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, workers: str) -> tuple[Runs, StandIn]:
    """The chain of AuxMLP, run once."""
    folder = tmp_path_factory.mktemp("finished")
    runs, standin = Runs(f"sqlite:///{folder / 'studies.db'}", workers), StandIn(folder)
    assert runs.chain("AuxMLP", standin, **SMALL) == []
    return runs, standin


def test_every_training_is_done_once(finished: tuple[Runs, StandIn]) -> None:
    """Alpha 0 of the second stage is one of the first."""
    grids = first_grid(alpha=0.0) + second_grid(FIRST)
    searched = {noted("AuxMLP", chosen, seed) for chosen in grids for seed in (0, 1)}
    reruns = {noted("AuxMLP", SECOND, seed) for seed in (10, 11, 12)}
    assert Counter(finished[1].trained()) == dict.fromkeys(searched | reruns, 1)


def test_the_views_have_the_winner_and_its_reruns(finished: tuple[Runs, StandIn]) -> None:
    engine = open_reader(finished[0].url)
    (best,) = best_params(engine)
    assert best.parameters == SECOND
    assert best.mean == pytest.approx(mean_accuracy("AuxMLP", SECOND))
    assert best.runs == 2
    (result,) = model_results(engine)
    rerun = [accuracy("AuxMLP", SECOND, seed) for seed in (10, 11, 12)]
    assert result.mean == pytest.approx(statistics.fmean(rerun))
    assert result.deviation == pytest.approx(statistics.stdev(rerun))
    assert result.mean_seconds == pytest.approx(12.0)
    assert result.deviation_seconds == pytest.approx(1.0)
    assert (result.parameter_count, result.reruns) == (66_302, 3)


def test_a_study_says_where_it_comes_from(finished: tuple[Runs, StandIn]) -> None:
    experiment = finished[1].experiment(**SMALL)
    studies = studies_of(finished[0].url)
    assert list(studies) == ["toy/AuxMLP/lr-batch", "toy/AuxMLP/alpha", "toy/AuxMLP/rerun"]
    for attributes, trials in studies.values():
        assert all(trial.state == TrialState.COMPLETE for trial in trials)
        assert attributes["protocol"] == experiment.protocol(DATA.sha256)
        assert attributes["versions"].keys() >= {"python", "torch", "optuna"}
        assert attributes["data"].startswith("toy")
        assert attributes.keys() >= {"command", "machine", "code"}
        # An installed copy knows of no commit.
        assert attributes.get("git_commit") == provenance()["git_commit"]
        assert (attributes["objective"], attributes["direction"]) == ("accuracy", "maximize")
        assert attributes["guessing"] == 0.6
        assert attributes["stages"] == ["lr-batch", "alpha", "rerun"]
        assert attributes["models"] == list(experiment.models)
        assert attributes["factors"]["auxiliary loss"] is True
        # What is published is of other epochs.
        assert not {"published", "no_better"} & attributes.keys()
    assert studies["toy/AuxMLP/lr-batch"][0]["grid"] == {
        "learning_rate": list(LEARNING_RATES), "batch_size": list(BATCH_SIZES), "alpha": [0.0],
    }  # fmt: skip
    assert "parent" not in studies["toy/AuxMLP/lr-batch"][0]
    for name, before, winner in (("alpha", "lr-batch", FIRST), ("rerun", "alpha", SECOND)):
        parent = studies[f"toy/AuxMLP/{name}"][0]["parent"]
        assert parent["study"] == f"toy/AuxMLP/{before}"
        assert studies[parent["study"]][1][parent["trial"]].params == winner


def test_trials_report_repeats_and_reruns_epochs(finished: tuple[Runs, StandIn]) -> None:
    studies = studies_of(finished[0].url)
    for trial in studies["toy/AuxMLP/lr-batch"][1]:
        repeats = [accuracy("AuxMLP", trial.params, seed) for seed in (0, 1)]
        assert trial.intermediate_values == dict(enumerate(repeats))
        assert trial.value == pytest.approx(statistics.fmean(repeats))
    for trial in studies["toy/AuxMLP/rerun"][1]:
        assert trial.intermediate_values == {0: 0.7, 1: 0.6}


def test_trials_name_their_trainings(finished: tuple[Runs, StandIn]) -> None:
    """By fingerprint, and their place in the order of the grid."""
    runs = {run.fingerprint: run for run in training_runs(open_reader(finished[0].url))}
    studies = studies_of(finished[0].url)
    grid = first_grid(alpha=0.0)
    for trial in studies["toy/AuxMLP/lr-batch"][1]:
        assert grid[trial.user_attrs["place"]] == trial.params
        trained = [runs[fingerprint] for fingerprint in trial.user_attrs["fingerprints"]]
        assert [(run.parameters, run.seed) for run in trained] == [
            (trial.params, 0),
            (trial.params, 1),
        ]
    for trial in studies["toy/AuxMLP/rerun"][1]:
        assert runs[trial.user_attrs["fingerprint"]].seed == trial.params["seed"]


def test_a_second_run_trains_nothing(finished: tuple[Runs, StandIn]) -> None:
    runs, standin = finished
    before = studies_of(runs.url)
    trained = len(standin.trained())
    assert runs.chain("AuxMLP", standin, **SMALL) == []
    assert len(standin.trained()) == trained
    assert studies_of(runs.url) == before


def test_without_an_auxiliary_loss_there_is_no_alpha(runs: Runs, standin: StandIn) -> None:
    level = replace(standin, level=0.5)
    assert runs.run(narrow(level.experiment(**SMALL)), "MLP") == []
    studies = studies_of(runs.url)
    assert list(studies) == ["toy/MLP/lr-batch", "toy/MLP/rerun"]
    assert all("alpha" not in trial.params for _, trials in studies.values() for trial in trials)
    (best,) = best_params(open_reader(runs.url))
    # Of equals, the first in the grid wins: the greatest learning rate, then the smallest batch.
    assert best.parameters == {"learning_rate": 5e-3, "batch_size": 8}


def test_an_auxsiamese_model_goes_on_from_the_siamese_one(runs: Runs, standin: StandIn) -> None:
    """Its first stage has alpha 0, and so trains nothing; what it trains itself is its own."""
    experiment = narrow(standin.experiment(**SMALL))
    assert runs.run(experiment, "SiameseMLP") == []
    assert len(standin.trained()) == 4 * 2 + 3
    assert runs.run(experiment, "AuxsiameseMLP") == []
    first = max(FOUR_CELLS, key=lambda chosen: mean_accuracy("SiameseMLP", chosen))
    trained = standin.trained()[4 * 2 + 3 :]
    grid = [{**first, "alpha": alpha} for alpha in (0.5, 1.0)]
    searched = [noted("AuxsiameseMLP", chosen, seed) for chosen in grid for seed in (0, 1)]
    assert Counter(trained[:4]) == Counter(searched)
    assert {model for model, *_ in trained[4:]} == {"AuxsiameseMLP"} and len(trained) == 4 + 3
    stored = grid_cells(open_reader(runs.url), "toy", "AuxsiameseMLP", "lr-batch")
    assert [cell.parameters["alpha"] for cell in stored] == [0.0] * 4
    assert {cell.state for cell in stored} == {"COMPLETE"}


def test_the_auxiliary_loss_that_is_asked_for_is_trained_and_recorded(
    runs: Runs, standin: StandIn
) -> None:
    """Another one trains anew what has a weight, and shares the rest."""
    assert runs.run(narrow(standin.experiment(**SMALL)), "AuxMLP") == []
    before = len(standin.trained())
    other = narrow(standin.experiment(**SMALL, auxiliary="logits"), name="other")
    assert runs.run(other, "AuxMLP") == []
    again = standin.trained()[before:]
    assert Counter(alpha for *_, alpha, _ in again[:4]) == {0.5: 2, 1.0: 2}
    assert len(again) == 4 + 3
    (won, _) = best_params(open_reader(runs.url))
    reruns = won.parameters["alpha"] > 0
    kinds = Counter(
        (run.parameters["alpha"] > 0, run.settings.get("auxiliary"))
        for run in training_runs(open_reader(runs.url))
    )
    assert kinds == {
        (False, None): 8 + 6 * (not reruns),
        (True, "softmax"): 4 + 3 * reruns,
        (True, "logits"): 4 + 3 * reruns,
    }


def test_the_papers_settings_are_rerun_without_a_search(runs: Runs, standin: StandIn) -> None:
    for model in ("MLP", "AuxMLP"):
        assert runs.chain(model, standin, epochs=2, reruns=3, search="published") == []
    studies = studies_of(runs.url)
    assert list(studies) == ["toy/MLP/rerun", "toy/AuxMLP/rerun"]
    assert all("parent" not in attributes for attributes, _ in studies.values())
    mlp, aux = (("MLP", 5e-4, 8, None), ("AuxMLP", 5e-3, 16, 0.9))
    expected = [(*chosen, seed) for chosen in (mlp, aux) for seed in (10, 11, 12)]
    assert sorted(standin.trained(), key=str) == sorted(expected, key=str)
    engine = open_reader(runs.url)
    assert best_params(engine) == []
    assert {result.model: result.reruns for result in model_results(engine)} == {
        "MLP": 3, "AuxMLP": 3,
    }  # fmt: skip


def test_a_cell_that_diverged_never_wins_and_is_not_tried_again(
    runs: Runs, standin: StandIn
) -> None:
    cells = sorted(FOUR_CELLS, key=lambda chosen: -mean_accuracy("MLP", chosen))
    best, second = cells[0], cells[1]
    diverging = replace(standin, faults={tuple(best.values()): "diverge"})
    assert runs.run(narrow(diverging.experiment(**SMALL)), "MLP") == []
    engine = open_reader(runs.url)
    (won,) = best_params(engine)
    assert won.parameters == second
    states = Counter(cell.state for cell in grid_cells(engine, "toy", "MLP", "lr-batch"))
    assert states == {"COMPLETE": 3, "DIVERGED": 1}
    trained = len(standin.trained())
    assert runs.run(narrow(standin.experiment(**SMALL)), "MLP") == []
    assert len(standin.trained()) == trained


def test_a_chain_stops_at_a_failed_cell_and_the_next_run_goes_on(
    runs: Runs, standin: StandIn
) -> None:
    faulty = replace(standin, faults={(1e-3, 16): "raise"})
    assert runs.run(narrow(faulty.experiment(**SMALL)), "MLP") == [
        "toy/MLP/lr-batch, learning_rate 0.001, batch_size 16: RuntimeError: no luck today",
        "MLP stops at lr-batch: it has no certain winner",
    ]
    assert "toy/MLP/rerun" not in studies_of(runs.url)
    assert len(standin.trained()) == 3 * 2
    assert runs.run(narrow(standin.experiment(**SMALL)), "MLP") == []
    assert len(standin.trained()) == 4 * 2 + 3
    assert max(Counter(standin.trained()).values()) == 1
