"""Take the trainings of somebody's report as done: `python -m storage.load training_runs.csv URL`.

A search then trains only what the file lacks. Reruns stay out: each is to be timed afresh.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from storage.commands import exit_codes, new_app, run_app
from storage.errors import BadTrainings
from storage.lock import store_lock
from storage.published import trainings
from storage.store import open_store
from storage.trainings import TrainingRun, record, recorded
from storage.urls import parse

app = new_app()


@app.command()
def command(
    path: Annotated[str, typer.Argument(metavar="FILE.csv", help="A training_runs.csv.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="The store, made if missing.")],
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="Take a file of an older version, without check sums."),
    ] = False,
) -> None:
    """Take the trainings that a report has published as done.

    A search then trains only what the file lacks. Reruns are left out: each is timed afresh.
    """
    with exit_codes():
        load(path, url, unchecked)


def load(path: str, url: str, unchecked: bool = False) -> None:
    """Record the searches' trainings that the file holds, all or none, and say how many are new.

    Raises `BadTrainings` and `BadStoreURL`, which leave no store behind, `BadName`, `StoreInUse`,
    and `StoreError`.
    """
    parse(url)
    runs = trainings(Path(path), unchecked)
    with store_lock(url, ["load"]) as lock, open_store(url, lock) as store:
        known = recorded(store.engine, (run.fingerprint for run in runs))
        _require_agreement(path, runs, known)
        record(store.engine, runs)
    new = len(runs) - len(known)
    print(f"{len(runs)} trainings of searches in the file, {new} of them new")


def _require_agreement(
    path: str, runs: Sequence[TrainingRun], known: Mapping[str, TrainingRun]
) -> None:
    """Raise `BadTrainings` where the store has another result of a training."""
    # Times and hosts may differ: the store's own driver may have trained the same.
    for run in runs:
        stored = known.get(run.fingerprint, run)
        for name in ("model", "seed", "status"):
            _require_same(path, run, name, getattr(run, name), getattr(stored, name))
        for name in run.numbers.keys() & stored.numbers.keys():
            _require_same(path, run, name, run.numbers[name], stored.numbers[name])


def _require_same(path: str, run: TrainingRun, name: str, here: object, stored: object) -> None:
    if here != stored:
        raise BadTrainings(
            f"training {run.fingerprint[:12]} of {run.model} has {name} {here} in {path}, but "
            f"{stored} in the store: load the file into another store"
        )


if __name__ == "__main__":
    run_app(app, "storage.load")
