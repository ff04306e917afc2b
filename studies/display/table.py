"""Results in a terminal, beside what is published of the models."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.columns import read_columns
from storage.errors import explained, place, without_secrets
from storage.queries import (
    BestParams,
    Certainty,
    ModelResult,
    StudyAttributes,
    best_params,
    model_results,
    studies,
)
from storage.reader import open_reader
from storage.urls import DEFAULT_STORAGE
from studies.display.certainty import LEGEND, known_certainty, sureness_lines
from studies.display.columns import aligned, line_width, paragraph
from studies.display.errors import UsageError
from studies.display.words import (
    did_you_mean,
    measured_figures,
    number_text,
    published_figures,
    timing_remarks,
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
    certainty: Mapping[str, Certainty] = field(default_factory=dict)
    """How sure the winners of its searches are, by stage; of complete searches alone."""


def show_results(
    storage: str,
    experiment: str | None = None,
    models: Sequence[str] = (),
    artifact_dir: Path | None = None,
    opened: str | None = None,
    remarks: Iterable[str] = (),
) -> None:
    """Print winners and results of some models, by default of all, and how to see more.

    `opened` is the URL to read, if not `storage` as it was typed; `remarks` are sentences on the
    winners. Raises UsageError where the store has no study of a model or an experiment, StoreError
    where it cannot be read.
    """
    parameters, rows = results(opened or storage, experiment, models)
    width = line_width()
    print(*_lines(parameters, rows, width), sep="\n")
    searches = _searches(rows)
    if searches:
        print("", *sureness_lines(searches, width), *paragraph(LEGEND, width), "", sep="\n")
    timings = timing_remarks([row.result for row in rows if row.result is not None])
    for remark in (*remarks, *timings):
        print(*paragraph(remark, width), sep="\n")
    # Whole, as people copy them.
    print(f"Watch:  {_dashboard(storage, artifact_dir)}\nQuery:  {_query(storage)}")


def results(
    storage: str, experiment: str | None = None, models: Sequence[str] = ()
) -> tuple[list[str], list[Row]]:
    """Return the names of the store's parameters, and what it knows of some models or of all.

    Rows are by experiment, models in its order. Raises UsageError where the store has no study of a
    model or an experiment, StoreError where it cannot be read.
    """
    engine = open_reader(storage)
    try:
        known = studies(engine)
        winners = {(best.experiment, best.model): best for best in best_params(engine, experiment)}
        reruns = {(row.experiment, row.model): row for row in model_results(engine, experiment)}
        with explained(engine.url), engine.connect() as connection:
            parameters = list(read_columns(connection)["parameter"])
        searches = [
            study
            for study in known
            if study.stage != "rerun"
            and experiment in (None, study.experiment)
            and (not models or study.model in models)
        ]
        certainty = known_certainty(engine, searches)
    finally:
        engine.dispose()
    # Of models in the order of the last run's experiment, then as begun.
    order: dict[str, list[str]] = {}
    published: dict[tuple[str, str], Mapping[str, Any]] = {}
    for study in known:
        before = order.get(study.experiment, [])
        names = [*study.attributes.get("models", []), *before, study.model]
        order[study.experiment] = list(dict.fromkeys(names))
        published[study.experiment, study.model] = study.attributes.get("published") or {}
    require_begun(known, experiment, models)
    rows = []
    for key in ((name, model) for name in sorted(order) for model in order[name]):
        best, result = winners.get(key), reruns.get(key)
        if best is None and result is not None:
            best = BestParams(*key, result.objective, result.parameters, None, None, 0)
        if best is not None and (not models or best.model in models):
            rows.append(Row(best, result, published.get(key, {}), certainty.get(key, {})))
    return parameters, rows


def _searches(rows: Sequence[Row]) -> dict[str, Certainty]:
    """Return how sure the winners are, by the names of the searches."""
    is_single = len({row.best.experiment for row in rows}) == 1
    return {
        "/".join(((row.best.experiment,) * (not is_single)) + (row.best.model, stage)): certainty
        for row in rows
        for stage, certainty in row.certainty.items()
    }


def require_begun(
    known: Sequence[StudyAttributes], experiment: str | None, models: Iterable[str]
) -> None:
    """Raise UsageError for an experiment, None for any, or for models of it without a study."""
    asked = [] if experiment is None else [experiment]
    require_known("experiment", asked, dict.fromkeys(study.experiment for study in known))
    begun = {study.model for study in known if not asked or study.experiment == experiment}
    require_known("model", models, begun)


def require_known(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise UsageError for a name that a store does not know."""
    for name in set(names).difference(known):
        # People who forget to write --storage give its URL as a name.
        hint = did_you_mean(name, known) or "this store has no studies yet"
        raise UsageError(f"no {kind} is called {without_password(name)!r}: {hint}")


def _lines(parameters: Sequence[str], rows: Sequence[Row], width: int | None) -> Iterator[str]:
    """Yield the table of winners, in parts where it is wider than a terminal."""
    winners = [row.best for row in rows]
    measured = [measured_figures(row.result) for row in rows]
    published = [published_figures(row.published) for row in rows]
    experiments = [best.experiment for best in winners]
    objectives = [best.objective for best in winners]
    words = [("model", [best.model for best in winners])]
    if len(set(experiments)) > 1:
        words.insert(0, ("experiment", experiments))
    if len(set(objectives)) > 1:
        words.append(("objective", objectives))
    numbers = [
        [(name, [value_text(best.parameters.get(name, "-")) for best in winners])]
        for name in parameters
        if any(name in best.parameters for best in winners)
    ]
    means = ["" if best.mean is None else number_text(best.mean, 4) for best in winners]
    numbers.append([("searched", means)])
    objective = objectives[0] if len(set(objectives)) == 1 else "result"
    for number, title in enumerate((objective, "seconds")):
        numbers.append([(title, [figures[number] for figures in measured])])
        if any(row.published for row in rows):
            numbers[-1].append(("published", [figures[number] for figures in published]))
    yield from aligned(words, numbers, width)


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
