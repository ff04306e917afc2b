"""How the dashboard is served: to this machine alone, and read-only, whoever asks for what."""

import io
import json
import re
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import ThreadingMixIn
from threading import Timer
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PATIENCE = 10.0
"""Seconds for the head of a request, and for each part of an answer."""

_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?", re.IGNORECASE)


def only_reads_from_here(pages: WSGIApplication) -> WSGIApplication:
    """Refuse requests that could change something, and those that another site may have sent.

    The store refuses writes by itself, but optuna-dashboard deletes the files of figures first.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def refuse(reason: str) -> Iterable[bytes]:
            start_response("403 Forbidden", [("Content-Type", "application/json")])
            return [json.dumps({"reason": reason}).encode()]

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            # Optuna-dashboard lets every site read figures.
            headers = [h for h in headers if not h[0].lower().startswith("access-control-")]
            if environ["PATH_INFO"].startswith("/artifacts"):
                # An artifact may be a page of its own, by anybody who can write the store.
                headers.append(("Content-Security-Policy", "sandbox"))
            return start_response(status, headers, *error)

        # Against DNS rebinding: a site can point its own name at this machine, to read what is
        # here, and that name is then the Host. Several Hosts come joined by commas.
        if not _LOOPBACK.fullmatch(environ.get("HTTP_HOST", "")):
            return refuse("this dashboard is for this machine only: open it at localhost")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return refuse("this dashboard is read-only")
        return pages(environ, start)

    return answer


class Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread of its own, and prints nothing about it."""

    daemon_threads = True
    is_waiting = False
    """Whether there was no store yet when it began to listen."""
    close_store: Callable[[], None] | None = None
    """Called when the server is closed."""

    def server_close(self) -> None:
        """Stop listening, and close the store."""
        super().server_close()
        if self.close_store is not None:
            self.close_store()

    def handle_error(self, request: object, client_address: object) -> None:
        """Forget a client that is gone, too slow, or sends what is no request."""


class Requests(WSGIRequestHandler):
    """Reads the heads of requests; nothing here needs a body, so none is ever read."""

    timeout = PATIENCE

    def setup(self) -> None:
        """Start the time that a client has to send the whole head, however slowly."""
        super().setup()
        self._late = Timer(self.timeout, self._hang_up)
        self._late.daemon = True
        self._late.start()

    def parse_request(self) -> bool:
        """Return whether the head is one of a request."""
        try:
            return super().parse_request()
        finally:
            self._late.cancel()

    def finish(self) -> None:
        """End the connection."""
        self._late.cancel()
        super().finish()

    def get_stderr(self) -> io.StringIO:
        """Return where errors of pages go: whoever asked sees that there was one."""
        return io.StringIO()

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing: open pages ask every few seconds."""

    def _hang_up(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
