"""Search, and rerun the winners: `python -m studies.run MODEL... | all`."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from studies.exits import FAILED, exit_codes, interruptible
from studies.names import models_argument
from studies.protocol import DEFAULT_STORAGE, Protocol
from studies.summary import show_results

DEFAULT = Protocol()

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def run(
    models: Annotated[
        list[str],
        typer.Argument(
            callback=models_argument, help="Names of models, such as AuxsiameseCNN, or all."
        ),
    ],
    storage: Annotated[str, typer.Option(metavar="URL", help="The store.")] = DEFAULT_STORAGE,
    experiment: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name; by default what differs from the paper's."),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Epochs of a training.")] = DEFAULT.epochs,
    repeats: Annotated[int, typer.Option(help="Trainings per cell.")] = DEFAULT.repeats,
    reruns: Annotated[int, typer.Option(help="Fresh trainings of a winner.")] = DEFAULT.reruns,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes; by default one per core.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler, such as tcp://HOST:8786."),
    ] = None,
    data: Annotated[
        str, typer.Option(metavar="mnist-sample|mnist", help="Where the digits come from.")
    ] = DEFAULT.data,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with the four IDX files of mnist.")
    ] = None,
    artifact_dir: Annotated[
        Path | None, typer.Option(help="Folder of the figures, if not one beside the store.")
    ] = None,
    auxiliary: Annotated[
        str, typer.Option(metavar="softmax|logits", help="What the auxiliary loss is made of.")
    ] = DEFAULT.auxiliary,
    stage1_alpha: Annotated[
        float, typer.Option(help="Weight of the auxiliary loss in the first stage.")
    ] = DEFAULT.stage1_alpha,
    select_on: Annotated[
        str, typer.Option(metavar="test|validation", help="Pairs on which cells compete.")
    ] = DEFAULT.select_on,
    search: Annotated[
        str,
        typer.Option(
            metavar="two-stage|joint|published",
            help="Two grids, one grid, or none: rerun the paper's winners.",
        ),
    ] = DEFAULT.search,
    rank_by: Annotated[
        str, typer.Option(metavar="mean|lower-bound", help="What makes a cell the best.")
    ] = DEFAULT.rank_by,
    racing: Annotated[
        bool, typer.Option("--racing", help="Give up cells that can hardly win any more.")
    ] = DEFAULT.racing,
) -> None:
    """Search the hyper-parameters of MODELS, then train each winner afresh.

    What the store has already is not trained again. Stop with Ctrl-C; the same command goes on.
    """
    console = Console()
    with exit_codes(), interruptible():
        # Loading torch, Optuna and Dask takes seconds, so a mistyped name is told before.
        from studies.service import Settings, run_models

        protocol = Protocol(
            epochs,
            repeats,
            reruns,
            data,
            auxiliary,
            stage1_alpha,
            select_on,
            search,
            rank_by,
            racing,
        )
        settings = Settings(storage, experiment, protocol, workers, cluster, data_dir, artifact_dir)
        failed = run_models(models, settings, console)
        show_results(storage, settings.experiment_name, models, artifact_dir)
        for sentence in failed:
            print(f"failed: {sentence}", file=sys.stderr)
        if failed:
            raise typer.Exit(FAILED)


if __name__ == "__main__":
    app(prog_name="python -m studies.run")
