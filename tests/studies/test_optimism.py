"""What winners promised: by their seeds, and by the images that chose them."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from storage.reader import open_reader
from storage.store import open_store
from storage.trainings import TrainingRun
from studies.report.choice import model_runs
from studies.report.optimism import (
    missed,
    missed_parameters,
    optimism_of_images,
    optimism_of_seeds,
    optimism_section,
    values_on_test,
)
from studies.report.runs import ModelRun
from tests.support.filled import WINNER, Filled, around, small

Measured = Callable[[TrainingRun], float]


@pytest.fixture(scope="module", params=["test", "validation"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelRun:
    """An MLP whose winner has 0.9 and 0.901 on the data that chose it, and 0.88 in its reruns."""
    url = f"sqlite:///{tmp_path_factory.mktemp('chosen') / 'studies.db'}"
    with open_store(url) as store:
        Filled(store, small(select_on=request.param)).model("MLP", around(0.88))
    engine = open_reader(url)
    (made,) = model_runs(engine)
    engine.dispose()
    return made


def measured(run: ModelRun, on_test: Measured, on_validation: Measured) -> ModelRun:
    """Return the same with other measurements of its trainings."""
    return replace(
        run,
        trainings={
            name: replace(
                training,
                numbers={
                    "accuracy": on_test(training), "validation_accuracy": on_validation(training),
                },
            )
            for name, training in run.trainings.items()
        },
    )  # fmt: skip


def is_winner(training: TrainingRun) -> bool:
    return all(WINNER[name] == value for name, value in training.parameters.items())


def test_images_flatter_a_winner_where_they_do_so_more_than_other_cells(run: ModelRun) -> None:
    def flattered(training: TrainingRun) -> float:
        # All are 0.02 better on these images, the winner 0.05, on one seed 0.054.
        return 0.85 + (0.034 if training.seed else 0.03) * is_winner(training)

    def plain(training: TrainingRun) -> float:
        return 0.83

    chosen = run.chosen_by
    both = (flattered, plain) if chosen == "test" else (plain, flattered)
    estimate = optimism_of_images(measured(run, *both))
    assert estimate is not None
    assert estimate.value == pytest.approx(0.032)
    assert estimate.low is not None and estimate.low < estimate.value


def test_images_that_are_easier_for_all_cells_flatter_none(run: ModelRun) -> None:
    estimate = optimism_of_images(measured(run, lambda _: 0.9, lambda t: 0.8 + t.seed / 100))
    assert estimate is not None and estimate.value == pytest.approx(0)


def test_cells_with_a_dead_network_do_not_count(run: ModelRun) -> None:
    def of_winner(training: TrainingRun) -> float:
        return 0.9 if is_winner(training) else 0.8

    alive = measured(run, of_winner, lambda _: 0.7)
    cells = run.cells["lr-batch"]
    dead = replace(alive, cells={"lr-batch": [cells[0], *(replace(c, dead=1) for c in cells[1:])]})
    assert optimism_of_images(dead) is None
    assert optimism_of_images(alive) is not None


def test_what_is_not_known_is_left_out(run: ModelRun) -> None:
    unknown = replace(run, trainings={})
    assert optimism_of_images(unknown) is None
    assert bool(values_on_test(unknown)) == bool(list(optimism_section([unknown]))) == (
        run.chosen_by == "test"
    )  # fmt: skip


def test_reruns_show_by_how_much_a_winner_was_lucky(run: ModelRun) -> None:
    gap = optimism_of_seeds(measured(run, lambda _: 0.9, lambda _: 0.5))
    expected = 0.9005 - 0.88 if run.chosen_by == "test" else 0.9 - 0.88
    assert gap is not None and gap.value == pytest.approx(expected)


def test_parameters_that_are_clearly_better_than_the_winner_were_missed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    with open_store(url) as store:
        for model, at_published in (("AuxMLP", 0.90), ("AuxsiameseMLP", 0.8503), ("MLP", 0.82)):
            Filled(store, small()).model(model, around(0.85))
            # In the order of seeds, so that pairs of seeds differ.
            Filled(store, small("published", search="published")).model(
                model, around(at_published, 1.1)
            )
        # Of another loss the accuracies cannot be compared.
        logits = small("logits", search="published", auxiliary="logits")
        Filled(store, logits).model("AuxsiameseMLP", around(0.95))
    engine = open_reader(url)
    runs = model_runs(engine)
    engine.dispose()
    (sentence,) = missed_parameters(missed(runs, {run.model: run for run in runs[:3]}))
    assert re.fullmatch(
        r"\*\*The search missed better parameters\*\*: AuxMLP is better by \+0\.050 "
        r"\[\+0\.04\d, \+0\.05\d\] with learning_rate 0\.005, batch_size 16, alpha 0\.9 "
        r"\(published\) than with its winner's parameters\.",
        sentence,
    )
