"""Watch the studies in a browser: `python -m studies.dashboard`."""

import errno
import json
from collections.abc import Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Annotated
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import typer

from storage.commands import new_app, run_app
from storage.urls import DEFAULT_STORAGE, artifact_folder
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
    """Open optuna-dashboard on a store, read-only, also while a run writes it."""
    with exit_codes(), interruptible():
        server = make(storage, port, artifact_dir or artifact_folder(storage))
        with server:
            print(f"Dashboard:  http://{HOST}:{server.server_port}/dashboard", flush=True)
            print("It is read-only. Ctrl-C ends it.", flush=True)
            server.serve_forever()


class Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread of its own."""

    daemon_threads = True


def make(storage: str, port: int, artifacts: Path) -> Server:
    """Listen on loopback for requests to the dashboard of a store, with figures from `artifacts`.

    Raises `BadStoreURL`, `StoreError` where the store cannot be read, and `UsageError` where the
    port cannot be had.
    """
    # Loading Optuna takes a second, so wrong usage is told before.
    from optuna.artifacts import FileSystemArtifactStore
    from optuna_dashboard import wsgi

    from storage.store import open_viewer

    pages = wsgi(open_viewer(storage), artifact_store=FileSystemArtifactStore(artifacts))
    try:
        return make_server(HOST, port, only_reads(pages), Server, _Silent)
    except OSError as error:
        reason = "in use" if error.errno == errno.EADDRINUSE else f"not free ({error.strerror})"
        raise UsageError(f"port {port} is {reason}: give another with --port") from error


def only_reads(pages: WSGIApplication) -> WSGIApplication:
    """Refuse every request that could change something.

    The store refuses writes by itself, but optuna-dashboard deletes the files of figures first.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return pages(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/json")])
        return [json.dumps({"reason": "this dashboard is read-only"}).encode()]

    return answer


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing: open pages ask every few seconds."""


if __name__ == "__main__":
    run_app(app, "studies.dashboard")
