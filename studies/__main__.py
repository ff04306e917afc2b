"""All commands under one name: `digit-studies run MLP`, as `python -m studies.run MLP`."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from storage.commands import with_version
from storage.output import output
from studies.display.exit_codes import exit_codes, leaving

NAME = "digit-studies"

COMMANDS = {
    "run": ("studies.run", "Search hyper-parameters, then train each winner afresh."),
    "best": ("studies.best", "Print the best parameters and the results."),
    "report": ("studies.report.__main__", "Compare models, and say what their factors do."),
    "dashboard": ("studies.dashboard.__main__", "Watch the studies in a browser."),
    "copy": ("storage.copy", "Copy a store to another one."),
    "export": ("storage.export", "Write all trainings of a store to a file."),
    "load": ("storage.load", "Take the trainings that a report has published as done."),
    "upgrade": ("storage.upgrade", "Bring a store of an older version up to date."),
}
"""Module and help of each command."""


class Commands(TyperGroup):
    """Loads a command once it is called: some need seconds for that."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Return the name and the command that the first word names, and the words after it."""
        name, known, words = super().resolve_command(ctx, args)
        if name is None or known is None:
            return name, known, words
        # The completion of a word must not run the file of `--define`.
        return name, _loaded(name, [] if ctx.resilient_parsing else words), words


def _loaded(name: str, words: Sequence[str]) -> Any:
    module = import_module(COMMANDS[name][0])
    if name != "run":
        return with_version(typer.main.get_command(module.app))
    with exit_codes():
        return with_version(module.chosen_command(words))


app = typer.Typer(
    cls=Commands, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True
)


@app.callback()
def commands() -> None:
    """Hyper-parameter studies that are never lost."""


def _listed() -> None:
    """Stand in for a command in the list of all."""


for name, (_, text) in COMMANDS.items():
    app.command(name, help=text)(_listed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the first word names, and end in SystemExit."""
    with leaving(), output():
        with_version(typer.main.get_command(app))(arguments, prog_name=NAME)


if __name__ == "__main__":
    main()
