import gzip
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from digitcmp.data import idx
from digitcmp.data.idx import DataError

NAME = "train-images-idx3-ubyte"
IMAGES = np.arange(3 * 28 * 28).astype(np.uint8).reshape(3, 28, 28)

IdxBytes = Callable[[NDArray[np.uint8]], bytes]


@pytest.fixture
def content(idx_bytes: IdxBytes) -> bytes:
    return idx_bytes(IMAGES)


@pytest.mark.parametrize("name", [NAME, f"{NAME}.gz", "train-images.idx3-ubyte.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_images_are_read_gzipped_or_not(
    tmp_path: Path, content: bytes, name: str, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / name).write_bytes(pack(content))
    path = idx.find(tmp_path, NAME)
    assert path == tmp_path / name
    np.testing.assert_array_equal(idx.read(path, (28, 28)), IMAGES)


def test_labels_are_read(tmp_path: Path, idx_bytes: IdxBytes) -> None:
    path = tmp_path / "labels"
    path.write_bytes(idx_bytes(np.array([3, 0, 9], np.uint8)))
    np.testing.assert_array_equal(idx.read(path, ()), [3, 0, 9])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    message = f"{tmp_path} has no file {NAME} or {NAME}.gz"
    with pytest.raises(DataError, match=re.escape(message)):
        idx.find(tmp_path, NAME)
    with pytest.raises(DataError, match="nowhere is not a folder"):
        idx.find(tmp_path / "nowhere", NAME)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "truncated: expected an IDX header of 16 bytes, found 0 bytes"),
        (lambda data: data[:15], "truncated: expected an IDX header of 16 bytes, found 15 bytes"),
        (lambda data: data[:16], "truncated: expected 2368 bytes for its 3 items, found 16"),
        (lambda data: data[:-1], "truncated: expected 2368 bytes for its 3 items, found 2367"),
        (lambda data: data + b"\0", "goes on after its end: expected 2368 bytes .* found 2369"),
        (
            lambda data: b"\0\0\x08\x01" + data[4:],
            "expected magic number 0x00000803, found 0x00000801",
        ),
        (lambda data: b"PNG!" + data[4:], "expected magic number 0x00000803, found 0x504e4721"),
        (lambda data: data[:7] + b"\xff" + data[8:], "expected 199936 bytes .* found 2368"),
        (
            lambda data: data[:15] + b"\x20" + data[16:],
            "wrong size: expected 28x28 pixels, found 28x32",
        ),
        (lambda data: gzip.compress(data)[:-1], "damaged: expected a whole gzip file"),
        (lambda data: gzip.compress(data)[:40], "damaged: expected a whole gzip file"),
        (lambda data: gzip.compress(data)[:-8] + bytes(8), "damaged: expected a whole gzip file"),
        (lambda data: gzip.compress(data)[:10] + data, "damaged: expected a whole gzip file"),
        (lambda data: gzip.compress(data[:-1]), "truncated: expected 2368 bytes .* found 2367"),
    ],
)
@pytest.mark.parametrize("name", [NAME, f"{NAME}.gz"])
def test_a_damaged_file_is_named_with_what_is_wrong(
    tmp_path: Path, content: bytes, name: str, damage: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(damage(content))
    with pytest.raises(DataError, match=f"^{re.escape(str(path))} .*{message}") as error:
        idx.read(path, (28, 28))
    assert "\n" not in str(error.value)


def test_labels_are_not_taken_for_images(tmp_path: Path, idx_bytes: IdxBytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(idx_bytes(np.zeros(16, np.uint8)))
    with pytest.raises(DataError, match="expected magic number 0x00000803, found 0x00000801"):
        idx.read(path, (28, 28))


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{re.escape(str(tmp_path))} cannot be read: Is a dir"):
        idx.read(tmp_path, (28, 28))
