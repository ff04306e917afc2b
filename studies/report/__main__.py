"""Write the report on a store: `python -m studies.report`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from storage.commands import new_app, run_app
from storage.reader import open_reader
from storage.urls import DEFAULT_STORAGE
from studies.display.exit_codes import FAILED, exit_codes

app = new_app()


@app.command()
def report(
    storage: Annotated[str, typer.Option(metavar="URL", help="The store.")] = DEFAULT_STORAGE,
    experiment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this experiment; given several times, the first experiment that has a "
            "model complete stands for the model.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the report.")] = Path(
        "report"
    ),
    latex: Annotated[
        bool, typer.Option("--latex", help="Also tables.tex: settings and results, for booktabs.")
    ] = False,
    figures: Annotated[
        Literal["png", "pdf", "svg"], typer.Option(help="The figures also in this format.")
    ] = "png",
) -> None:
    """Compare models, and say what their factors do, from the store alone.

    Writes report.html (one file), report.md and details.md with their figures, and
    training_runs.csv.
    """
    with exit_codes():
        engine = open_reader(storage)
        # Loading scipy and matplotlib takes a second, so a mistyped path is reported before.
        from studies.report.choice import asked_for, headline, incomplete, model_runs
        from studies.report.compose import compose
        from studies.report.page import without_marks, write_files

        runs = asked_for(model_runs(engine), experiment or [])
        chosen = headline(runs)
        left_out = [without_marks(sentence) for sentence in incomplete(runs, chosen)]
        if not chosen:
            print("no model is complete, so there is nothing to report", file=sys.stderr)
            print(*left_out, sep="\n", end="\n" * bool(left_out), file=sys.stderr)
            raise typer.Exit(FAILED)
        findings, files = compose(runs, chosen, figures, latex)
        write_files(out, files)
        print(*map(without_marks, findings), *left_out, sep="\n")
        print(f"Report: {out / 'report.html'}")


if __name__ == "__main__":
    run_app(app, "studies.report")
