"""Ask the store for the best parameters: `python -m studies.best [MODEL]`."""

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from studies.exits import exit_codes
from studies.names import model_argument
from studies.paper import PAPER
from studies.protocol import DEFAULT_STORAGE
from studies.summary import ordered_results, show_results


class Format(StrEnum):
    """How results are printed."""

    table = "table"
    json = "json"


app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def best(
    model: Annotated[str | None, typer.Argument(callback=model_argument)] = None,
    storage: Annotated[str, typer.Option(metavar="URL", help="The store.")] = DEFAULT_STORAGE,
    experiment: Annotated[str | None, typer.Option(metavar="NAME", help="One only.")] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = Format.table,
) -> None:
    """Print the best parameters and the results of all models, or of MODEL."""
    models = [model] if model else list(PAPER)
    with exit_codes():
        if format is Format.table:
            show_results(storage, experiment, models)
            return
        winners, results = ordered_results(storage, experiment, models)
        found = [
            asdict(each) | {"result": asdict(result) if result else None}
            for each in winners
            for result in [results.get((each.experiment, each.model))]
        ]
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    app(prog_name="python -m studies.best")
