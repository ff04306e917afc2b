"""The four files of a very small MNIST."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_small_mnist(folder: Path) -> None:
    """Write 60 training and 20 test images, as IDX files of one byte a value."""
    for prefix, count in (("train", 60), ("t10k", 20)):
        pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(_idx(pixels))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(_idx(labels))


def _idx(items: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">BBBB{items.ndim}I", 0, 0, 8, items.ndim, *items.shape) + items.tobytes()
