"""What trainings at published parameters gave, and what that says of large differences."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage.store import Store, open_store
from studies.experiment.definition import Published
from studies.report.choice import headline, model_runs
from studies.report.headline import headline_table
from studies.report.replication import (
    Replication,
    replication,
    replication_section,
    replications,
)
from studies.report.runs import ModelRun
from tests.support.filled import BEST_TREE, FOREST, Filled, around, small


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "studies.db"
    with open_store(f"sqlite:///{path}") as store:
        filled = Filled(store)
        filled.model("MLP", around(0.813))
        filled.model("SiameseMLP", around(0.887))
        filled.model("AuxMLP", around(0.900))
    return path


@pytest.fixture
def filled(filled_once: Path, url: str) -> Iterator[Filled]:
    """Of the published cells, the grid holds that of SiameseMLP, and all others but for a value."""
    shutil.copy(filled_once, url.removeprefix("sqlite:///"))
    with open_store(url) as store:
        yield Filled(store)


def read(store: Store) -> tuple[list[ModelRun], dict[str, ModelRun]]:
    runs = model_runs(store.engine)
    return runs, headline(runs)


def section(store: Store) -> str:
    return "\n\n".join(replication_section(*read(store)))


def by_model(store: Store) -> dict[str, Replication]:
    return {there.run.model: there for there in replications(*read(store))}


def rerun(store: Store, accuracy: float, name: str = "published", **options: object) -> None:
    """Rerun the published parameters of AuxMLP, with other options of the experiment."""
    experiment = small(name, search="published", **options)
    Filled(store, experiment).model("AuxMLP", around(accuracy))


def test_the_nearest_cell_of_the_search_counts(filled: Filled) -> None:
    there = by_model(filled.store)
    # Steps from the winner, where the filled search has 0.9: one for MLP, two for the others.
    assert {model: near.summary[0] for model, near in there.items()} == {
        "MLP": pytest.approx(0.8905),
        "SiameseMLP": pytest.approx(0.8805),
        "AuxMLP": pytest.approx(0.8805),
    }
    assert there["MLP"].parameters == "0.001, 8"
    assert there["AuxMLP"].parameters == "0.005, 16, 0"
    assert there["AuxMLP"].difference.value == pytest.approx(0.8805 - 0.856)


def test_a_cell_in_which_two_values_differ_is_not_near(filled: Filled) -> None:
    # Published are 0.0005 and 16, of which the grid has the second; 8 and 0.7 are one step away.
    filled.model("CNN", around(0.8))
    filled.model("AuxsiameseCNN", around(0.8))
    there = by_model(filled.store)
    assert there["CNN"].parameters == "0.001, 16"
    assert "AuxsiameseCNN" not in there


def test_words_are_equal_or_not(store: Store) -> None:
    published = {"Forest": Published({"depth": 9, "criterion": "gini", "rate": 0.5}, 0.4, 0.01)}
    filled = Filled(store, replace(FOREST, published=published), BEST_TREE)
    filled.model("Forest", around(0.5))
    assert by_model(store)["Forest"].parameters == "8, gini, 0.5"


def test_reruns_at_the_published_parameters_come_before_any_cell(filled: Filled) -> None:
    rerun(filled.store, 0.858)
    there = by_model(filled.store)["AuxMLP"]
    assert there.summary == (pytest.approx(0.858), pytest.approx(0.00677, abs=1e-5), 4)
    assert (there.parameters, there.source) == ("0.005, 16, 0.9", "4 reruns")


def test_one_rerun_of_a_model_does_not_hide_what_the_reruns_of_others_show(store: Store) -> None:
    rerun(store, 0.9)
    alone = small("alone", search="published", reruns=1)
    Filled(store, alone).model("MLP", [0.813])
    (sentence,) = replication(*read(store))
    assert "AuxMLP (+0.044 [" in sentence
    assert (
        "clearly differs from what is published; one rerun cannot tell noise from a difference in "
        "MLP; the largest difference is AuxMLP's" in sentence
    )


@pytest.mark.parametrize("options", [{"epochs": 1}, {"auxiliary": "logits"}])
def test_reruns_that_trained_otherwise_do_not_count(
    filled: Filled, options: dict[str, object]
) -> None:
    rerun(filled.store, 0.5, **options)
    assert not by_model(filled.store)["AuxMLP"].is_rerun


def test_reruns_that_learned_nothing_are_counted(store: Store) -> None:
    experiment = small("published", search="published")
    Filled(store, experiment).model("AuxMLP", [0.86, 0.55, 0.87, 0.6])
    _, chosen = read(store)
    assert "4 reruns (2 no better than guessing)" in section(store)
    (sentence,) = replication(*read(store))
    assert sentence.endswith("; 2 of its 4 reruns ended no better than guessing).")
    assert "| AuxMLP | 0.720 ± 0.169 | 0.856 ± 0.011 | -0.136 | ‡¶ |" in headline_table(chosen)


def test_a_model_that_was_only_rerun_is_there(store: Store) -> None:
    rerun(store, 0.858)
    assert list(by_model(store)) == ["AuxMLP"]
    assert "winner" not in section(store)


def test_of_a_large_difference_the_section_says_what_is_left_at_the_published_settings(
    filled: Filled,
) -> None:
    text = section(filled.store)
    assert "| SiameseMLP | 0.005, 8 | 0.005, 8 | 2 repeats of a cell | 0.881 ± 0.001 |" in text
    assert [line for line in text.splitlines() if line.startswith("**")] == [
        "**SiameseMLP**: our winner, 0.001, 16, is +0.040 from what is published. In the cell "
        "0.005, 8 ours is +0.034 from it, not within 0.03.",
        "**AuxMLP**: our winner, 0.001, 16, 0.5, is +0.044 from what is published. In the cell "
        "0.005, 16, 0 ours is +0.025 from it, within 0.03.",
    ]
    rerun(filled.store, 0.870)
    text = section(filled.store)
    assert "At the published settings ours is +0.014 from it" in text


def test_validation_values_are_not_set_beside_published_ones(store: Store) -> None:
    filled = Filled(store, small("validation", select_on="validation"))
    filled.model("SiameseMLP", around(0.887))
    assert "No training was at published parameters" in section(store)
