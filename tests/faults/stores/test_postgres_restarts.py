"""The server of a store restarts in the midst of a run: at once, or only after a while."""

import time
from dataclasses import dataclass

import pytest
from optuna import Study

from studies.dashboard.notes import StudyNotes
from studies.experiment.study import GridStudy
from tests.faults.stores.leftovers import Rows, completes
from tests.faults.stores.small_searches import Record, Search, once_trained
from tests.support.postgres import Server


@dataclass
class Restart:
    """A real restart, and what was written after it."""

    server: Server
    seconds_down: float
    log_before: int = 0

    def __call__(self) -> None:
        self.server.stop()
        try:
            time.sleep(self.seconds_down)
            self.log_before = self.server.log.stat().st_size
        finally:
            self.server.start()

    def writes_since(self) -> list[str]:
        log = self.server.log.read_bytes()[self.log_before :].decode()
        return [line for line in log.splitlines() if "LOG:  statement" in line or "execute" in line]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds_down", "after"),
    [
        (0, [1, 8, 16, 24, 32]),
        (10, [1, 8, 16, 24, 32]),
    ],
)
def test_a_run_ends_cleanly_and_goes_on_when_asked(
    seconds_down: float,
    after: list[int],
    search: Search,
    uninterrupted: Rows,
    postgres: Server,
    postgres_url: str,
    record_property: Record,
) -> None:
    wrong: list[str] = []
    for trainings in after:
        restart = Restart(postgres, seconds_down)
        with once_trained(postgres_url, trainings, restart):
            result = search(postgres_url)
        if result.exit_code != 4 or "run again to go on" not in result.output:
            wrong.append(f"exit {result.exit_code}: {result.output}")
        # The lock is lost: another driver may hold it by now.
        wrong += restart.writes_since()
    wrong += completes(search, postgres_url, uninterrupted)
    record_property(
        "fault",
        f"PostgreSQL restarts, {seconds_down} s down: {len(after)} times, {len(wrong)} violations",
    )
    assert wrong == []


@pytest.mark.usefixtures("no_pictures")
def test_nothing_is_written_by_whom_a_restart_took_the_lock(
    search: Search,
    postgres: Server,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Record,
) -> None:
    """Here before figures are drawn, whose troubles are warnings."""
    restart, draw = Restart(postgres, 0), StudyNotes.complete

    def complete(notes: StudyNotes, grid_study: GridStudy, study: Study) -> None:
        restart()
        draw(notes, grid_study, study)

    monkeypatch.setattr(StudyNotes, "complete", complete)
    result = search(postgres_url, "--grid", "batch_size=128")
    wrong = restart.writes_since()
    record_property("fault", f"PostgreSQL restarts while drawing: 1 time, {len(wrong)} violations")
    assert wrong == []
    assert result.exit_code == 4
    assert "was lost: run again to go on" in result.output
