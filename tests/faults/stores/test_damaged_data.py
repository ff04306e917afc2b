"""Digits that are damaged, on the disk or on their way to it: no trial starts."""

import gzip
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import text

from digitcmp.data import mnist
from digitcmp.data.mnist import DataError
from tests.faults.stores.leftovers import reading
from tests.faults.stores.small_searches import Record, Search
from tests.support.small_mnist import write_small_mnist


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A folder with the four files, gzipped."""
    folder = tmp_path / "digits"
    folder.mkdir()
    write_small_mnist(folder)
    for path in list(folder.iterdir()):
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return folder


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def truncated(data: bytes, place: int) -> bytes:
    return data[:place]


@pytest.fixture
def refused(search: Search, tmp_path: Path) -> "Refused":
    return Refused(search, tmp_path)


class Refused:
    """Starts searches that must not start."""

    def __init__(self, search: Search, folder: Path) -> None:
        self._search, self._folder = search, folder

    def __call__(self, name: str, *arguments: str) -> list[str]:
        """Start one on full MNIST, of which the file `name` is damaged; the violations."""
        before = sorted(self._folder.rglob("*"))
        url = f"sqlite:///{self._folder / 'studies.db'}"
        result = self._search(url, "--data", "mnist", *arguments)
        wrong = ["files were made"] * (sorted(self._folder.rglob("*")) != before)
        if result.exit_code != 2 or name not in result.output or "rror: " not in result.output:
            wrong.append(f"exit {result.exit_code}: {result.output}")
        return wrong


@pytest.mark.parametrize("damage", [flipped, truncated])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_a_file_that_is_damaged(
    name: str, damage: object, digits: Path, refused: Refused, record_property: Record
) -> None:
    assert callable(damage)
    content = (digits / name).read_bytes()
    (digits / name).write_bytes(damage(content, len(content) // 2))
    wrong = refused(name, "--data-dir", str(digits))
    record_property("fault", f"{damage.__name__} {name}: 1 time, {len(wrong)} violations")
    assert wrong == []


def test_no_flipped_byte_passes_for_other_digits(digits: Path, record_property: Record) -> None:
    """It is noticed, or it is where gzip keeps the time and the like."""
    whole = mnist.load("mnist", digits).sha256
    paths = sorted(digits.iterdir())
    chance, noticed = random.Random(0), 0
    for number in range(200):
        path = paths[number % len(paths)]
        content = path.read_bytes()
        # The header first, then anywhere.
        place = number // 4 if number < 40 else chance.randrange(len(content))
        path.write_bytes(flipped(content, place))
        try:
            assert mnist.load("mnist", digits).sha256 == whole, (path.name, place)
        except DataError as error:
            assert path.name in str(error)
            noticed += 1
        path.write_bytes(content)
    record_property("fault", f"a flipped byte: 200 times, {noticed} refused, 0 violations")
    assert noticed > 150


@pytest.mark.usefixtures("no_pictures")
def test_a_pixel_that_changed_is_other_data(
    digits: Path, search: Search, tmp_path: Path, record_property: Record
) -> None:
    """Files that are not gzipped have no checksum: a search goes on with the digits it knows."""
    for path in list(digits.iterdir()):
        (digits / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    arguments = ("--data", "mnist", "--data-dir", str(digits), "--grid", "batch_size=128")
    assert search(url, *arguments).exit_code == 0
    images = digits / "t10k-images-idx3-ubyte"
    images.write_bytes(flipped(images.read_bytes(), 1000))
    result = search(url, *arguments)
    assert result.exit_code == 2, result.output
    assert "data_sha256: stored " in result.output
    with reading(url) as connection:
        assert connection.scalar(text("select count(*) from trials")) == 4 + 2
    record_property("fault", "a flipped pixel: 1 time, 0 violations")


@pytest.fixture
def mirror(digits: Path) -> Iterator[str]:
    """The URL of a server whose files are not the known ones; below `half`, they are cut off."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = (digits / Path(self.path).name).read_bytes()
            self.send_response(200)
            # Twice as long: the connection ends halfway.
            length = len(content) * (2 if self.path.startswith("/half/") else 1)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", ["other", "half"])
def test_a_bad_download(
    kind: str,
    mirror: str,
    cache: Path,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Record,
) -> None:
    monkeypatch.setenv("DIGITCMP_MNIST_URL", f"{mirror}/{kind}")
    before = sorted(cache.iterdir())
    wrong = refused("train-images-idx3-ubyte.gz") + refused("train-images-idx3-ubyte.gz")
    wrong += ["left in the cache"] * (sorted(cache.iterdir()) != before)
    record_property("fault", f"bad download ({kind}): 2 times, {len(wrong)} violations")
    assert wrong == []
