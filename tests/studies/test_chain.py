"""The chain of studies of a model, whole, with a stand-in for training."""

import statistics
from collections import Counter
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState
from runs import Runs
from standin import StandIn, accuracy

from digitcmp.training import Hyperparameters
from storage.measurements import training_rows
from storage.queries import best_params, grid_cells, model_results
from storage.reader import open_reader
from storage.store import open_store
from studies.chain import run_chain
from studies.cluster import Cluster
from studies.protocol import ALPHAS, BATCH_SIZES, LEARNING_RATES, Protocol
from studies.records import Data

PROTOCOL = Protocol(epochs=2, repeats=2, reruns=3)


def mean_accuracy(model: str, chosen: Hyperparameters) -> float:
    return statistics.fmean(accuracy(model, chosen, seed) for seed in PROTOCOL.repeat_seeds)


def first_grid(alpha: float | None) -> list[Hyperparameters]:
    return [Hyperparameters(rate, size, alpha) for rate in LEARNING_RATES for size in BATCH_SIZES]


def second_grid(winner: Hyperparameters) -> list[Hyperparameters]:
    return [replace(winner, alpha=alpha) for alpha in ALPHAS]


FIRST = max(first_grid(0.0), key=lambda chosen: mean_accuracy("AuxMLP", chosen))
SECOND = max(second_grid(FIRST), key=lambda chosen: mean_accuracy("AuxMLP", chosen))


def studies_of(url: str) -> dict[str, tuple[dict[str, Any], list[FrozenTrial]]]:
    """Every study's attributes and trials."""
    with open_store(url) as store:
        names = optuna.get_all_study_names(store.optuna)
        studies = [optuna.load_study(study_name=name, storage=store.optuna) for name in names]
        return {each.study_name: (each.user_attrs, each.get_trials()) for each in studies}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> tuple[Runs, StandIn]:
    """The chain of AuxMLP, run once."""
    folder = tmp_path_factory.mktemp("finished")
    runs, standin = Runs(f"sqlite:///{folder / 'studies.db'}", cluster), StandIn(folder)
    assert runs.chain("AuxMLP", standin, PROTOCOL) == []
    return runs, standin


def test_every_training_is_done_once(finished: tuple[Runs, StandIn]) -> None:
    """Alpha 0 of the second stage is one of the first."""
    searched = {(each, seed) for each in first_grid(0.0) + second_grid(FIRST) for seed in (0, 1)}
    assert Counter(finished[1].trained()) == {
        ("AuxMLP", *vars(chosen).values(), seed): 1
        for chosen, seed in searched | {(SECOND, seed) for seed in (10, 11, 12)}
    }


def test_the_views_have_the_winner_and_its_reruns(finished: tuple[Runs, StandIn]) -> None:
    engine = open_reader(finished[0].url)
    (best,) = best_params(engine)
    assert (best.learning_rate, best.batch_size, best.alpha) == tuple(vars(SECOND).values())
    assert best.mean_accuracy == pytest.approx(mean_accuracy("AuxMLP", SECOND))
    assert best.runs == 2
    (result,) = model_results(engine)
    rerun = [accuracy("AuxMLP", SECOND, seed) for seed in (10, 11, 12)]
    assert result.mean_accuracy == pytest.approx(statistics.fmean(rerun))
    assert result.std_accuracy == pytest.approx(statistics.stdev(rerun))
    assert result.mean_train_seconds == pytest.approx(12.0)
    assert result.std_train_seconds == pytest.approx(1.0)
    assert (result.parameters, result.reruns) == (66_302, 3)


def test_a_study_says_where_it_comes_from(finished: tuple[Runs, StandIn], data: Data) -> None:
    studies = studies_of(finished[0].url)
    assert list(studies) == ["toy/AuxMLP/lr-batch", "toy/AuxMLP/alpha", "toy/AuxMLP/rerun"]
    for attributes, trials in studies.values():
        assert all(trial.state == TrialState.COMPLETE for trial in trials)
        assert attributes["protocol"] == PROTOCOL.stored(data.sha256)
        assert attributes["versions"].keys() >= {"python", "torch", "optuna"}
        assert attributes["data"].startswith("toy:")
        assert attributes.keys() >= {"git_commit", "command", "machine"}
        assert attributes["guessing"] == 0.6
    assert "parent" not in studies["toy/AuxMLP/lr-batch"][0]
    for name, before, winner in (("alpha", "lr-batch", FIRST), ("rerun", "alpha", SECOND)):
        parent = studies[f"toy/AuxMLP/{name}"][0]["parent"]
        assert parent["study"] == f"toy/AuxMLP/{before}"
        assert studies[parent["study"]][1][parent["trial"]].params == vars(winner)


def test_trials_report_repeats_and_reruns_epochs(finished: tuple[Runs, StandIn]) -> None:
    studies = studies_of(finished[0].url)
    for trial in studies["toy/AuxMLP/lr-batch"][1]:
        repeats = [accuracy("AuxMLP", Hyperparameters(**trial.params), seed) for seed in (0, 1)]
        assert trial.intermediate_values == dict(enumerate(repeats))
        assert trial.value == pytest.approx(statistics.fmean(repeats))
    for trial in studies["toy/AuxMLP/rerun"][1]:
        assert trial.intermediate_values == {0: 0.7, 1: 0.6}


def test_a_second_run_trains_nothing(finished: tuple[Runs, StandIn]) -> None:
    runs, standin = finished
    before = studies_of(runs.url)
    trained = len(standin.trained())
    assert runs.chain("AuxMLP", standin, PROTOCOL) == []
    assert len(standin.trained()) == trained
    assert studies_of(runs.url) == before


def test_without_an_auxiliary_loss_there_is_no_alpha(runs: Runs, standin: StandIn) -> None:
    assert runs.chain("MLP", replace(standin, level=0.5), PROTOCOL) == []
    studies = studies_of(runs.url)
    assert list(studies) == ["toy/MLP/lr-batch", "toy/MLP/rerun"]
    assert all("alpha" not in trial.params for _, trials in studies.values() for trial in trials)
    (best,) = best_params(open_reader(runs.url))
    # Of equals, the greatest learning rate wins, then the smallest batch.
    assert (best.learning_rate, best.batch_size, best.alpha) == (5e-3, 8, None)


def test_an_auxsiamese_model_goes_on_from_the_siamese_one(
    runs: Runs, standin: StandIn, data: Data
) -> None:
    """Its first stage has alpha 0, and so trains nothing; what it trains itself is its own."""
    assert runs.chain("SiameseMLP", standin, PROTOCOL) == []
    before = len(standin.trained())
    assert runs.chain("AuxsiameseMLP", standin, PROTOCOL) == []
    first = max(first_grid(None), key=lambda chosen: mean_accuracy("SiameseMLP", chosen))
    trained = standin.trained()[before:]
    searched = [
        ("AuxsiameseMLP", *vars(c).values(), s) for c in second_grid(first)[1:] for s in (0, 1)
    ]
    assert Counter(trained[:20]) == Counter(searched)
    assert {model for model, *_ in trained[20:]} == {"AuxsiameseMLP"} and len(trained) == 20 + 3
    cells = grid_cells(open_reader(runs.url), "toy", "AuxsiameseMLP", "lr-batch")
    assert [cell.alpha for cell in cells] == [0.0] * 20
    assert {cell.state for cell in cells} == {"COMPLETE"}


def test_the_auxiliary_loss_that_is_asked_for_is_trained_and_recorded(
    runs: Runs, standin: StandIn
) -> None:
    """Another one trains anew what has a weight, and shares the rest."""
    assert runs.chain("AuxMLP", standin, PROTOCOL) == []
    before = len(standin.trained())
    other = replace(PROTOCOL, auxiliary="logits")
    assert runs.drive(standin, lambda driver: run_chain(driver, "other", "AuxMLP", other)) == []
    again = standin.trained()[before:]
    assert Counter(alpha for *_, alpha, _ in again[:20]) == dict.fromkeys(ALPHAS[1:], 2)
    assert len(again) == 20 + 3
    rows = training_rows(open_reader(runs.url))
    kinds = Counter((row["alpha"] > 0, row["auxiliary"]) for row in rows)
    reruns = SECOND.alpha > 0
    assert kinds == {
        (False, None): 40 + 6 * (not reruns),
        (True, "softmax"): 20 + 3 * reruns,
        (True, "logits"): 20 + 3 * reruns,
    }
    assert {row["auxiliary"] for row in rows if row["alpha"] == 0} == {None}
    assert standin.auxiliaries() == ["softmax", "logits"]


def test_the_papers_settings_are_rerun_without_a_search(runs: Runs, standin: StandIn) -> None:
    protocol = Protocol(epochs=2, reruns=3, search="published")
    for model in ("MLP", "AuxMLP"):
        assert runs.chain(model, standin, protocol) == []
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
    cells = sorted(first_grid(None), key=lambda chosen: -mean_accuracy("MLP", chosen))
    best, second = cells[0], cells[1]
    diverging = replace(standin, faults={(best.learning_rate, best.batch_size): "diverge"})
    assert runs.chain("MLP", diverging, PROTOCOL) == []
    engine = open_reader(runs.url)
    (won,) = best_params(engine)
    assert (won.learning_rate, won.batch_size) == (second.learning_rate, second.batch_size)
    states = Counter(cell.state for cell in grid_cells(engine, "toy", "MLP", "lr-batch"))
    assert states == {"COMPLETE": 19, "DIVERGED": 1}
    trained = len(standin.trained())
    assert runs.chain("MLP", standin, PROTOCOL) == []
    assert len(standin.trained()) == trained


def test_a_chain_stops_at_a_failed_cell_and_the_next_run_goes_on(
    runs: Runs, standin: StandIn
) -> None:
    assert runs.chain("MLP", replace(standin, faults={(1e-3, 16): "raise"}), PROTOCOL) == [
        "toy/MLP/lr-batch, learning_rate 0.001, batch_size 16: RuntimeError: no luck today",
        "MLP stops at lr-batch: it has no certain winner",
    ]
    assert "toy/MLP/rerun" not in studies_of(runs.url)
    assert len(standin.trained()) == 19 * 2
    assert runs.chain("MLP", standin, PROTOCOL) == []
    assert len(standin.trained()) == 20 * 2 + 3
    assert max(Counter(standin.trained()).values()) == 1
