"""Data, protocols and stores that a run refuses, before it trains or writes anything."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna import create_study, get_all_study_summaries

from digitcmp.data import mnist
from storage.lock import store_lock
from storage.store import open_store
from studies import best, run
from studies.paper import experiment as paper
from studies.search.service import Settings

Ends = Callable[..., str]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("train-images-idx3-ubyte", lambda data: data[:-1], "is truncated: expected 47056 bytes"),
        ("train-labels-idx1-ubyte", lambda data: data[:5], "expected an IDX header of 8 bytes"),
        ("t10k-images-idx3-ubyte", lambda data: b"\1" + data[1:], "expected magic number 0x0000"),
        ("t10k-labels-idx1-ubyte", lambda _: None, "no file t10k-labels-idx1-ubyte"),
    ],
)
def test_damaged_data_is_named(
    name: str, change: Callable[[bytes], bytes | None], said: str, ends: Ends, digits_folder: Path
) -> None:
    changed = change((digits_folder / name).read_bytes())
    (digits_folder / name).unlink()
    if changed is not None:
        (digits_folder / name).write_bytes(changed)
    sentence = ends(2, "MLP", "--data", "mnist", "--data-dir", str(digits_folder))
    assert said in sentence
    assert name in sentence


# Small, so that a run that goes on fails the test soon.
SMALL = {"epochs": 1, "repeats": 1, "reruns": 1, "data": "mnist"}


@pytest.mark.parametrize("name", paper(**SMALL).protocol(""))
def test_another_protocol_is_shown_beside_the_stored_one(
    name: str, ends: Ends, digits_folder: Path, url: str
) -> None:
    stored = paper(**SMALL).protocol(mnist.load("mnist", digits_folder).sha256)
    asked = stored[name]
    stored[name] = "another"
    with open_store(url) as store:
        study = create_study(
            study_name="mine/AuxMLP/alpha", storage=store.optuna, direction="maximize"
        )
        study.set_user_attr("protocol", stored)
    options = [word for key, value in SMALL.items() for word in (f"--{key}", str(value))]
    # Models of one experiment are compared with each other: also CNN follows its protocol.
    for model in ("AuxMLP", "CNN"):
        sentence = ends(
            2, model, "--experiment", "mine", "--data-dir", str(digits_folder), *options
        )
        assert f"mine/AuxMLP/alpha follows another protocol ({name}: stored another, " in sentence
        assert f"asked {asked})" in sentence
    with open_store(url) as store:
        (left,) = get_all_study_summaries(store.optuna)
        assert (left.study_name, left.n_trials) == ("mine/AuxMLP/alpha", 0)
        assert left.user_attrs == {"protocol": stored}


def test_a_store_in_use_is_left_alone(ends: Ends, url: str) -> None:
    with store_lock(url, []):
        assert f"is in use by process {os.getpid()} on host" in ends(3, "MLP")


@pytest.mark.parametrize("command", [run, best])
def test_a_damaged_store_is_left_alone(command: Any, ends: Ends, tmp_path: Path) -> None:
    damaged = b"no database" * 1000
    (tmp_path / "studies.db").write_bytes(damaged)
    assert "is not an SQLite database" in ends(4, "MLP", command=command)
    assert (tmp_path / "studies.db").read_bytes() == damaged


def test_a_current_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There, torch would end the process without a word of ours."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SystemExit) as ended:
        run.main(["MLP", "--storage", f"sqlite:///{tmp_path}/studies.db"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == "error: the current folder is gone: change to one that is there\n"


def test_paths_do_not_follow_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What loads the data may change it."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(artifact_dir=Path("figures"))
    assert settings.storage == f"sqlite:///{tmp_path}/studies.db"
    assert settings.artifact_dir == tmp_path / "figures"
