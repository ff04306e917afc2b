"""Files of trainings, one a row: as CSV, which `storage.load` takes, and as Parquet."""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from types import SimpleNamespace
from typing import Any

from storage.columns import ADDED, csv_cell
from storage.errors import BadTrainings
from storage.published import CHECK, RERUN_OF, row_check
from storage.rows import TrainingRun

RerunOf = Mapping[str, str]
"""Studies of reruns, by fingerprint; a search's training, which studies may share, has none."""


def as_csv(trainings: Sequence[TrainingRun], studies: RerunOf) -> bytes:
    """Return trainings as CSV, with columns that tell roles by place.

    The last one, `check`, is a hash of the others, which `storage.load` compares.
    """
    header = _header(trainings)
    # A carriage return in a word is quoted only where one ends the lines.
    line = SimpleNamespace(write=lambda text: text.removesuffix("\r\n") + "\n")
    writer = csv.writer(line)
    lines = [writer.writerow([*header, CHECK])]
    for run in trainings:
        row = _row(run, studies)
        curve = [loss if math.isfinite(loss) else None for loss in run.loss_curve]
        row["loss_curve"] = json.dumps(curve)
        values = [csv_cell(row.get(name)) for name in header]
        texts = ["" if value is None else str(value) for value in values]
        lines.append(writer.writerow([*texts, row_check(header, texts)]))
    return "".join(lines).encode()


def as_parquet(trainings: Sequence[TrainingRun], studies: RerunOf) -> bytes:
    """Return trainings as Parquet, loss curves as lists. Raises `BadTrainings` without PyArrow."""
    try:
        from pyarrow import parquet, table
    except ImportError:
        raise BadTrainings(
            "Parquet needs PyArrow: pip install pyarrow, or give a name that ends in .csv"
        ) from None
    rows = [_row(run, studies) for run in trainings]
    columns = {name: [row.get(name) for row in rows] for name in _header(trainings)}
    file = BytesIO()
    parquet.write_table(table(columns), file)
    return file.getvalue()


def _header(trainings: Sequence[TrainingRun]) -> list[str]:
    """Return the columns of a file, all but the check."""
    parameters = _names(run.parameters for run in trainings)
    # A setting of one experiment may be a parameter of another: they share a column.
    settings = [
        name for name in _names(run.settings for run in trainings) if name not in parameters
    ]
    numbers = _names(run.numbers for run in trainings)
    return [
        "fingerprint", "model", *parameters, "seed", *settings, "data", "status", *numbers,
        "train_seconds", "cpu_seconds", "threads", "loss_curve", "host", "started_at",
        *ADDED, RERUN_OF,
    ]  # fmt: skip


def _row(run: TrainingRun, studies: RerunOf) -> dict[str, Any]:
    fixed = {name: value for name, value in vars(run).items() if not isinstance(value, Mapping)}
    study = studies.get(run.fingerprint)
    return {**fixed, **run.settings, **run.parameters, **run.numbers, RERUN_OF: study}


def _names(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))
