"""Search, and rerun the winners: `python -m studies.run MODEL... | all`."""

import inspect
import math
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer
from rich.console import Console

from storage.urls import DEFAULT_STORAGE
from studies.display.errors import UsageError
from studies.display.exit_codes import FAILED, exit_codes, interruptible
from studies.display.table import show_results
from studies.display.words import did_you_mean, without_password
from studies.experiment.definition import Experiment
from studies.experiment.file import load
from studies.experiment.options import GENERAL, Definition, ExperimentFunction, resolve

if TYPE_CHECKING:
    from storage.queries import ModelResult

ALL = "all"

HELP = {
    "repeats": "Trainings per cell.",
    "reruns": "Fresh trainings of a winner.",
    "search": "Stage after stage, all at once, or none: rerun what was published.",
    "rank_by": "What makes a cell the best.",
    "racing": "Give up cells that can hardly win any more.",
}
CHOICES = {
    "search": Literal["stages", "joint", "published"],
    "rank_by": Literal["mean", "lower-bound"],
}


def run(
    models: Annotated[list[str], typer.Argument(help="Names of models, or all.")],
    define: Annotated[
        str | None,
        typer.Option(metavar="FILE.py", help="The file of an experiment other than the paper's."),
    ] = None,
    storage: Annotated[str, typer.Option(metavar="URL", help="The store.")] = DEFAULT_STORAGE,
    experiment: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Its name; by default with what differs in it."),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=V,V", help="Other values of a parameter; may be repeated."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes; by default one per core.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler, such as tcp://HOST:8786."),
    ] = None,
    artifact_dir: Annotated[
        Path | None, typer.Option(help="Folder of the figures, if not one beside the store.")
    ] = None,
) -> None:
    """Search the hyper-parameters of MODELS, then train each winner afresh.

    What the store has already is not trained again. Stop with Ctrl-C; the same command goes on.
    """


def command(definition: Definition) -> Callable[..., Any]:
    """Return the command with the options of an experiment beside its own. Raises UsageError."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

    def chosen(**options: Any) -> None:
        own = {name: options.pop(name) for name in inspect.signature(run).parameters}
        given = {name: value for name, value in options.items() if value is not None}
        with exit_codes(), interruptible():
            _run(definition, given, **own)

    parameters = {**inspect.signature(run, eval_str=True).parameters, **_options(definition)}
    chosen.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    chosen.__annotations__ = {name: p.annotation for name, p in parameters.items()}
    chosen.__doc__ = run.__doc__
    app.command()(chosen)
    try:
        return typer.main.get_command(app)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise UsageError(f"an option of the experiment cannot be given in words: {error}") from None


def _options(definition: Definition) -> dict[str, inspect.Parameter]:
    """Return the options of an experiment: those of its function, and general ones."""
    rows = list(definition.options()) if isinstance(definition, ExperimentFunction) else []
    for name in GENERAL:
        if name not in {row[0] for row in rows}:
            kind = CHOICES.get(name, type(getattr(Experiment, name)))
            # What a function chooses is not known before it is called.
            is_known = isinstance(definition, Experiment)
            default = getattr(definition, name) if is_known else None
            rows.append((name, kind if is_known else kind | None, default, HELP[name]))
    options = {}
    for name, kind, default, text in rows:
        if name in inspect.signature(run).parameters or name == "help":
            raise UsageError(f"option {name} of the experiment is one of the command's own")
        words = get_args(kind) if get_origin(kind) is Literal else None
        option = typer.Option(help=text, metavar="|".join(map(str, words)) if words else None)
        if bool in (kind, *get_args(kind)):
            flag = f"--{name.replace('_', '-')}"
            option = typer.Option(f"{flag}/--no-{flag[2:]}" if default else flag, help=text)
        options[name] = inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[kind, option],
        )
    return options


def _run(
    definition: Definition,
    options: dict[str, Any],
    models: list[str],
    define: str | None,
    storage: str,
    experiment: str | None,
    grid: list[str] | None,
    workers: int | None,
    cluster: str | None,
    artifact_dir: Path | None,
) -> None:
    grids: dict[str, list[int | float | str]] = {}
    for words in grid or ():
        name, equals, values = words.partition("=")
        if not equals:
            raise UsageError(f"--grid {words} needs values: give {name}=VALUE,VALUE")
        if name in grids:
            raise UsageError(f"--grid {name} is given twice: give all of its values at once")
        grids[name] = [_value(word) for word in values.split(",") if word]
    chosen = resolve(definition, options, experiment, grids)
    names = _models(models, list(chosen.models))
    # Loading torch, Optuna and Dask takes seconds, so a mistyped name is told before.
    from studies.search.service import Settings, run_models

    failed = run_models(chosen, names, Settings(storage, workers, cluster, artifact_dir), Console())
    show_results(storage, chosen.name, names, artifact_dir)
    for sentence in failed:
        print(f"failed: {sentence}", file=sys.stderr)
    if failed:
        raise typer.Exit(FAILED)


def _models(names: Sequence[str], known: list[str]) -> list[str]:
    """Return the models that a list of names means, once for all mentions, in their order."""
    for name in names:
        if name not in known and name != ALL:
            # Who forgets to write --storage gives its URL as a name.
            hint = did_you_mean(name, [*known, ALL])
            raise UsageError(f"no model is called {without_password(name)!r}: {hint}")
    return [model for model in known if ALL in names or model in names]


def _value(word: str) -> int | float | str:
    """Return a number, or a word where it is none, such as `nan`."""
    for kind in (int, float):
        try:
            if math.isfinite(value := kind(word)):
                return value
        except (ValueError, OverflowError):
            pass
    return word


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; `--define FILE.py` decides which options it has."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with exit_codes():
            chosen = command(_definition(words))
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    chosen(words, prog_name="python -m studies.run")


def _definition(words: Sequence[str]) -> Definition:
    files = [after for word, after in pairwise(words) if word == "--define"]
    files += [word.removeprefix("--define=") for word in words if word.startswith("--define=")]
    return load(files[-1]) if files else _paper()


def _paper() -> Definition:
    from studies.paper import experiment

    return experiment


def run_model(
    name: str,
    storage: str = DEFAULT_STORAGE,
    experiment: str | None = None,
    define: Definition | None = None,
    **options: Any,
) -> "ModelResult":
    """Run the chain of one model, as `python -m studies.run` does, and return its results.

    `define` is an experiment, the paper's by default, and `options` are its own:
    `run_model("MLP", epochs=5, repeats=3)`. `experiment` names it. Raises KeyError for an unknown
    model, RuntimeError where cells failed or all reruns diverged, else as `run_models`.
    """
    from storage.queries import model_results
    from storage.reader import open_reader
    from studies.search.service import Settings, run_models

    chosen = resolve(define or _paper(), options, experiment)
    chosen.training(name)
    failed = run_models(chosen, [name], Settings(storage), Console(stderr=True))
    if failed:
        raise RuntimeError("; ".join(failed))
    reader = open_reader(storage)
    try:
        results = model_results(reader, chosen.name, name)
    finally:
        reader.dispose()
    if not results:
        raise RuntimeError(f"all reruns of {name} diverged")
    return results[0]


if __name__ == "__main__":
    main()
