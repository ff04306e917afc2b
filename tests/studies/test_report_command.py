"""What the report refuses, and how it is written."""

import csv
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from storage.store import open_store
from studies.display.errors import UsageError
from studies.experiment.training import Parameters
from studies.report import __main__ as command
from studies.report.page import write_files
from tests.support.filled import Filled, around
from tests.support.runs import Runs
from tests.support.standin import StandIn, narrow


def test_a_store_in_which_nothing_is_complete(ends: Callable[..., str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'begun.db'}"
    with open_store(url) as store:
        Filled(store).model("AuxMLP", around(0.8), stop="alpha")
    message = ends(1, "--storage", url, command=command)
    assert message.startswith("no model is complete, so there is nothing to report\n")
    assert "AuxMLP in paper (alpha: not begun, rerun: 0 of 4 trainings)" in message
    assert "did you mean paper?" in ends(
        2, "--storage", url, "--experiment", "papr", command=command
    )


class Unlucky(StandIn):
    """One rerun of the winner diverges."""

    def accuracy(self, model: str, parameters: Parameters, seed: int) -> float:
        return math.nan if seed == 11 else super().accuracy(model, parameters, seed)


@pytest.mark.usefixtures("no_pictures")
def test_what_diverged_is_in_the_report(runs: Runs, standin: StandIn, tmp_path: Path) -> None:
    unlucky = Unlucky(standin.folder, {(1e-3, 16): "diverge"})
    runs.run(narrow(unlucky.experiment(epochs=2, repeats=2, reruns=3)), "MLP")
    out = ["--storage", runs.url, "--out", str(tmp_path / "report")]
    result = CliRunner().invoke(command.app, out)
    assert result.exit_code == 0, result.output
    with (tmp_path / "report" / "training_runs.csv").open(newline="") as file:
        rows = Counter((row["rerun_of"], row["status"]) for row in csv.DictReader(file))
    rerun = "toy/MLP/rerun"
    assert rows == {("", "ok"): 7, ("", "diverged"): 1, (rerun, "ok"): 2, (rerun, "diverged"): 1}
    row = next(line for line in report_lines(tmp_path) if line.startswith("| MLP/lr-batch |"))
    assert " | 1 | " in row


def report_lines(folder: Path) -> list[str]:
    return (folder / "report" / "details.md").read_text().splitlines()


def test_bad_questions(ends: Callable[..., str], tmp_path: Path) -> None:
    assert "no store at" in ends(4, "--storage", "sqlite:///missing.db", command=command)
    assert "not a storage URL" in ends(2, "--storage", "studies.db", command=command)
    with open_store(f"sqlite:///{tmp_path / 'new.db'}"):
        pass
    message = ends(1, "--storage", "sqlite:///new.db", command=command)
    assert message.splitlines()[0].startswith("no model is complete")
    message = ends(2, "--storage", "sqlite:///new.db", "--experiment", "x", command=command)
    assert "the store has none" in message


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    write_files(folder, {"report.md": b"1", "figures/a.png": b"2"})
    (folder / "notes.txt").write_text("mine")
    write_files(folder, {"report.md": b"3", "figures/b.png": b"4"})
    files = {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*.*")}
    assert files == {
        "report.md": "3", "figures/a.png": "2", "figures/b.png": "4", "notes.txt": "mine",
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"notes.txt \(File exists\): name another folder"):
        write_files(folder / "notes.txt", {"report.md": b"5"})
    (folder / "figures" / "b.png").unlink()
    (folder / "figures" / "b.png").mkdir()
    before = sorted(folder.rglob("*"))
    with pytest.raises(UsageError, match=r"\(figures/b.png is a folder\): name another folder"):
        write_files(folder, {"report.md": b"7", "figures/c.png": b"8", "figures/b.png": b"6"})
    with pytest.raises(UsageError, match="cannot be written"):
        write_files(folder, {"report.md": b"7", "figures/a.png/c.png": b"8"})
    assert (folder / "report.md").read_text() == "3"
    assert sorted(folder.rglob("*")) == before
    assert not list(folder.glob(".*"))
