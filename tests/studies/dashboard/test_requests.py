"""What the dashboard answers, whoever asks, and that nobody can hold it up or make it print."""

import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import optuna
import pytest

from storage.store import open_store
from studies.dashboard.__main__ import HOST, make
from studies.dashboard.notes import attach
from studies.dashboard.server import PATIENCE, Requests, Server

LOCAL = "Host: localhost:8080"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The dashboard of a store with one study, which has an artifact, while nobody is patient."""
    folder = tmp_path_factory.mktemp("requests")
    url, artifacts = f"sqlite:///{folder / 'studies.db'}", folder / "artifacts"
    with open_store(url) as store:
        study = optuna.create_study(study_name="toy/tree/size", storage=store.optuna)
        attach(study, artifacts, "page.html", b"<script>alert(1)</script>")
    with pytest.MonkeyPatch.context() as patch, make(url, 0, artifacts) as server:
        patch.setattr(Requests, "timeout", 0.3)
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def send(server: Server, request: bytes) -> socket.socket:
    connection = socket.create_connection((HOST, server.server_port), timeout=20)
    connection.sendall(request)
    return connection


def answer(server: Server, request: str, *headers: str) -> str:
    """All that comes back, until the server ends the connection."""
    lines = (f"{request} HTTP/1.1", *headers, "", "")
    with send(server, "\r\n".join(lines).encode("latin-1")) as connection:
        return rest(connection)


def rest(connection: socket.socket) -> str:
    with connection.makefile("rb") as file:
        return file.read().decode("latin-1")


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8080"]
)
def test_this_machine_is_answered(server: Server, host: str) -> None:
    assert "toy/tree/size" in answer(server, "GET /api/studies", f"Host: {host}")


@pytest.mark.parametrize(
    "headers",
    [
        (), ("Host:",), ("Host: evil.example",), ("Host: localhost.evil.example",),
        ("Host: localhost:80@evil.example",), ("Host: localhost", "Host: localhost"),
        ("Host: localhost", "host: evil.example"), ("Host: localhost", " evil.example"),
        ("Host: 127.0.0.1.nip.io:8080",), ("X-Forwarded-Host: localhost",),
    ],
)  # fmt: skip
def test_another_site_learns_nothing(server: Server, headers: tuple[str, ...]) -> None:
    """Its name may stand for this machine's address."""
    for request in ("GET /api/studies", "GET /dashboard", "HEAD /", "POST /api/studies"):
        head, _, body = answer(server, request, *headers).partition("\r\n\r\n")
        assert head.startswith("HTTP/1.0 403 ")
        assert len(body) < 100
        assert "toy" not in body


def test_no_page_elsewhere_may_read_figures(server: Server) -> None:
    identifier = re.findall(
        r'artifact_id": "([^"]*)"', answer(server, "GET /api/studies/1", LOCAL)
    )[0]
    origin = "Origin: http://evil.example"
    head, _, body = answer(server, f"GET /artifacts/1/{identifier}", LOCAL, origin).partition(
        "\r\n\r\n"
    )
    assert body == "<script>alert(1)</script>"
    assert "access-control" not in head.lower()
    # And what it holds runs nothing.
    assert "\r\nContent-Security-Policy: sandbox" in head


def test_a_body_is_not_waited_for(server: Server) -> None:
    for method in ("POST", "GET"):
        head = answer(server, f"{method} /api/studies", LOCAL, "Content-Length: 99999999999")
        assert head.startswith("HTTP/1.0 403 " if method == "POST" else "HTTP/1.0 200 ")


def test_whoever_says_nothing_is_dropped_and_holds_up_nobody(server: Server) -> None:
    assert PATIENCE == 10
    halves = [b"", b"GET /api/studies HT", b"GET / HTTP/1.1\r\nHost: local"]
    begun = time.monotonic()
    waiting = [send(server, half) for half in halves for _ in range(5)]
    assert "toy/tree/size" in answer(server, "GET /api/studies", LOCAL)
    for connection in waiting:
        with connection:
            assert rest(connection) == ""
    assert time.monotonic() - begun < 10


def test_whoever_sends_byte_by_byte_is_dropped_as_well(server: Server) -> None:
    with send(server, b"GET /") as connection, pytest.raises(OSError):
        for _ in range(100):
            connection.sendall(b"a")
            time.sleep(0.05)


def test_nothing_is_printed_whatever_comes(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    for request in (
        b"\x16\x03\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n",
        b"GET /" + b"a" * 70_000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200,
        b"GET / HTTP/1.1\r\n" + b"a" * 70_000, b"GET / HTTP/1.1\r\n\xff\xfe\r\n\r\n",
    ):  # fmt: skip
        with send(server, request) as connection:
            # Where a request was not read to its end, the answer may get lost.
            with suppress(ConnectionResetError):
                assert " 200 " not in rest(connection).split("\r\n")[0]
    for path in (
        "/api/studies/1?after=abc", "/artifacts/9/0-0", "/artifacts/99999999999999999999/ab",
        "/static/%00", "/%ff/x", "/csv/99999999999999999999", "http://evil.example/", "//x/y",
    ):  # fmt: skip
        assert answer(server, f"GET {path}", LOCAL).startswith(("HTTP/1.0 4", "HTTP/1.0 5")), path
    for _ in range(3):
        # Ends with a reset, in the middle of an answer.
        with send(server, f"GET /static/bundle.js HTTP/1.1\r\n{LOCAL}\r\n\r\n".encode()) as gone:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert "toy/tree/size" in answer(server, "GET /api/studies", LOCAL)
    assert capfd.readouterr() == ("", "")
