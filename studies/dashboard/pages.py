"""The pages of the dashboard: the overview at `/`, and optuna-dashboard at all other places."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import RDBStorage
from optuna_dashboard import wsgi

from storage.errors import NoStore, StoreError, place, without_secrets
from storage.inspection import require_usable
from storage.lock import is_driven
from storage.store import open_viewer
from storage.urls import DEFAULT_STORAGE, parse, sqlite_path
from studies.dashboard.overview import overview
from studies.dashboard.page import HEADERS, overview_page, sentence_page

Identity = tuple[int, int] | None
"""Of a store's file: device and inode; None of a server's."""


@dataclass(frozen=True)
class OpenStore:
    """A store that is open for reading."""

    identity: Identity
    viewer: RDBStorage
    pages: WSGIApplication
    """Optuna-dashboard's."""


class Pages:
    """Answers requests, also before there is a store and after it was deleted."""

    def __init__(self, url: str, artifacts: Path) -> None:
        self._url, self._artifacts = url, artifacts
        self._path = sqlite_path(parse(url))
        self._opened: OpenStore | None = None
        self._lock = Lock()

    def is_waiting(self) -> bool:
        """Return whether there is no store yet.

        Raises `StoreError` where there is one that cannot be read, or none can be made.
        """
        try:
            self._current()
        except NoStore:
            require_usable(parse(self._url))
            return True
        return False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path = environ["PATH_INFO"]
        if path.strip("/") == "":
            status, page = self._overview()
            start_response(status, HEADERS)
            return [page]
        try:
            pages = self._current().pages
        except StoreError as error:
            return _unavailable(path, str(error), start_response)
        return pages(environ, start_response)

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            self._forget()

    def _overview(self) -> tuple[str, bytes]:
        where = place(parse(self._url))
        try:
            current = self._current()
            driven = is_driven(self._url)
            tables = overview(current.viewer.engine, self._artifacts, driven)
        except NoStore:
            return "200 OK", sentence_page(
                where, f"Waiting for a store at {where}.", self.command()
            )
        except StoreError as error:
            is_open = self._opened is not None
            return "503 Service Unavailable", sentence_page(where, f"{error}.", is_open=is_open)
        return "200 OK", overview_page(where, tables, driven)

    def command(self) -> str:
        """Return a command that would make the store, without the password."""
        words = ["python", "-m", "studies.run", "all"]
        if self._url != DEFAULT_STORAGE:
            words += ["--storage", without_secrets(self._url)]
        return shlex.join(words)

    def _current(self) -> OpenStore:
        """Return the store, opened anew if its file is another one than before."""
        with self._lock:
            identity = self._identity()
            if self._opened is not None and self._opened.identity != identity:
                self._forget()
            if self._opened is None:
                viewer = open_viewer(self._url)
                figures = FileSystemArtifactStore(self._artifacts)
                self._opened = OpenStore(identity, viewer, wsgi(viewer, artifact_store=figures))
            return self._opened

    def _identity(self) -> Identity:
        if self._path is None:
            return None
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _forget(self) -> None:
        if self._opened is not None:
            self._opened.viewer.remove_session()
            self._opened.viewer.engine.dispose()
            self._opened = None


def _unavailable(path: str, reason: str, start_response: StartResponse) -> Iterable[bytes]:
    """Redirect people to the overview, which shows the reason; answer programs with the reason."""
    if path.startswith("/dashboard"):
        start_response("302 Found", [("Location", "/"), ("Content-Length", "0")])
        return [b""]
    headers = [("Content-Type", "application/json")]
    start_response("503 Service Unavailable", headers)
    return [json.dumps({"reason": reason}).encode()]
