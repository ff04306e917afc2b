"""What the report refuses, and how it is written."""

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filled import Filled, around
from runs import Runs
from standin import StandIn
from typer.testing import CliRunner

from storage.store import open_store
from studies.errors import UsageError
from studies.protocol import Protocol
from studies.report import __main__ as command
from studies.report.files import write_files
from studies.worker import Job, Report


def test_a_store_in_which_nothing_is_complete(ends: Callable[..., str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'begun.db'}"
    with open_store(url) as store:
        Filled(store).model("AuxMLP", around(0.8), stop="alpha")
    said = ends(1, "--storage", url, command=command)
    assert said.startswith("no model is complete, so there is nothing to report\n")
    assert "AuxMLP in paper (alpha: 0 of 3 cells, rerun: 0 of 4 trainings)" in said
    assert "did you mean paper?" in ends(
        2, "--storage", url, "--experiment", "papr", command=command
    )


class Unlucky(StandIn):
    """One cell of the search diverges, and one rerun of the winner."""

    def __call__(self, job: Job) -> Report:
        report = super().__call__(job)
        lost = [replace(each, accuracy=None) for each in report.results if each.seed == 11]
        return replace(report, results=lost or report.results)


def test_what_diverged_is_in_the_report(runs: Runs, standin: StandIn, tmp_path: Path) -> None:
    runs.chain("MLP", Unlucky(standin.folder, {(1e-4, 128): "diverge"}), Protocol(2, 2, 3))
    out = ["--storage", runs.url, "--out", str(tmp_path / "report")]
    result = CliRunner().invoke(command.app, out)
    assert result.exit_code == 0, result.output
    with (tmp_path / "report" / "training_runs.csv").open(newline="") as file:
        rows = Counter((row["rerun_of"], row["status"]) for row in csv.DictReader(file))
    rerun = "toy/MLP/rerun"
    assert rows == {("", "ok"): 39, ("", "diverged"): 1, (rerun, "ok"): 2, (rerun, "diverged"): 1}
    row = next(line for line in report_lines(tmp_path) if line.startswith("| MLP/lr-batch |"))
    assert " | 1 | " in row


def report_lines(folder: Path) -> list[str]:
    return (folder / "report" / "report.md").read_text().splitlines()


def test_bad_questions(ends: Callable[..., str], tmp_path: Path) -> None:
    assert "no store at" in ends(4, "--storage", "sqlite:///missing.db", command=command)
    assert "not a storage URL" in ends(2, "--storage", "studies.db", command=command)
    with open_store(f"sqlite:///{tmp_path / 'new.db'}"):
        pass
    said = ends(1, "--storage", "sqlite:///new.db", command=command)
    assert said.splitlines()[0].startswith("no model is complete")
    said = ends(2, "--storage", "sqlite:///new.db", "--experiment", "x", command=command)
    assert "the store has none" in said


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    write_files(folder, {"report.md": b"1", "figures/a.png": b"2"})
    (folder / "notes.txt").write_text("mine")
    write_files(folder, {"report.md": b"3", "figures/b.png": b"4"})
    found = {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*.*")}
    assert found == {
        "report.md": "3", "figures/a.png": "2", "figures/b.png": "4", "notes.txt": "mine",
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"notes.txt \(File exists\): name another folder"):
        write_files(folder / "notes.txt", {"report.md": b"5"})
    (folder / "figures" / "b.png").unlink()
    (folder / "figures" / "b.png").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        write_files(folder, {"figures/b.png": b"6", "report.md": b"7"})
    assert (folder / "report.md").read_text() == "3"
    assert not list(folder.glob(".*"))
