"""Run models from a script or a notebook: `studies.run_models(["MLP", "CNN"], workers=1)`."""

from collections.abc import Iterable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from rich.console import Console

from storage.queries import ModelResult
from storage.trainings import Value
from storage.urls import DEFAULT_STORAGE
from studies.display.errors import UsageError
from studies.display.table import results
from studies.display.words import did_you_mean
from studies.experiment.options import Definition, Option, options_of, resolve
from studies.run import ALL, defined, models_of

_KINDS = {
    "storage": str, "experiment": str | None, "workers": int | None, "cluster": str | None,
    "priority": int, "artifact_dir": Path | None,
}  # fmt: skip
"""Types of the arguments that are handed on."""


def run_models(
    names: str | Iterable[str],
    storage: str = DEFAULT_STORAGE,
    experiment: str | None = None,
    define: Definition | str | Path | None = None,
    *,
    grid: Mapping[str, Sequence[Value]] | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    priority: int = 0,
    artifact_dir: str | Path | None = None,
    **options: Any,
) -> list[ModelResult]:
    """Run the chains of models, as `python -m studies.run` does, and return their results.

    `names` are models, or "all". `define` is an experiment or the file of one, by default the
    paper's, `experiment` names it, and `options` are its own: `run_models(["MLP"], epochs=5)`. The
    others are those of the command: `grid={"depth": [4, 8]}`, `workers=1`. Raises UsageError,
    with the sentence of the command, for what makes no sense; RuntimeError where cells failed or
    all reruns of a model diverged; and StoreInUse, StoreError and ClusterLost.
    """
    given = {
        "storage": storage, "experiment": experiment, "workers": workers, "cluster": cluster,
        "priority": priority, "artifact_dir": artifact_dir,
    }  # fmt: skip
    for name, value in given.items():
        Option(_KINDS[name], None, "").require(name, value)
    definition = defined(define)
    known = [*options_of(definition), *list(signature(run_models).parameters)[1:-1]]
    for option in options:
        if option not in known:
            raise UsageError(f"there is no option {option!r}: {did_you_mean(option, known)}")
    chosen = resolve(definition, options, experiment, grid)
    wanted = [names] if isinstance(names, str) else [*map(str, names)]
    models = models_of(wanted, list(chosen.models))
    # Loading torch, Optuna and Dask takes seconds, so a mistyped name is reported before.
    from studies.search import service

    folder = None if artifact_dir is None else Path(artifact_dir)
    settings = service.Settings(storage, workers, cluster, priority, folder)
    failed = service.run_models(chosen, models, settings, Console(stderr=True))
    if failed:
        raise RuntimeError("; ".join(failed))
    _, rows = results(settings.storage, chosen.name, models)
    by_name = {row.best.model: row.result for row in rows if row.result is not None}
    for model in models:
        if model not in by_name:
            raise RuntimeError(f"all reruns of {model} diverged")
    return [by_name[model] for model in models]


def run_model(
    name: str,
    storage: str = DEFAULT_STORAGE,
    experiment: str | None = None,
    define: Definition | str | Path | None = None,
    **options: Any,
) -> ModelResult:
    """Run the chain of one model, as `run_models` does, and return its results."""
    if name == ALL:
        raise UsageError("run_model runs one model: give `all` to run_models")
    (result,) = run_models([name], storage, experiment, define, **options)
    return result
