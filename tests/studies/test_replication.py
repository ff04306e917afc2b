"""What trainings at the paper's settings gave, and what that says of large differences."""

import pytest
from filled import PROTOCOL, Filled, around

from storage.store import Store
from studies.report.choice import headline, model_runs
from studies.report.headline import headline_table
from studies.report.replication import Replication, replication_section, replications
from studies.report.results import ModelRun

PUBLISHED = PROTOCOL | {"search": "published"}
TABLE_1 = {"learning_rate": 5e-3, "batch_size": 16, "alpha": 0.9}


@pytest.fixture
def filled(store: Store) -> Filled:
    """Of the paper's cells, the grid holds that of SiameseMLP, and AuxMLP's with another alpha."""
    filled = Filled(store)
    filled.model("MLP", around(0.813))
    filled.model("SiameseMLP", around(0.887))
    filled.model("AuxMLP", around(0.900))
    return filled


def read(store: Store) -> tuple[list[ModelRun], dict[str, ModelRun]]:
    runs = model_runs(store.engine)
    return runs, headline(runs)


def by_model(store: Store) -> dict[str, Replication]:
    return {each.run.model: each for each in replications(*read(store))}


def rerun(filled: Filled, accuracy: float, **changes: object) -> None:
    """Rerun the paper's settings of AuxMLP, with other settings of the experiment."""
    name = ",".join(f"{key}={value}" for key, value in changes.items())
    of_paper = Filled(filled.store, f"published+{name}", PUBLISHED | changes, TABLE_1)
    of_paper.model("AuxMLP", around(accuracy))


def test_the_nearest_cell_of_the_search_counts(filled: Filled) -> None:
    found = by_model(filled.store)
    # Two steps from the winner, where the filled search has 0.9.
    assert {model: each.mean for model, each in found.items()} == {
        "SiameseMLP": pytest.approx(0.8805), "AuxMLP": pytest.approx(0.8805),
    }  # fmt: skip
    assert found["AuxMLP"].settings == "0.005, 16, 0"
    assert found["AuxMLP"].against_paper.value == pytest.approx(0.8805 - 0.856)


def test_reruns_at_the_papers_settings_come_before_any_cell(filled: Filled) -> None:
    rerun(filled, 0.870, auxiliary="logits")
    assert by_model(filled.store)["AuxMLP"].mean == pytest.approx(0.870)
    rerun(filled, 0.858)
    found = by_model(filled.store)["AuxMLP"]
    assert (found.mean, found.count) == (pytest.approx(0.858), 4)
    assert (found.settings, found.source) == ("0.005, 16, 0.9", "4 reruns, softmax")


def test_reruns_that_trained_otherwise_do_not_count(filled: Filled) -> None:
    rerun(filled, 0.5, epochs=1)
    assert not by_model(filled.store)["AuxMLP"].is_rerun


def test_reruns_that_learned_nothing_are_counted(store: Store) -> None:
    Filled(store, "published", PUBLISHED, TABLE_1).model("AuxMLP", [0.86, 0.55, 0.87, 0.6])
    runs, chosen = read(store)
    assert "4 reruns (2 no better than guessing), softmax" in replication_section(runs, chosen)
    assert "| AuxMLP | 0.720 ± 0.169 | 0.856 ± 0.011 | -0.136 | ‡¶ |" in headline_table(chosen)


def test_a_model_that_was_only_rerun_is_there(store: Store) -> None:
    rerun(Filled(store), 0.858)
    assert list(by_model(store)) == ["AuxMLP"]
    assert "winner" not in replication_section(*read(store))


def test_of_a_large_difference_the_section_says_what_is_left_at_the_papers_settings(
    filled: Filled,
) -> None:
    text = replication_section(*read(filled.store))
    assert "| SiameseMLP | 0.005, 8 | 0.005, 8 | 2 repeats of a cell | 0.881 ± 0.001 |" in text
    assert [line for line in text.splitlines() if line.startswith("**")] == [
        "**SiameseMLP**: our winner, 0.001, 16, is +0.040 from the paper's accuracy. In the cell "
        "0.005, 8 ours is +0.034 from it, not within 0.03.",
        "**AuxMLP**: our winner, 0.001, 16, 0.5, is +0.044 from the paper's accuracy. In the cell "
        "0.005, 16, 0 ours is +0.025 from it, within 0.03.",
    ]
    rerun(filled, 0.870, auxiliary="logits")
    text = replication_section(*read(filled.store))
    assert (
        "At the paper's settings, under its auxiliary loss logits, ours is +0.014 from it" in text
    )


def test_validation_accuracies_are_not_set_beside_the_papers(store: Store) -> None:
    filled = Filled(store, "validation", PROTOCOL | {"select_on": "validation"})
    filled.model("SiameseMLP", around(0.887))
    assert "No training was at the paper's" in replication_section(*read(store))
