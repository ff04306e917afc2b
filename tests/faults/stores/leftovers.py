"""What a small search leaves in its store, and what must hold of it whatever happened."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from storage.errors import StoreError
from storage.reader import open_reader
from storage.urls import parse, sqlite_path

CELLS, TRAININGS = 20 + 2, 20 * 2 + 2
"""Of a search with two repeats of a model without auxiliary loss, and its two reruns."""

Rows = list[tuple[object, ...]]

_RUNS = """
select fingerprint, model, learning_rate, batch_size, alpha, seed, epochs, data, status, accuracy,
    validation_accuracy, loss_curve, auxiliary from training_runs
"""
_CELLS = """
select study_name, value_json as cell, value
from studies join trials using (study_id) join trial_system_attributes using (trial_id)
    join trial_values using (trial_id)
where key = 'grid_id' and state = 'COMPLETE'
"""
_COUNTS = {
    "trainings": ("select count(*) from training_runs", TRAININGS),
    "cells": (f"select count(*) from ({_CELLS}) c", CELLS),
    "different cells": (
        f"select count(distinct study_name || ' ' || cell) from ({_CELLS}) c",
        CELLS,
    ),
    "unfinished trials": ("select count(*) from trials where state in ('RUNNING', 'WAITING')", 0),
}


def left(url: str) -> Rows:
    """All that a store holds of trainings and cells, but times and places, in one order."""
    with reading(url) as connection:
        rows = [tuple(row) for query in (_RUNS, _CELLS) for row in connection.execute(text(query))]
    return sorted(rows, key=json.dumps)


def trained(url: str) -> int:
    """The trainings recorded so far."""
    try:
        with reading(url) as connection:
            return connection.scalar(text("select count(*) from training_runs")) or 0
    except (StoreError, DBAPIError):  # the store, or its table, is not made yet
        return 0


def violations(url: str, expected: Rows) -> list[str]:
    """What does not hold of a store after a run that was to complete it; nothing is good."""
    path = sqlite_path(parse(url))
    with reading(url) as connection:
        found = {what: connection.scalar(text(query)) for what, (query, _) in _COUNTS.items()}
        intact = path is None or connection.scalar(text("pragma integrity_check")) == "ok"
    wrong = [f"{what}: {found[what]}" for what, (_, good) in _COUNTS.items() if found[what] != good]
    wrong += ["the store is damaged"] * (not intact)
    wrong += ["other values than without a fault"] * (left(url) != expected)
    if path is not None and left(f"{url}.bak") != expected:
        wrong.append("the copy differs from the store")
    return wrong


def completes(search: Callable[[str], Any], url: str, expected: Rows) -> list[str]:
    """Let a search go on to its end, then run it once more; the violations."""
    result = search(url)
    if result.exit_code != 0:
        return [f"exit {result.exit_code}: {result.output}"]
    wrong = violations(url, expected)
    again = search(url)
    if again.exit_code != 0 or "nothing is left to train" not in again.output:
        wrong.append(f"trained once more: {again.output}")
    return wrong + violations(url, expected)


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """A connection that only reads."""
    engine = open_reader(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
