"""What must hold for a store after any fault, once its run has been completed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

Rows = list[tuple[object, ...]]

TRAININGS = """
select fingerprint, model, learning_rate, batch_size, alpha, seed, epochs, data, status, accuracy,
    validation_accuracy, loss_curve, auxiliary
from training_runs order by fingerprint
"""
CELLS = (
    "select * from grid_cells order by experiment, model, stage, learning_rate, batch_size, alpha"
)
BEST = "select * from best_params order by experiment, model"
RESULTS = """
select experiment, model, learning_rate, batch_size, alpha, mean_accuracy, std_accuracy, reruns
from model_results order by experiment, model
"""
COMPLETE = """
select study_name, value_json, count(*)
from trials natural join studies natural join trial_system_attributes
where state = 'COMPLETE' and key = 'grid_id' group by 1, 2 order by 1, 2
"""
UNFINISHED = "select number, state from trials where state in ('RUNNING', 'WAITING')"


def ask(store: Path, statement: str) -> Rows:
    """What a store answers."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=60)) as connection:
        return connection.execute(statement).fetchall()


@dataclass(frozen=True)
class Results:
    """What a run leaves that was not interrupted, to the bit."""

    trainings: Rows
    cells: Rows
    best: Rows
    results: Rows
    complete: Rows
    """Study and cell of each complete trial, and how many there are of it."""

    @classmethod
    def of(cls, store: Path) -> "Results":
        return cls(*(ask(store, each) for each in (TRAININGS, CELLS, BEST, RESULTS, COMPLETE)))


def violations(store: Path, whole: Results) -> Iterator[str]:
    """Say what is wrong with a store whose run was interrupted and then completed."""
    if (found := ask(store, "pragma integrity_check")) != [("ok",)]:
        yield f"integrity check: {found}"
    if found := ask(store, UNFINISHED):
        yield f"unfinished trials: {found}"
    left = Results.of(store)
    for name, expected in vars(whole).items():
        if (rows := vars(left)[name]) != expected:
            yield f"{name}: {len(rows)} rows that differ from the {len(expected)} of a whole run"
    if any(count != 1 for *_, count in left.complete):
        yield f"cells with several complete trials: {left.complete}"
