"""Watch the studies in a browser: `python -m studies.dashboard`."""

import errno
import logging
from pathlib import Path
from typing import Annotated
from wsgiref.simple_server import make_server

import typer

from storage.commands import new_app, run_app
from storage.errors import place
from storage.urls import DEFAULT_STORAGE, artifact_folder, parse
from studies.dashboard.server import Requests, Server, only_reads_from_here
from studies.display.errors import UsageError
from studies.display.exit_codes import exit_codes, interruptible

HOST = "127.0.0.1"
"""Loopback: whoever reaches the dashboard needs no password."""

app = new_app()


@app.command()
def dashboard(
    storage: Annotated[str, typer.Option(metavar="URL", help="The store.")] = DEFAULT_STORAGE,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on loopback; 0 for any free one.")
    ] = 8080,
    artifact_dir: Annotated[
        Path | None, typer.Option(help="Folder of the figures, if not the one beside the store.")
    ] = None,
) -> None:
    """Show all studies of a store and optuna-dashboard, read-only, also while a run writes it."""
    with exit_codes(), interruptible():
        server = make(storage, port, artifact_dir or artifact_folder(storage))
        with server:
            print(f"Dashboard:  http://{HOST}:{server.server_port}", flush=True)
            if server.is_waiting:
                where = place(parse(storage))
                print(f"There is no store at {where} yet: the dashboard waits for it.")
            print("It is read-only. Ctrl-C ends it.", flush=True)
            server.serve_forever()


def make(storage: str, port: int, artifacts: Path) -> Server:
    """Listen on loopback for requests to the dashboard of a store, with figures from `artifacts`.

    Waits for the store where there is none yet. Raises `BadStoreURL`, `StoreError` where the store
    cannot be read, or none be made, and `UsageError` where the port cannot be had.
    """
    # Loading Optuna takes a second, so wrong usage is reported before.
    from studies.dashboard.pages import Pages

    # Optuna-dashboard prints a traceback for every bad request.
    logging.getLogger("optuna_dashboard").setLevel(logging.CRITICAL)
    pages = Pages(storage, artifacts)
    is_waiting = pages.is_waiting()
    try:
        server = make_server(HOST, port, only_reads_from_here(pages), Server, Requests)
    except OSError as error:
        pages.close()
        reason = "in use" if error.errno == errno.EADDRINUSE else f"not free ({error.strerror})"
        raise UsageError(f"port {port} is {reason}: give another with --port") from error
    server.is_waiting, server.close_store = is_waiting, pages.close
    return server


if __name__ == "__main__":
    run_app(app, "studies.dashboard")
