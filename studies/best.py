"""Ask the store for the best parameters: `python -m studies.best [MODEL]`."""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from sqlalchemy import Engine

from storage.commands import new_app, run_app
from storage.queries import BestParams, ModelResult, ranked_cells
from storage.reader import open_reader
from storage.urls import DEFAULT_STORAGE
from studies.display.errors import UsageError
from studies.display.exit_codes import exit_codes
from studies.display.table import Row, results, show_results
from studies.weights import save_weights, stored_weights

app = new_app()


@app.command()
def best(
    model: Annotated[str | None, typer.Argument()] = None,
    storage: Annotated[str, typer.Option(metavar="URL", help="The store.")] = DEFAULT_STORAGE,
    experiment: Annotated[str | None, typer.Option(metavar="NAME", help="Only this one.")] = None,
    format: Annotated[Literal["table", "json"], typer.Option(help="How to print.")] = "table",
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the weights of MODEL's best rerun.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The rerun whose weights are written.")] = None,
    artifact_dir: Annotated[
        Path | None, typer.Option(help="Folder of the weights, if not the one beside the store.")
    ] = None,
) -> None:
    """Print the best parameters and the results of all models, or of MODEL."""
    models = [model] if model else []
    with exit_codes(), _without_garbage_collection():
        if save is not None:
            if model is None:
                raise UsageError("--save writes the weights of one model: name it")
            save_weights(save, stored_weights(model, storage, experiment, seed, artifact_dir))
            return
        if seed is not None or artifact_dir is not None:
            raise UsageError("--seed and --artifact-dir choose what --save FILE writes")
        if format == "table":
            show_results(storage, experiment, models)
            return
        parameters, rows = results(storage, experiment, models)
        engine = open_reader(storage)
        try:
            winners = [
                _winner(row.best, parameters)
                | {
                    "certainty": list(_certainty(engine, row, parameters)),
                    "result": _result(row.result, parameters) if row.result else None,
                }
                for row in rows
            ]
        finally:
            engine.dispose()
        print(json.dumps(winners, indent=2))


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Keep Python from looking for garbage in all that it has loaded, also as it ends.

    That took a fifth of the time of an answer.
    """
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _winner(best: BestParams, parameters: list[str]) -> dict[str, Any]:
    """Return a row of `best_params` by its columns."""
    return {
        "experiment": best.experiment,
        "model": best.model,
        **{name: best.parameters.get(name) for name in parameters},
        f"mean_{best.objective}": best.mean,
        f"std_{best.objective}": best.deviation,
        "runs": best.runs,
    }


def _certainty(engine: Engine, row: Row, parameters: list[str]) -> Iterator[dict[str, Any]]:
    """Yield rows of `certainty` by their columns, with the contenders of each search."""
    for stage, certainty in row.certainty.items():
        names = {"experiment": row.best.experiment, "model": row.best.model, "base": stage}
        by_name = {cell.name: cell.parameters for cell in ranked_cells(engine, **names)}
        yield {
            "stage": stage,
            "repeats": certainty.repeats,
            "contenders": [
                {name: by_name[cell].get(name) for name in parameters}
                for cell in certainty.contenders
                if cell in by_name
            ],
            "win_again": certainty.win_again,
            "repeats_to_settle": certainty.repeats_to_settle,
        }


def _result(result: ModelResult, parameters: list[str]) -> dict[str, Any]:
    """Return a row of `model_results` by its columns."""
    return {
        "experiment": result.experiment,
        "model": result.model,
        "parameters": result.parameter_count,
        **{name: result.parameters.get(name) for name in parameters},
        f"mean_{result.objective}": result.mean,
        f"std_{result.objective}": result.deviation,
        "mean_train_seconds": result.mean_seconds,
        "std_train_seconds": result.deviation_seconds,
        "reruns": result.reruns,
        "timed": result.timed,
    }


if __name__ == "__main__":
    run_app(app, "studies.best")
