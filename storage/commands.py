"""What all commands share: how they are made and run, and their errors as exit codes."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, NoReturn

import typer

from storage.output import FAILED, output

SENTENCES: dict[int, str] = {
    signal.SIGINT: "interrupted: the same command goes on from here",
    signal.SIGTERM: "terminated: the same command goes on from here",
}


SHORTAGES = ("can't start new thread", "Cannot allocate memory", "failed to map segment")
"""What Python and the system's loader say where memory or threads run out, beside MemoryError."""


def new_app() -> typer.Typer:
    """Return a command that prints plain text, and leaves mistakes of this program as they are."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def run_app(app: typer.Typer, module: str, words: Sequence[str] | None = None) -> None:
    """Run the command of a module as it was typed, or with other words; end in SystemExit."""
    with output():
        with_version(typer.main.get_command(app))(words, prog_name=f"python -m {module}")


def with_version(command: Any) -> Any:
    """Return a command with an option `--version`."""
    command.params.append(*typer.main.get_command(_versioned).params)
    return command


def _show_version(is_asked_for: bool) -> None:
    if is_asked_for:
        try:
            print(f"digit-studies {version('digit-studies')}")
        except PackageNotFoundError:
            print("digit-studies, which is not installed")
        raise typer.Exit


_versioned = new_app()


@_versioned.command()
def lend_version(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            is_eager=True,
            expose_value=False,
            callback=_show_version,
        ),
    ] = False,
) -> None:
    """Hold the option that `with_version` adds to all commands."""


@contextmanager
def exit_codes() -> Iterator[None]:
    """End the command in one sentence at a signal, or an error whose class has an `exit_code`.

    So it ends where memory or threads run out, too. Raises every other error as it is: that is a
    mistake of this program.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        _leave_interrupted(error)
    except Exception as error:
        # What a signal cuts short, such as a write, may fail in turn as it is undone.
        context = error.__context__
        while context is not None:
            if isinstance(context, KeyboardInterrupt):
                _leave_interrupted(context)
            context = context.__context__
        # Of the class, as typer.Exit carries one itself.
        code = getattr(type(error), "exit_code", None)
        if isinstance(error, MemoryError) or any(words in f"{error}" for words in SHORTAGES):
            _leave(
                f"error: too little memory, or too few processes, are left ({error!r}): "
                "close other programs, or raise the limits that `ulimit -a` shows",
                FAILED,
            )
        if isinstance(error, UnicodeEncodeError):
            _leave("error: a name that was given has bytes that are no text in UTF-8", 2)
        if not isinstance(code, int):
            raise
        _leave(f"error: {error}", code)


def _leave_interrupted(error: KeyboardInterrupt) -> NoReturn:
    number = getattr(error, "number", signal.SIGINT)
    _leave(SENTENCES[number], 128 + number)


def _leave(sentence: str, code: int) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)
