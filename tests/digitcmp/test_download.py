import hashlib
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from digitcmp.data import mnist
from digitcmp.data.mnist import DataError


@dataclass
class Mirror:
    """A server on loopback, and what it was asked for."""

    url: str
    files: dict[str, bytes]
    cut: int = 0
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def mirror(
    small_mnist: dict[str, bytes], new_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mirror]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/mnist/")
            state.requests.append(name)
            if name not in state.files:
                self.send_error(404)
                return
            content = state.files[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) - state.cut])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state = Mirror(f"http://127.0.0.1:{server.server_port}/mnist/", dict(small_mnist))
        monkeypatch.setenv("DIGITCMP_MNIST_URL", state.url)
        hashes = {name: hashlib.md5(content).hexdigest() for name, content in small_mnist.items()}
        monkeypatch.setattr(mnist, "MD5", hashes)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def test_mnist_is_downloaded_once(mirror: Mirror, folder: Path) -> None:
    first = mnist.load("mnist")
    assert first.sha256 == mnist.load("mnist").sha256 == mnist.load("mnist", folder).sha256
    assert sorted(mirror.requests) == sorted(mnist.MD5)


def test_a_damaged_download_is_replaced(mirror: Mirror, new_cache: Path) -> None:
    mnist.load("mnist")
    file = new_cache / "t10k-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    mirror.requests.clear()
    mnist.load("mnist")
    assert mirror.requests == [file.name]
    assert file.read_bytes() == whole


def test_a_wrong_download_is_an_error_and_leaves_no_file(mirror: Mirror, new_cache: Path) -> None:
    name = "train-images-idx3-ubyte.gz"
    mirror.files[name] = b"not these images"
    found = hashlib.md5(mirror.files[name]).hexdigest()
    message = f"^{mirror.url}{name} is not .*: expected MD5 {mnist.MD5[name]}, found {found}$"
    with pytest.raises(DataError, match=message):
        mnist.load("mnist")
    assert list(new_cache.iterdir()) == []


def test_half_a_download_is_an_error_and_leaves_no_file(mirror: Mirror, new_cache: Path) -> None:
    mirror.cut = 1
    with pytest.raises(DataError, match=f"^{mirror.url}train-images.* cannot be downloaded: "):
        mnist.load("mnist")
    assert list(new_cache.iterdir()) == []


def test_a_file_that_is_not_there_is_an_error(mirror: Mirror, new_cache: Path) -> None:
    del mirror.files["train-labels-idx1-ubyte.gz"]
    with pytest.raises(DataError, match=f"^{mirror.url}train-labels.* downloaded: 404"):
        mnist.load("mnist")
    assert [path.name for path in new_cache.iterdir()] == ["train-images-idx3-ubyte.gz"]


# Nobody listens on port 9, where everything would be discarded.
@pytest.mark.parametrize("url", ["http://127.0.0.1:9/mnist", "no URL at all", "http://[bad"])
def test_no_server_is_an_error_and_leaves_no_file(
    url: str, new_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITCMP_MNIST_URL", url)
    message = f"^{re.escape(url)}/train-images-idx3-ubyte.gz cannot be downloaded: "
    with pytest.raises(DataError, match=message):
        mnist.load("mnist")
    assert list(new_cache.iterdir()) == []


def test_a_folder_that_takes_no_download_is_an_error(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DIGITCMP_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot be downloaded: .*Not a directory"):
        mnist.load("mnist")
    assert mirror.requests == []


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(
    mirror: Mirror,
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    mnist.load("mnist")
    assert len(mirror.requests) == 4
    assert ("100%" in capsys.readouterr().err) == terminal
