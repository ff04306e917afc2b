"""What reruns learn is kept, whatever happens, and what searches learn is not."""

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, download_artifact, get_all_artifact_meta
from safetensors.numpy import load_file

import studies
from storage.copy import copy
from studies import Experiment, Stage
from studies.display.errors import UsageError
from studies.experiment.weights import packed
from studies.search.chain import run_chains
from studies.search.rerun_weights import RerunWeights
from studies.search.trial import RunningTrial
from tests.support.runs import Runs


def train(parameters: Any, seed: int) -> dict[str, Any]:
    weights = {"scale": np.full((2, 3), parameters["x"]), "seed": np.array(seed)}
    return {"accuracy": 0.5 + seed % 2 / 10 + parameters["x"] / 100, "weights": lambda: weights}


def objects(parameters: Any, seed: int) -> dict[str, Any]:
    return {"accuracy": 0.5, "weights": {"a": np.array([object()])}}


def none(parameters: Any, seed: int) -> dict[str, Any]:
    return {"accuracy": 0.5}


def experiment(train: Any = train, **options: Any) -> Experiment:
    stages = [Stage("first", x=[0.1, 0.2])]
    given = {"name": "own", "repeats": 2, "reruns": 3, "version": "1"} | options
    return Experiment(models={"Own": train}, stages=stages, **given)


def run(runs: Runs, folder: Path, of: Experiment | None = None) -> None:
    of = of or experiment()
    with runs.driver(of) as driver:
        driver.weights = RerunWeights(folder)
        run_chains(driver, of, ["Own"])
        assert driver.failed == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "studies-artifacts"


def test_reruns_keep_theirs_as_artifacts(runs: Runs, folder: Path, tmp_path: Path) -> None:
    run(runs, folder)
    study = optuna.load_study(study_name="own/Own/rerun", storage=runs.url)
    artifacts = FileSystemArtifactStore(folder)
    for trial in study.trials:
        (meta,) = get_all_artifact_meta(trial, storage=study._storage)
        seed = trial.params["seed"]
        assert meta.filename == f"Own-seed{seed}.safetensors"
        file = tmp_path / str(seed)
        download_artifact(
            artifact_store=artifacts, artifact_id=meta.artifact_id, file_path=str(file)
        )
        learned = load_file(file)
        assert learned["seed"] == seed and (learned["scale"] == 0.2).all()
        assert learned["scale"].shape == (2, 3)
    assert len(list(folder.iterdir())) == 3, "none of a search"
    # Of equals, the first.
    assert studies.load("Own", runs.url)["seed"] == 11
    assert studies.load("Own", runs.url, seed=12, experiment="own")["seed"] == 12
    assert studies.load("Own", runs.url, define=experiment())["seed"] == 11


def test_less_may_be_better(runs: Runs, folder: Path) -> None:
    run(runs, folder, experiment(direction="minimize"))
    assert studies.load("Own", runs.url)["seed"] == 10


class Killed(Exception):
    pass


@pytest.mark.parametrize("moment", ["tell", "record"])
def test_a_run_that_is_killed_goes_on(
    moment: str, runs: Runs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: Any) -> None:
        raise Killed

    def tell(running: RunningTrial) -> None:
        if running.study.is_rerun:
            raise Killed
        before(running)

    with monkeypatch.context() as patch:
        before = RunningTrial.tell
        if moment == "tell":
            patch.setattr(RunningTrial, "tell", tell)
        else:
            from studies.search.driver import Driver

            of_driver = Driver._record

            def record(driver: Driver, new: Any) -> None:
                if any(running.study.is_rerun for running, _ in new):
                    raise Killed
                of_driver(driver, new)

            patch.setattr(Driver, "_record", record)
        with pytest.raises(Killed):
            run(runs, folder)
    written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert written
    run(runs, folder)
    # What was recorded is not trained again, and its weights are those of then.
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert len(list(folder.iterdir())) == 3 + (moment == "record") * len(written)
    for seed in (10, 11, 12):
        assert studies.load("Own", runs.url, seed=seed)["seed"] == seed
    study = optuna.load_study(study_name="own/Own/rerun", storage=runs.url)
    complete = [t for t in study.trials if t.value is not None]
    assert all(get_all_artifact_meta(t, storage=study._storage) for t in complete)


@pytest.mark.parametrize("train", [objects, "no folder"])
def test_a_rerun_counts_without_its_weights(
    train: Any, runs: Runs, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # The first store of a process takes the handlers of logs away.
    with runs.driver(experiment()):
        logging.getLogger().addHandler(caplog.handler)
    if train == "no folder":
        folder.write_text("a file is in the way")
    with caplog.at_level(logging.WARNING, "studies"):
        run(runs, folder, experiment(objects if train is objects else globals()["train"]))
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("the weights of own/Own/rerun, seed 10, are not kept, its result is")
    with pytest.raises(UsageError, match=r"no weights of own/Own, seed 1\d are kept: an older"):
        studies.load("Own", runs.url)


def test_experiments_without_weights_are_as_before(runs: Runs, folder: Path) -> None:
    run(runs, folder, experiment(none))
    assert not folder.exists()
    with pytest.raises(UsageError, match="its training gave none"):
        studies.load("Own", runs.url)


def test_a_copy_has_them(runs: Runs, folder: Path, tmp_path: Path) -> None:
    run(runs, folder)
    other = tmp_path / "other"
    other.mkdir()
    copy(runs.url, f"sqlite:///{other / 'copy.db'}")
    shutil.rmtree(folder)
    assert studies.load("Own", f"sqlite:///{other / 'copy.db'}", seed=10)["seed"] == 10
    with pytest.raises(UsageError, match=f"are not in {folder}: name the folder that has"):
        studies.load("Own", runs.url)
    kept = other / "copy-artifacts"
    assert studies.load("Own", runs.url, seed=12, artifact_dir=kept)["seed"] == 12


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "own"}, "no model is called 'own': did you mean Own?"),
        ({"experiment": "mine"}, "no experiment is called 'mine': did you mean own?"),
        ({"seed": 5}, "no rerun of Own has seed 5: there are 10, 11 and 12"),
        ({"storage": "studies.db"}, "not a storage URL"),
        ({"define": "missing.py"}, "no file missing.py"),
    ],
)
def test_what_there_is_not_is_said(given: Any, said: str, runs: Runs, folder: Path) -> None:
    run(runs, folder)
    with pytest.raises(ValueError) as raised:
        studies.load(**{"model": "Own", "storage": runs.url, **given})
    assert said in str(raised.value)


def test_without_reruns_there_are_none(runs: Runs, folder: Path) -> None:
    run(runs, folder, experiment(reruns=1))
    run(runs, folder, experiment(reruns=1, name="twin"))
    with pytest.raises(UsageError, match="has reruns in own and twin: name one experiment"):
        studies.load("Own", runs.url)
    optuna.delete_study(study_name="own/Own/rerun", storage=runs.url)
    with pytest.raises(UsageError, match="has no reruns of Own yet: a run ends in them"):
        studies.load("Own", runs.url, experiment="own")


def test_what_is_no_weights_is_a_reason() -> None:
    assert packed({"accuracy": 1}) is None
    assert packed({"weights": 5.0}) is None, "a number like others"
    assert packed({"weights": lambda: [1]}) == "they are list, not arrays by name"
    assert packed({"weights": {1: np.zeros(2)}}) == "TypeError: 1 names an array, which is no word"
    assert packed({"weights": lambda: 1 / 0}) == "ZeroDivisionError: division by zero"
