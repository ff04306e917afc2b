"""What makes a training another one, and what is kept of it."""

from dataclasses import replace
from typing import Any

import pytest

from digitcmp.training import Hyperparameters, TrainingResult
from studies import records
from studies.protocol import Protocol
from studies.records import Data, fingerprints, training_runs
from studies.stages import Cell, Stage
from studies.worker import Job, Report

STAGE = Stage("paper", "AuxMLP", "lr-batch", Protocol(), {})
RERUN = replace(STAGE, name="rerun")
CHOSEN = Hyperparameters(1e-3, 8, 0.5)
LOGITS = Protocol(auxiliary="logits")


def print_of(
    stage: Stage = STAGE, chosen: Hyperparameters = CHOSEN, seed: int = 0, data: str = "abc"
) -> str:
    return fingerprints(stage, Cell(chosen, (seed,)), data)[seed]


OTHERS = {
    "model": print_of(replace(STAGE, model="AuxCNN")),
    "epochs": print_of(replace(STAGE, protocol=Protocol(epochs=24))),
    "learning rate": print_of(chosen=replace(CHOSEN, learning_rate=5e-4)),
    "batch size": print_of(chosen=replace(CHOSEN, batch_size=16)),
    "alpha": print_of(chosen=replace(CHOSEN, alpha=0.6)),
    "no alpha": print_of(chosen=replace(CHOSEN, alpha=None)),
    "auxiliary loss": print_of(replace(STAGE, protocol=LOGITS)),
    "seed": print_of(seed=1),
    "data": print_of(data="abd"),
    "rerun": print_of(RERUN),
    "rerun of another experiment": print_of(replace(RERUN, experiment="other")),
    "rerun of another model": print_of(replace(RERUN, model="AuxCNN")),
}


def test_what_changes_a_result_makes_another_training() -> None:
    prints = [print_of(), *OTHERS.values()]
    assert len(set(prints)) == len(prints)


def test_another_method_makes_another_training_of_its_architecture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = print_of()
    monkeypatch.setitem(records.METHODS, "CNN", records.METHODS["CNN"] + 1)
    assert print_of() == before
    monkeypatch.setitem(records.METHODS, "MLP", records.METHODS["MLP"] + 1)
    assert print_of() != before


def test_other_pairs_make_another_training(monkeypatch: pytest.MonkeyPatch) -> None:
    before = print_of()
    monkeypatch.setattr(records, "PAIRS", records.PAIRS + 1)
    assert print_of() != before


@pytest.mark.parametrize(
    "same",
    [
        replace(STAGE, experiment="other"),
        replace(STAGE, name="alpha"),
        replace(STAGE, search_space={"alpha": [0.5]}),
        replace(STAGE, protocol=Protocol(repeats=3, reruns=1, stage1_alpha=0.2, data="mnist")),
    ],
)
def test_a_search_may_use_the_trainings_of_another(same: Stage) -> None:
    assert print_of(same) == print_of()


def test_each_seed_has_a_fingerprint_in_order() -> None:
    prints = fingerprints(STAGE, Cell(CHOSEN, (3, 1, 2)), "abc")
    assert list(prints) == [3, 1, 2]
    assert prints[1] == print_of(seed=1)


def test_fingerprints_do_not_change_between_versions() -> None:
    """Else a store would not know its own trainings any more. METHODS says when it may."""
    logits = replace(STAGE, protocol=LOGITS)
    assert print_of(logits) == "8ff8e824de77bbaeb8d410337e1b870761d5bcffd7ba2e6605197d56d0187c89"
    assert print_of() == "1758d7217a16ac4ca19d98aa0c7ffe0a03e03353882c77e7a4093fd1f1473737"
    at_zero = print_of(chosen=replace(CHOSEN, alpha=0.0))
    assert at_zero == "865fcc5ec17581503c0ee67f54b6a68bc87deedd5b2e24084d37f788722ade82"


@pytest.mark.parametrize("alpha", [None, 0.0])
def test_without_weight_it_makes_no_difference_which_auxiliary_loss_it_is(
    alpha: float | None,
) -> None:
    chosen = replace(CHOSEN, alpha=alpha)
    assert print_of(replace(STAGE, protocol=LOGITS), chosen) == print_of(chosen=chosen)


def test_at_alpha_0_an_auxsiamese_model_shares_the_trainings_of_the_siamese_one() -> None:
    """Nothing else of theirs, nor does an unshared pair without an auxiliary loss."""
    auxsiamese, siamese = replace(STAGE, model="AuxsiameseCNN"), replace(STAGE, model="SiameseCNN")
    zero, none = replace(CHOSEN, alpha=0.0), replace(CHOSEN, alpha=None)
    assert print_of(auxsiamese, zero) == print_of(siamese, none)
    assert print_of(auxsiamese) != print_of(siamese, CHOSEN)
    assert print_of(replace(auxsiamese, name="rerun"), zero) != print_of(
        replace(siamese, name="rerun"), none
    )
    assert print_of(replace(STAGE, model="AuxCNN"), zero) != print_of(siamese, none)


@pytest.mark.parametrize("diverged", [False, True])
def test_a_row_has_all_that_is_known(diverged: bool) -> None:
    result = TrainingResult(
        seed=4,
        accuracy=None if diverged else 0.875,
        validation_accuracy=None if diverged else 0.5,
        train_seconds=1.5,
        cpu_seconds=1.25,
        loss_curve=(0.7, 0.6),
    )
    job = Job("AuxMLP", CHOSEN, (4,), 2, "softmax", "abcdefabcdefabcdef", 1)
    report = Report([result], 1, "there", "2026-01-02T03:04:05.000+00:00")
    (run,) = training_runs(job, report, {4: "print"}, Data("mnist", "abcdefabcdefabcdef"))
    expected: dict[str, Any] = {
        "fingerprint": "print", "model": "AuxMLP", "learning_rate": 1e-3, "batch_size": 8,
        "alpha": 0.5, "seed": 4, "epochs": 2, "data": "mnist:abcdefabcdef",
        "status": "diverged" if diverged else "ok", "accuracy": None if diverged else 0.875,
        "validation_accuracy": None if diverged else 0.5, "train_seconds": 1.5,
        "cpu_seconds": 1.25, "threads": 1, "loss_curve": (0.7, 0.6), "host": "there",
        "started_at": "2026-01-02T03:04:05.000+00:00", "auxiliary": "softmax",
    }  # fmt: skip
    assert vars(run) == expected
