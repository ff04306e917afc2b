"""Results in a terminal, beside what is published of the models."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.columns import read_columns
from storage.errors import explained, place, without_secrets
from storage.queries import BestParams, ModelResult, best_params, model_results, studies
from storage.reader import open_reader
from storage.urls import DEFAULT_STORAGE
from studies.display.errors import UsageError
from studies.display.words import (
    did_you_mean,
    number_text,
    plus_minus,
    value_text,
    without_password,
)


@dataclass(frozen=True)
class Row:
    """What a store knows of a model in an experiment."""

    best: BestParams
    """Without a search, the parameters of the reruns."""
    result: ModelResult | None
    published: Mapping[str, Any]
    """As the study attribute of that name; empty where nothing is published."""


def show_results(
    storage: str,
    experiment: str | None = None,
    models: Sequence[str] = (),
    artifact_dir: Path | None = None,
) -> None:
    """Print winners and results of some models, by default of all, and how to see more.

    Raises UsageError where the store knows no model of a name, StoreError where it cannot be read.
    """
    parameters, rows = results(storage, experiment, models)
    print(*_lines(parameters, rows), sep="\n")
    print(f"Watch:  {_dashboard(storage, artifact_dir)}\nQuery:  {_query(storage)}")


def results(
    storage: str, experiment: str | None = None, models: Sequence[str] = ()
) -> tuple[list[str], list[Row]]:
    """Return the names of the store's parameters, and what it knows of some models or of all.

    Rows are by experiment, models in its order. Raises UsageError where the store knows no model of
    a name, StoreError where it cannot be read.
    """
    engine = open_reader(storage)
    try:
        known = studies(engine)
        winners = best_params(engine, experiment)
        reruns = {(row.experiment, row.model): row for row in model_results(engine, experiment)}
        with explained(engine.url), engine.connect() as connection:
            parameters = list(read_columns(connection)["parameter"])
    finally:
        engine.dispose()
    # Of models in the order of the last run's experiment, then as begun.
    order: dict[str, list[str]] = {}
    for study in known:
        models_now = study.attributes.get("models") or order.get(study.experiment, [])
        rest = [*order.get(study.experiment, []), study.model]
        order[study.experiment] = list(dict.fromkeys([*models_now, *rest]))
    _check(models, {model for names in order.values() for model in names})
    searched = {(winner.experiment, winner.model) for winner in winners}
    winners += [
        BestParams(*names, result.objective, result.parameters, None, None, 0)
        for names, result in reruns.items()
        if names not in searched
    ]
    published = {
        (study.experiment, study.model): study.attributes["published"]
        for study in known
        if study.attributes.get("published")
    }
    rows = [
        Row(best, reruns.get(names), published.get(names, {}))
        for best in winners
        for names in [(best.experiment, best.model)]
        if not models or best.model in models
    ]
    rows.sort(
        key=lambda row: (row.best.experiment, order[row.best.experiment].index(row.best.model))
    )
    return parameters, rows


def _check(models: Sequence[str], known: set[str]) -> None:
    for model in models:
        if model not in known:
            # Who forgets to write --storage gives its URL as a name.
            hint = did_you_mean(model, known) or "this store has no studies yet"
            raise UsageError(f"no model is called {without_password(model)!r}: {hint}")


def _lines(parameters: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """Yield aligned columns; rich takes as long for hundreds of lines as all else together."""
    several = len({row.best.experiment for row in rows}) > 1
    objectives = {row.best.objective for row in rows}
    shown = [name for name in parameters if any(name in row.best.parameters for row in rows)]
    published = ["published"] * any(row.published for row in rows)
    words = ["experiment"] * several + ["model"] + ["objective"] * (len(objectives) > 1)
    measured = objectives.pop() if len(objectives) == 1 else "result"
    lines = [[*words, *shown, "searched", measured, *published, "seconds", *published]]
    for row in rows:
        best = row.best
        values = {"experiment": best.experiment, "model": best.model, "objective": best.objective}
        ours, theirs = _measured(row.result), _published(row.published)
        cells = [values[word] for word in words]
        cells += [value_text(best.parameters.get(name, "-")) for name in shown]
        cells.append("" if best.mean is None else number_text(best.mean, 4))
        for kind in range(2):
            cells += [ours[kind], theirs[kind]] if published else [ours[kind]]
        lines.append(cells)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if number < len(words) else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells)


def _measured(result: ModelResult | None) -> tuple[str, str]:
    """Return what reruns gave: the objective and the seconds."""
    if result is None:
        return "", ""
    objective = plus_minus(result.mean, result.deviation, 3)
    if result.mean_seconds is None:
        return objective, ""
    return objective, plus_minus(result.mean_seconds, result.deviation_seconds, 2)


def _published(known: Mapping[str, Any]) -> tuple[str, str]:
    """Return what is published of a model: the objective and the seconds."""
    mean, seconds = known.get("mean"), known.get("seconds")
    return (
        "" if mean is None else plus_minus(mean, known["deviation"], 3),
        "" if seconds is None else plus_minus(seconds, known.get("seconds_deviation"), 1),
    )


def _dashboard(storage: str, artifact_dir: Path | None) -> str:
    """Return the command that shows this store, but for its password."""
    words = ["python", "-m", "studies.dashboard"]
    if storage != DEFAULT_STORAGE:
        words += ["--storage", without_secrets(storage)]
    if artifact_dir is not None:
        words += ["--artifact-dir", str(artifact_dir)]
    return shlex.join(words)


def _query(storage: str) -> str:
    """Return a command that reads the winners with SQL."""
    if storage.startswith("sqlite"):
        shell, store = "sqlite3", place(storage)
    else:
        # The name of Python's driver means nothing to psql.
        shell, store = "psql", without_secrets(storage).replace("+psycopg", "")
    return f'{shell} {shlex.quote(store)} "select * from best_params"'
