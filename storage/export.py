"""Write all trainings of a store to a file: `python -m storage.export trainings.csv URL`."""

from pathlib import Path
from typing import Annotated

import typer

from storage.commands import exit_codes, new_app, run_app
from storage.errors import BadTrainings
from storage.files import write_whole
from storage.queries import reruns
from storage.reader import open_reader
from storage.trainings import training_runs
from storage.trainings_file import as_csv, as_parquet
from storage.urls import DEFAULT_STORAGE

app = new_app()

_FORMATS = {".csv": as_csv, ".parquet": as_parquet}


@app.command()
def command(
    path: Annotated[str, typer.Argument(metavar="FILE", help="Ends in .csv or .parquet.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="The store.")] = DEFAULT_STORAGE,
) -> None:
    """Write all trainings of a store to FILE, also while a run writes the store.

    The CSV is a report's training_runs.csv, which `python -m storage.load` takes.
    """
    with exit_codes():
        export(Path(path), url)


def export(path: Path, url: str = DEFAULT_STORAGE) -> None:
    """Write all trainings to a file, whole or not at all, and say how many these are.

    Raises `BadTrainings` for a file of another kind, `BadStoreURL`, and `StoreError`.
    """
    if path.suffix not in _FORMATS:
        raise BadTrainings(f"{path} ends in neither .csv nor .parquet: give it such a name")
    engine = open_reader(url)
    try:
        trainings = training_runs(engine)
        studies = {
            str(rerun.fingerprint): f"{rerun.experiment}/{rerun.model}/rerun"
            for rerun in reruns(engine)
        }
        # Of a deleted study, or of a run that was killed just then: no search may take a rerun.
        timed = [run.fingerprint for run in trainings if run.disturbance is not None]
        studies = dict.fromkeys(timed, "unknown") | studies
    finally:
        engine.dispose()
    write_whole(path, _FORMATS[path.suffix](trainings, studies))
    print(f"{len(trainings)} trainings are in {path}")


if __name__ == "__main__":
    run_app(app, "storage.export")
