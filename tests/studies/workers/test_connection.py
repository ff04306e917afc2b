"""Addresses at which something answers that is no scheduler."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from studies.display.errors import ClusterLost
from studies.workers import connection


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def web() -> Iterator[int]:
    """A port that answers like a web server."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def answer() -> None:
            while True:
                try:
                    with server.accept()[0] as asked:
                        asked.recv(1000)
                        asked.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                except OSError:  # closed
                    return

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # Dask's, of those given up
@pytest.mark.parametrize("scheme", ["tcp", "tls", "ws"])
@pytest.mark.parametrize("port", ["silent", "web"])
def test_no_scheduler(
    scheme: str, port: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", 0.5)
    address = f"{scheme}://127.0.0.1:{request.getfixturevalue(port)}"
    began = time.monotonic()
    with pytest.raises(ClusterLost, match=f"^no Dask scheduler answers at {address}") as raised:
        connection.connect(address)
    assert time.monotonic() - began < 5
    assert ("check your TLS configuration" in str(raised.value)) == (scheme == "tls")
    del raised
    gc.collect()


def test_a_worker_is_no_scheduler(workers: str) -> None:
    with closing(connection.connect(workers)) as client:
        client.wait_for_workers(1)
        worker = next(iter(client.nthreads()))
    with pytest.raises(ClusterLost, match=f"answers at {worker} \\(it is a Worker's\\)"):
        connection.connect(worker)
