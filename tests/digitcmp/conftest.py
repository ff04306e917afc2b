import gzip
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from digitcmp.data import mnist
from digitcmp.data.mnist import Digits
from digitcmp.data.pairs import PooledDigits, pair_sets, pool


@pytest.fixture(scope="session")
def sample(cache: Path) -> mnist.Digits:
    """Data set mnist-sample."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITCMP_CACHE", str(cache))
        return mnist.load("mnist-sample")


@pytest.fixture
def new_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, which does not exist yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("DIGITCMP_CACHE", str(folder))
    return folder


def as_idx(items: NDArray[np.uint8]) -> bytes:
    """Write down an IDX file as its format's description has it."""
    return struct.pack(f">BBBB{items.ndim}I", 0, 0, 8, items.ndim, *items.shape) + items.tobytes()


@pytest.fixture
def idx_bytes() -> Callable[[NDArray[np.uint8]], bytes]:
    return as_idx


@pytest.fixture
def small_mnist() -> dict[str, bytes]:
    """MNIST's four files by name, gzipped, with 60 training and 20 test images."""

    def images(count: int, offset: int) -> NDArray[np.uint8]:
        return (
            ((np.arange(count * 28 * 28) * 31 + offset) % 256)
            .astype(np.uint8)
            .reshape(count, 28, 28)
        )

    def labels(count: int) -> NDArray[np.uint8]:
        return (np.arange(count) * 7 % 10).astype(np.uint8)

    files = {
        "train-images-idx3-ubyte.gz": images(60, 0),
        "train-labels-idx1-ubyte.gz": labels(60),
        "t10k-images-idx3-ubyte.gz": images(20, 5),
        "t10k-labels-idx1-ubyte.gz": labels(20),
    }
    return {name: gzip.compress(as_idx(items), mtime=0) for name, items in files.items()}


@pytest.fixture
def folder(tmp_path: Path, small_mnist: dict[str, bytes]) -> Path:
    """A folder with those four files."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name, content in small_mnist.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As on a worker; two processes that test wait for each other's threads otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def pooled(sample: Digits) -> PooledDigits:
    """Data set mnist-sample, as workers have it."""
    return pool(sample)


@pytest.fixture
def few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a seed draw 200 pairs instead of 1,000: enough where results are compared bit by bit."""
    monkeypatch.setattr(pair_sets, "__defaults__", (200,))
