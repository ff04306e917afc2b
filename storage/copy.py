"""Copy a store to another one, also beside a run: `python -m storage.copy SOURCE TARGET`."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import URL

from storage.artifacts import artifact_names, copied_files
from storage.commands import exit_codes, new_app, run_app
from storage.durability import durable
from storage.errors import BadStoreURL, explained, place
from storage.lock import store_lock
from storage.store import open_store
from storage.tables import exclude_others
from storage.transfer import copy_rows, require_empty, snapshot
from storage.urls import artifact_folder, is_new, parse, sqlite_path

app = new_app()


@app.command()
def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="URL of the store.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Another, made if missing.")],
    artifact_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the figures, if not the one beside the store."),
    ] = None,
    to_artifact_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the copied figures, if not the one beside the copy."),
    ] = None,
) -> None:
    """Copy studies, trainings, figures and weights to a store that has none, SQLite or PostgreSQL.

    What is copied is the store of one moment, also while a run writes it; each row is compared.
    """
    with exit_codes():
        copy(source, target, artifact_dir, to_artifact_dir)


def copy(
    source: str, target: str, artifacts: Path | None = None, new_artifacts: Path | None = None
) -> None:
    """Copy a store, all of it or nothing, and say how much that is.

    `artifacts` are the folders of figures, by default those beside the stores. Raises
    `BadStoreURL`, also for a target that is not empty, `StoreInUse`, and `StoreError`.
    """
    from_url, to_url = parse(source), parse(target)
    if _identity(from_url) == _identity(to_url):
        raise BadStoreURL(f"both URLs name {place(to_url)}: give another store to copy to")
    folders = artifacts or artifact_folder(source), new_artifacts or artifact_folder(target)
    with snapshot(source) as taken, store_lock(target, ["copy"]) as lock:
        made = sqlite_path(to_url) if is_new(target) else None
        try:
            with (
                open_store(target, lock) as store,
                copied_files(names := artifact_names(taken), *folders) as files,
                explained(to_url),
                durable(store.engine) as connection,
            ):
                # A driver that shares the server's database begins no study meanwhile.
                exclude_others(connection)
                require_empty(connection)
                rows = copy_rows(taken, connection)
        except BaseException:
            if made is not None:
                # A full disk may have kept SQLite from making one file of them.
                for end in ("", "-wal", "-shm"):
                    made.with_name(made.name + end).unlink(missing_ok=True)
            raise
    lacking = len(names) - len(files)
    print(
        f"{place(from_url)} is copied to {place(to_url)}, and every row was compared: "
        f"{rows['studies']} studies, {rows['trials']} trials, {rows['training_runs']} trainings, "
        f"{len(files)} figures and weights"
        f"{f' ({lacking} have no file in {folders[0]})' if lacking else ''}"
    )


def _identity(url: URL) -> tuple[object, ...]:
    """Return what tells a store from others, whoever asks for it."""
    return url.get_backend_name(), url.host, url.port or 5432, url.database


if __name__ == "__main__":
    run_app(app, "storage.copy")
