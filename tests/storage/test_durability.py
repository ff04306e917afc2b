"""Which commits wait for the disk: those of trainings, and no others."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import Connection, create_engine, event, text

from storage.durability import durable
from storage.store import Store, open_store
from storage.trainings import TrainingRun, record
from storage.trials import Outcome, begin_trial

WAITS = {"sqlite": ("pragma synchronous", 2), "postgresql": ("show synchronous_commit", "on")}
DOES_NOT = {"sqlite": ("pragma synchronous", 1), "postgresql": ("show synchronous_commit", "off")}


@contextmanager
def commits(store: Store) -> Iterator[list[Any]]:
    """What the database says of how it will commit, at each commit."""
    setting, _ = WAITS[store.engine.dialect.name]
    seen: list[Any] = []

    def look(connection: Connection) -> None:
        seen.append(connection.connection.cursor().execute(setting).fetchone()[0])

    event.listen(store.engine, "commit", look)
    try:
        yield seen
    finally:
        event.remove(store.engine, "commit", look)


def trial_of(store: Store) -> Any:
    study = optuna.create_study(storage=store.optuna)
    return begin_trial(store.engine, study._study_id, {}, {}, {}, {"place": 0})


def test_a_commit_of_trainings_waits_for_the_disk(store: Store, run: TrainingRun) -> None:
    for fingerprint in "ab":
        with commits(store) as seen:
            record(store.engine, [replace(run, fingerprint=fingerprint)])
        assert seen == [WAITS[store.engine.dialect.name][1]]


def test_writes_of_trials_wait_for_nothing_also_after_trainings(
    store: Store, run: TrainingRun
) -> None:
    record(store.engine, [run])
    with commits(store) as seen:
        trial = trial_of(store)
        seen.clear()
        trial.report({0: 0.5})
        trial.end(Outcome(TrialState.COMPLETE, 0.5))
        trial_of(store)
    name = store.engine.dialect.name
    assert [seen[0], seen[1], seen[-1]] == [DOES_NOT[name][1]] * 3


def test_trainings_that_are_refused_leave_the_setting_as_it_was(
    sqlite_url: str, run: TrainingRun
) -> None:
    with open_store(sqlite_url) as store:
        with pytest.raises(ValueError, match="status 'ok' with"):
            record(store.engine, [replace(run, numbers={})])
        with commits(store) as seen:
            trial_of(store)
        assert set(seen) == {1}


def test_a_server_that_waits_for_more_than_its_disk_goes_on_to(postgres_url: str) -> None:
    for server, expected in (("off", "on"), ("remote_apply", "remote_apply"), ("local", "local")):
        options = f"-c synchronous_commit={server}"
        engine = create_engine(postgres_url, connect_args={"options": options})
        with durable(engine) as connection:
            assert connection.scalar(text("show synchronous_commit")) == expected
        engine.dispose()


def test_without_a_log_of_its_own_every_commit_waits(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file system refuses SQLite's write-ahead log, nothing orders what is lost."""
    import sqlite3

    from storage import store as opening

    class WithoutLog:
        """A connection to a file in which only the older journal works."""

        def __init__(self) -> None:
            self.asked: list[str] = []

        def execute(self, pragma: str) -> sqlite3.Cursor:
            self.asked.append(pragma)
            return sqlite3.connect(":memory:").execute("select 'delete'")

    connection = WithoutLog()
    opening._set_pragmas(connection, None)  # type: ignore[arg-type]
    assert "pragma synchronous=FULL" in connection.asked
