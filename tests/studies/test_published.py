"""Whoever has a report's trainings searches without training again."""

from contextlib import closing
from pathlib import Path

from terminal import SMALL, Terminal


def test_a_search_goes_on_from_the_trainings_of_a_report(
    whole: tuple[Terminal, str], cache: Path, tmp_path: Path
) -> None:
    source, _ = whole
    source.run("studies.report", "--out", str(tmp_path / "report"))
    with closing(Terminal(tmp_path, cache)) as other:
        other.run("storage.load", "report/training_runs.csv", "sqlite:///studies.db")
        said = other.run("studies.run", *SMALL)
        assert "40 of them are recorded already" in said
        assert "2 are left to run" in said
        assert other.trained() == source.trained()
        search = "select fingerprint, started_at from training_runs where seed < 10 order by 1"
        assert other.query(search) == source.query(search)
