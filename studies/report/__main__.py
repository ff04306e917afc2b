"""Write the report on a store: `python -m studies.report`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from storage.measurements import training_rows
from storage.reader import open_reader
from studies.exits import FAILED, exit_codes
from studies.protocol import DEFAULT_STORAGE

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def report(
    storage: Annotated[str, typer.Option(metavar="URL", help="The store.")] = DEFAULT_STORAGE,
    experiment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this one; several in the order in which they speak for a model.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the report.")] = Path(
        "report"
    ),
) -> None:
    """Say what weight sharing and an auxiliary loss do, from the store alone.

    Writes report.html (one file), report.md with its figures, and training_runs.csv.
    """
    with exit_codes():
        engine = open_reader(storage)
        # Loading scipy and matplotlib takes a second, so a mistyped path is told before.
        from studies.report.choice import asked_for, headline, model_runs
        from studies.report.compose import compose, incomplete
        from studies.report.files import write_files
        from studies.report.markdown import spoken

        runs = asked_for(model_runs(engine), experiment or [])
        chosen = headline(runs)
        left_out = [spoken(sentence) for sentence in incomplete(runs, chosen)]
        if not chosen:
            print("no model is complete, so there is nothing to report", file=sys.stderr)
            print(*left_out, sep="\n", end="\n" * bool(left_out), file=sys.stderr)
            raise typer.Exit(FAILED)
        written = compose(runs, chosen, training_rows(engine))
        write_files(out, written.files)
        print(*map(spoken, written.findings), *left_out, sep="\n")
        print(f"Report: {out / 'report.html'}")


if __name__ == "__main__":
    app(prog_name="python -m studies.report")
