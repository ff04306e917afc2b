"""Search, and rerun the winners: `python -m studies.run MODEL... | all`."""

import inspect
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, pairwise, zip_longest
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.console import Console
from typer.core import TyperCommand

from storage.commands import new_app, with_version
from storage.output import output
from storage.urls import DEFAULT_STORAGE
from studies.display.errors import UsageError
from studies.display.exit_codes import FAILED, OUT_OF_TIME, exit_codes, interruptible, leaving
from studies.display.table import show_results
from studies.display.words import did_you_mean, without_password
from studies.experiment.file import load
from studies.experiment.options import BARE, Definition, Option, options_of, resolve
from studies.paper import experiment as paper
from studies.search.deadline import OutOfTime, deadline
from studies.search.provenance import this_command

ALL = "all"


def run(
    definition: Definition,
    options: Mapping[str, Any],
    models: list[str],
    define: Annotated[
        str | None,
        typer.Option(metavar="FILE.py", help="The file of an experiment other than the paper's."),
    ] = None,
    storage: Annotated[str, typer.Option(metavar="URL", help="The store.")] = DEFAULT_STORAGE,
    experiment: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the experiment; by default, what differs."),
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
    priority: Annotated[
        int, typer.Option(help="Of runs on one cluster, the one with the highest goes first.")
    ] = 0,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only print what a run would do, and how long it takes.")
    ] = False,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="End by then: HH:MM, or a date and time in ISO format."),
    ] = None,
    for_: Annotated[
        str | None,
        typer.Option("--for", metavar="SPAN", help="End after so long: 90m, 1h30m, 45s."),
    ] = None,
    artifact_dir: Annotated[
        Path | None, typer.Option(help="Folder of the figures, if not one beside the store.")
    ] = None,
) -> None:
    """Search the hyper-parameters of MODELS, then train each winner afresh.

    What the store has already is not trained again. Stop with Ctrl-C; the same command goes on.
    """
    grids: dict[str, list[int | float | str]] = {}
    for words in grid or ():
        name, equals, values = words.partition("=")
        if not equals:
            raise UsageError(f"--grid {words} needs values: give {name}=VALUE,VALUE")
        if name in grids:
            raise UsageError(f"--grid {name} is given twice: give all of its values at once")
        grids[name] = [_value(word) for word in values.split(",") if word]
    chosen = resolve(definition, options, experiment, grids)
    names = models_of(models, list(chosen.models))
    ends = deadline(until, for_)
    if plan and ends is not None:
        raise UsageError("--plan runs nothing: leave out --until and --for")
    # Loading torch, Optuna and Dask takes seconds, so a mistyped name is reported before.
    from studies.search.edge_winners import edge_sentences
    from studies.search.service import Settings, run_models, show_plan

    settings = Settings(storage, workers, cluster, priority, artifact_dir, ends)
    if plan:
        show_plan(chosen, names, settings, Console())
        return
    left: list[str] = []
    try:
        failed = run_models(chosen, names, settings, Console())
    except OutOfTime as late:
        left, failed = late.left, late.failed
        names = [name for name in names if name in late.begun]
    if names:
        edges = edge_sentences(chosen, names, settings.storage)
        show_results(storage, chosen.name, names, artifact_dir, settings.storage, edges)
    for sentence in failed:
        print(f"failed: {sentence}", file=sys.stderr)
    if left:
        print(*left, f"The same command goes on: {this_command()}", sep="\n")
    if left or failed:
        raise typer.Exit(OUT_OF_TIME if left else FAILED)


class _Command(TyperCommand):
    """A command with options that may be given without their number, such as `--extend`."""

    numbers: Mapping[str, int] = {}
    """The number of such an option where none is given, by its flag."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of a command line."""
        return super().parse_args(ctx, list(self.with_numbers(args)))

    def with_numbers(self, words: Sequence[str]) -> Iterator[str]:
        """Yield the words of a command line, with the number of every option that lacks one."""
        for word, after in zip_longest(words, words[1:], fillvalue=""):
            is_bare = word in self.numbers and not re.fullmatch(r"-?\d[\d.]*", after)
            yield f"{word}={self.numbers[word]}" if is_bare else word


def command(definition: Definition) -> Callable[..., Any]:
    """Return the command with the options of an experiment beside its own. Raises UsageError."""
    app = new_app()
    own = dict(inspect.signature(run, eval_str=True).parameters)
    del own["definition"], own["options"]
    known = options_of(definition)
    options = {name: _parameter(name, option) for name, option in known.items()}
    for name in options:
        if name in own or name in ("help", "version"):
            raise UsageError(f"option {name} of the experiment is one of the command's own")

    def models_like(incomplete: str) -> list[str]:
        names = [*resolve(definition, {}).models, ALL]
        return [name for name in names if name.startswith(incomplete)]

    # For the shell that completes a word.
    argument = typer.Argument(help="Names of models, or all.", autocompletion=models_like)
    own["models"] = own["models"].replace(annotation=Annotated[list[str], argument])

    def chosen(**given: Any) -> None:
        of_run = {name: given.pop(name) for name in own}
        with exit_codes(), interruptible():
            run(definition, {k: v for k, v in given.items() if v is not None}, **of_run)

    parameters = [*own.values(), *options.values()]
    chosen.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    chosen.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    chosen.__doc__ = run.__doc__
    app.command(cls=_Command)(chosen)
    try:
        made = typer.main.get_command(app)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise UsageError(f"an option of the experiment cannot be given in words: {error}") from None
    assert isinstance(made, _Command)
    made.numbers = {
        f"--{name.replace('_', '-')}": number
        for name, number in BARE.items()
        if int in (known[name].kind, *get_args(known[name].kind))
    }
    return made


def _parameter(name: str, option: Option) -> inspect.Parameter:
    """Return an option of an experiment as a parameter of the command."""
    metavar = "|".join(map(str, option.choices)) or ("[N]" if name in BARE else None)
    info = typer.Option(help=option.help, metavar=metavar)
    if bool in (option.kind, *get_args(option.kind)):
        flag = f"--{name.replace('_', '-')}"
        flags = f"{flag}/--no-{flag[2:]}" if option.default else flag
        info = typer.Option(flags, help=option.help)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=option.default,
        annotation=Annotated[option.kind, info],
    )


def models_of(names: Sequence[str], known: list[str]) -> list[str]:
    """Return the models that names stand for, each once, in the order of first mention.

    Raises UsageError for a name that is not known.
    """
    for name in names:
        if name not in known and name != ALL:
            # People who forget to write --storage give its URL as a name.
            hint = did_you_mean(name, [*known, ALL])
            raise UsageError(f"no model is called {without_password(name)!r}: {hint}")
    chosen = (known if name == ALL else [name] for name in names)
    return list(dict.fromkeys(chain.from_iterable(chosen)))


def _value(word: str) -> int | float | str:
    """Return a number, or a word where it is none, such as `nan`."""
    for kind in (int, float):
        try:
            if math.isfinite(value := kind(word)):
                return value
        except (ValueError, OverflowError):
            pass
    return word


def defined(define: Definition | str | Path | None) -> Definition:
    """Return the experiment that is given, or that a file defines, by default the paper's."""
    return load(str(define)) if isinstance(define, str | Path) else define or paper


def chosen_command(words: Sequence[str]) -> Callable[..., Any]:
    """Return the command that words ask for: `--define FILE.py` decides which options it has.

    Raises UsageError.
    """
    _require_folder()
    files = [after for word, after in pairwise(words) if word == "--define"]
    files += [word.removeprefix("--define=") for word in words if word.startswith("--define=")]
    return command(defined(files[-1] if files else None))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command, and end in SystemExit."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with output():
        try:
            with exit_codes():
                chosen = with_version(chosen_command(words))
        except typer.Exit as ended:
            sys.exit(ended.exit_code)
        chosen(words, prog_name="python -m studies.run")


def _require_folder() -> None:
    """Raise UsageError where the current folder was deleted: there, torch ends the process."""
    try:
        Path.cwd()
    except OSError:
        raise UsageError("the current folder is gone: change to one that is there") from None


if __name__ == "__main__":
    with leaving():
        main()
