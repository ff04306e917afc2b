"""MNIST's own file format, IDX: a header of big-endian integers, then one byte per value.

Source: https://yann.lecun.com/exdb/mnist/, "File formats for the MNIST database".
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTE = 0x0800


class DataError(Exception):
    """The images asked for cannot be had; the message says in one sentence what is wrong."""

    exit_code = 2


def find(folder: Path, name: str) -> Path:
    """Return the path of the IDX file `name`, e.g. `train-images-idx3-ubyte`, in `folder`.

    The name may have a dot before `idx`, as unpacking tools like to write it, and may end in
    `.gz`. Raises DataError where there is no such file.
    """
    # os.path and not Path: a folder one may not look into is an answer here, not an exception.
    for spelling in (name, name.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            path = folder / (spelling + ending)
            if os.path.isfile(path):
                return path
    if not os.path.isdir(folder):
        raise DataError(f"{folder} is not a folder: expected the four MNIST files in one")
    raise DataError(f"{folder} has no file {name} or {name}.gz")


def read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return every item of an IDX file of bytes, gzipped or not: `(N, *shape)`, read-only.

    `shape` is `(28, 28)` for MNIST's images and `()` for its labels. Raises DataError, with what
    was expected and what was found, for a file that is anything else or not whole.
    """
    data = _content(path)
    header = struct.Struct(f">{2 + len(shape)}I")
    if len(data) < header.size:
        raise DataError(
            f"{path} is truncated: expected an IDX header of {header.size} bytes, "
            f"found {len(data)} bytes"
        )
    magic, count, *found_shape = header.unpack_from(data)
    expected_magic = UNSIGNED_BYTE + 1 + len(shape)
    if magic != expected_magic:
        raise DataError(
            f"{path} is not the right kind of IDX file: expected magic number "
            f"{expected_magic:#010x}, found {magic:#010x}"
        )
    if tuple(found_shape) != shape:
        raise DataError(
            f"{path} holds images of the wrong size: expected {_by(shape)} pixels, "
            f"found {_by(found_shape)}"
        )
    expected_size = header.size + count * math.prod(shape)
    if len(data) != expected_size:
        fault = "is truncated" if len(data) < expected_size else "goes on after its end"
        raise DataError(
            f"{path} {fault}: expected {expected_size} bytes for its {count} items, "
            f"found {len(data)}"
        )
    return np.frombuffer(data, np.uint8, offset=header.size).reshape(count, *shape)


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        # The content decides, not the name: browsers unpack a .gz without renaming it.
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged: expected a whole gzip file, found {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _by(shape: tuple[int, ...] | list[int]) -> str:
    return "x".join(map(str, shape))
