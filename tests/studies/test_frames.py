"""Data frames hold what the views show and what was recorded, with parameters as columns."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

import studies
from storage.store import Store, open_store
from studies.display.errors import UsageError
from tests.support.filled import BEST_TREE, FOREST, PAPER, WINNER, Filled, around, small
from tests.support.pages import examples

NAMES = ["experiment", "model", "stage"]


@pytest.fixture
def filled(store: Store) -> Filled:
    return Filled(store)


@pytest.fixture
def two(filled: Filled, url: str) -> Iterator[studies.Results]:
    """A model of the paper's, one that is half done, and an experiment with words and a loss."""
    filled.model("AuxMLP", around(0.85), disturbed=[True, False])
    filled.model("CNN", around(0.8), stop="rerun")
    Filled(filled.store, FOREST, BEST_TREE).model("Forest", around(0.4))
    yield studies.results(url)


def test_cells_are_those_of_the_view(two: studies.Results, store: Store) -> None:
    with store.engine.connect() as connection:
        rows = connection.execute(text("select * from grid_cells")).mappings().all()
    view = pd.DataFrame(rows)
    assert list(two.cells) == list(view)
    keys = [*NAMES, *PAPER.parameters, *FOREST.parameters]
    frames = [frame.sort_values(keys, ignore_index=True) for frame in (two.cells, view)]
    pd.testing.assert_frame_equal(*frames, check_dtype=False)
    assert set(two.cells.criterion.dropna()) == {"gini", "entropy"}


def test_the_best_cell_of_a_study_comes_first(two: studies.Results) -> None:
    first = two.cells.groupby(NAMES, sort=False).first()
    assert dict(first.loc["paper", "AuxMLP", "alpha"][list(WINNER)]) == WINNER
    assert dict(first.loc["forest", "Forest", "rate"][list(BEST_TREE)]) == BEST_TREE


def test_reruns_are_those_that_were_timed(two: studies.Results) -> None:
    reruns = two.reruns[two.reruns.model == "AuxMLP"]
    assert list(reruns.seed) == [10, 11, 12, 13]
    assert list(reruns.accuracy) == around(0.85)
    assert list(reruns.train_seconds) == [1.0, 1.1, 1.2, 1.3]
    assert list(reruns.disturbed) == [True, False, None, None]
    assert set(reruns.alpha) == {0.5}
    assert set(reruns.stage) == {"rerun"}
    assert two.reruns[two.reruns.model == "Forest"].loss.tolist() == around(0.4)


def test_a_model_is_a_row_beside_what_is_published(two: studies.Results) -> None:
    assert list(two.models.model) == ["Forest", "AuxMLP", "CNN"]
    forest, aux, cnn = (row for _, row in two.models.iterrows())
    assert aux.mean_accuracy == pytest.approx(0.85)
    assert aux.mean_accuracy == two.reruns[two.reruns.model == "AuxMLP"].accuracy.mean()
    assert (aux.reruns, aux.timed, aux.parameters) == (4, 3, 1234)
    assert (aux.batch_size, aux.runs) == (16, 2)
    assert aux.published_mean_accuracy == 0.856
    assert aux.published_std_train_seconds == 0.377
    assert cnn.searched_mean_accuracy > 0.8
    assert pd.isna(cnn.mean_accuracy)
    assert pd.isna(cnn.alpha) or cnn.alpha == 0
    assert forest.mean_loss == pytest.approx(0.4)
    assert forest.criterion == "entropy"
    assert pd.isna(forest.mean_accuracy)


def test_trainings_are_there_for_each_study_that_rests_on_them(
    two: studies.Results, store: Store
) -> None:
    with store.engine.connect() as connection:
        recorded = connection.execute(text("select fingerprint, accuracy from training_runs"))
        accuracy = dict(recorded.all())  # type: ignore[arg-type]
    assert set(two.trainings.fingerprint) == set(accuracy)
    for row in two.trainings.itertuples():
        assert row.accuracy == accuracy[row.fingerprint] or pd.isna(row.accuracy)
    of_cell = two.trainings.query(
        "model == 'AuxMLP' and stage == 'alpha' and alpha == 0.5 and batch_size == 16"
    )
    assert sorted(of_cell.seed) == [0, 1]
    (cell,) = two.cells.query(
        "model == 'AuxMLP' and stage == 'alpha' and alpha == 0.5"
    ).itertuples()
    assert of_cell.accuracy.mean() == pytest.approx(cell.mean_accuracy)
    reruns = two.trainings.query("stage == 'rerun' and model == 'AuxMLP'")
    assert sorted(reruns.fingerprint) == sorted(
        two.reruns[two.reruns.model == "AuxMLP"].fingerprint
    )
    assert set(two.trainings.epochs.dropna()) == {25}
    assert two.trainings.loss_curve[0] == (0.7, 0.6)


def test_a_shared_training_stands_in_each_experiment(filled: Filled, url: str) -> None:
    filled.model("MLP", around(0.8))
    other = Filled(filled.store, small("other"))
    other.model("MLP", around(0.8))
    trainings = studies.results(url).trainings
    searched = trainings[trainings.stage == "lr-batch"]
    shared = searched.groupby("fingerprint").experiment.agg(set)
    assert all(names == {"paper", "other"} for names in shared)
    one = studies.results(url, "other")
    for frame in (one.trainings, one.cells, one.reruns, one.models):
        assert set(frame.experiment) == {"other"}
    assert len(one.trainings) == len(trainings) / 2


def test_a_training_of_no_study_has_no_stage(filled: Filled, url: str) -> None:
    filled.model("MLP", around(0.8))
    with filled.store.engine.begin() as connection:
        connection.execute(text("delete from trial_user_attributes where key = 'fingerprints'"))
    trainings = studies.results(url).trainings
    alone = trainings[trainings.stage.isna()]
    assert len(alone) == len(trainings[trainings.stage != "rerun"]) > 0
    assert set(alone.model) == {"MLP"}
    assert set(alone.batch_size) == {8, 16}


def test_an_empty_store_gives_empty_frames(store: Store, url: str) -> None:
    empty = studies.results(url)
    assert list(empty.trainings)[:4] == [*NAMES, "seed"]
    assert list(empty.cells)[3:] == ["mean_accuracy", "std_accuracy", "runs", "state", "dead"]
    assert all(frame.empty for frame in (empty.trainings, empty.reruns, empty.models))


def test_what_is_not_there_is_one_sentence(filled: Filled, url: str) -> None:
    filled.model("MLP", around(0.8))
    with pytest.raises(UsageError, match=r"^no experiment is called 'papr': did you mean paper\?$"):
        studies.results(url, "papr")
    with pytest.raises(Exception, match=r"^no store at .*missing.db: check the path"):
        studies.results("sqlite:///missing.db")
    with pytest.raises(ValueError, match=r"^not a storage URL: give sqlite:///PATH"):
        studies.results("studies.db")


def test_the_example_of_the_manual(
    filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    filled.model("MLP", around(0.8))
    monkeypatch.chdir(tmp_path)
    exec(compile(examples()["notebook.py"], "notebook.py", "exec"), {})
    said = capsys.readouterr().out
    assert "batch_size" in said
    assert "0.001" in said
    assert "count" in said


def test_frames_need_neither_torch_nor_optuna(url: str) -> None:
    with open_store(url):
        pass
    code = (
        "import sys, studies; assert 'pandas' not in sys.modules; "
        "studies.results(sys.argv[1]); print({'torch', 'optuna', 'distributed'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, url], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
