"""Results as data frames, for notebooks: `studies.results(storage)`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from storage.columns import ADDED, Columns, objectives, read_columns
from storage.errors import explained
from storage.queries import RankedCell, Rerun, ranked_cells, reruns, studies
from storage.reader import open_reader
from storage.trainings import training_runs
from storage.urls import DEFAULT_STORAGE
from studies.display.table import Row
from studies.display.table import results as rows_of_models
from studies.experiment.stage import RERUN

if TYPE_CHECKING:
    from pandas import DataFrame

_NAMES = ("experiment", "model", "stage")

_MEASURES = ("mean_{}", "std_{}")

_MEASURED = ("train_seconds", "cpu_seconds", "threads", "host", "started_at", *ADDED)
"""What is the same for the trainings of all experiments, as columns of `training_runs`."""


@dataclass(frozen=True)
class Results:
    """What a store holds, as data frames of pandas, parameters as columns by their names.

    A column is empty (NaN or None) where a row has no such value. Times are in seconds.
    """

    trainings: "DataFrame"
    """A row for each training in each study that rests on it; one in no study has no stage."""
    cells: "DataFrame"
    """A row for each cell of a search, the best of a study first: as the view `grid_cells`."""
    reruns: "DataFrame"
    """A row for each fresh training of a winner; its objective is empty where it diverged."""
    models: "DataFrame"
    """A row for each model: winner, means over the reruns, and what is published."""


def results(storage: str = DEFAULT_STORAGE, experiment: str | None = None) -> Results:
    """Return the results in a store, or those of one experiment; also while a run writes it.

    Raises UsageError for an experiment that the store does not have, BadStoreURL, and StoreError
    where the store cannot be read.
    """
    import pandas as pd

    _, of_models = rows_of_models(storage, experiment)
    engine = open_reader(storage)
    try:
        with explained(engine.url), engine.connect() as connection:
            columns = read_columns(connection)
        cells = [cell for cell in ranked_cells(engine) if experiment in (None, cell.experiment)]
        fresh = reruns(engine, experiment)
        measured = {(s.experiment, s.model): s.objective for s in studies(engine)}
        trainings = list(_trainings(engine, cells, fresh, is_whole=experiment is None))
    finally:
        engine.dispose()
    parameters, names = list(columns["parameter"]), objectives(columns)

    def frame(rows: Iterable[Mapping[str, Any]], *header: str) -> "DataFrame":
        return pd.DataFrame(list(rows), columns=list(dict.fromkeys(header)))

    means = [word.format(name) for name in names for word in _MEASURES]
    return Results(
        frame(trainings, *_header(columns)),
        frame(
            (_cell(cell, measured[cell.experiment, cell.model]) for cell in cells),
            *_NAMES, *parameters, *means, "runs", "state", "dead",
        ),
        frame(
            (_rerun(rerun, measured[rerun.experiment, rerun.model]) for rerun in fresh),
            *_NAMES, *parameters, "seed", *names, "train_seconds", "disturbed", "fingerprint",
        ),
        frame(
            map(_model, of_models),
            *_NAMES[:2], "parameters", *parameters,
            *(f"searched_{mean}" for mean in means), "runs",
            *means, "mean_train_seconds", "std_train_seconds", "reruns", "timed",
            *(f"published_{mean}" for mean in means),
            "published_mean_train_seconds", "published_std_train_seconds",
        ),
    )  # fmt: skip


def _header(columns: Columns) -> list[str]:
    """Return the columns of trainings."""
    return [
        *_NAMES, *columns["parameter"], "seed", *columns["setting"], "data", "status",
        *columns["number"], *_MEASURED, "loss_curve", "fingerprint",
    ]  # fmt: skip


def _trainings(
    engine: Engine, cells: Sequence[RankedCell], fresh: Sequence[Rerun], is_whole: bool
) -> Iterator[dict[str, Any]]:
    """Yield the trainings of each study; if asked for the whole store, also those of no study."""
    uses: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for cell in cells:
        for fingerprint in cell.fingerprints:
            uses[fingerprint].append(_named(cell, cell.stage))
    for rerun in fresh:
        uses[rerun.fingerprint].append(_named(rerun, RERUN))
    for run in training_runs(engine):
        own: dict[str, Any] = {"model": run.model, **run.settings, **run.parameters}
        alone = [own] if is_whole else []
        for use in uses.get(run.fingerprint, alone):
            yield {
                **run.settings, **use, **run.numbers,
                **{name: getattr(run, name) for name in ("seed", "data", "status", *_MEASURED)},
                "loss_curve": run.loss_curve, "fingerprint": run.fingerprint,
            }  # fmt: skip


def _named(row: RankedCell | Rerun, stage: str) -> dict[str, Any]:
    """Return where a row belongs, and its parameters."""
    return {
        "experiment": row.experiment, "model": row.model, "stage": stage, **row.parameters,
    }  # fmt: skip


def _cell(cell: RankedCell, objective: str) -> dict[str, Any]:
    return {
        **_named(cell, cell.stage),
        f"mean_{objective}": cell.mean, f"std_{objective}": cell.deviation,
        "runs": cell.runs, "state": cell.state, "dead": cell.dead,
    }  # fmt: skip


def _rerun(rerun: Rerun, objective: str) -> dict[str, Any]:
    return {
        **_named(rerun, RERUN),
        "seed": rerun.seed, objective: rerun.value, "train_seconds": rerun.train_seconds,
        "disturbed": rerun.disturbed, "fingerprint": rerun.fingerprint,
    }  # fmt: skip


def _model(row: Row) -> dict[str, Any]:
    best, result, published = row.best, row.result, row.published
    mean, deviation = f"mean_{best.objective}", f"std_{best.objective}"
    values: dict[str, Any] = {
        "experiment": best.experiment, "model": best.model, **best.parameters,
        f"searched_{mean}": best.mean, f"searched_{deviation}": best.deviation, "runs": best.runs,
        f"published_{mean}": published.get("mean"),
        f"published_{deviation}": published.get("deviation"),
        "published_mean_train_seconds": published.get("seconds"),
        "published_std_train_seconds": published.get("seconds_deviation"),
    }  # fmt: skip
    if result is not None:
        values |= {
            "parameters": result.parameter_count, mean: result.mean, deviation: result.deviation,
            "mean_train_seconds": result.mean_seconds,
            "std_train_seconds": result.deviation_seconds,
            "reruns": result.reruns, "timed": result.timed,
        }  # fmt: skip
    return values
