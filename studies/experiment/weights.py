"""What a training learned, as the bytes of a safetensors file."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from studies.experiment.training import WEIGHTS, is_weights

Packed = bytes | str
"""The content of a safetensors file, or why there is none."""


def packed(result: Mapping[str, Any]) -> Packed | None:
    """Return the weights among what a training returned; None where it gave none.

    Weights that cannot be kept are no reason to lose the training.
    """
    weights = result.get(WEIGHTS)
    if not is_weights(WEIGHTS, weights):
        return None
    try:
        given = weights() if callable(weights) else weights
        if not isinstance(given, Mapping):
            return f"they are {type(given).__name__}, not arrays by name"
        return save({_name(name): np.asarray(array, order="C") for name, array in given.items()})
    except Exception as error:
        return f"{type(error).__name__}: {error}".partition("\n")[0]


def described(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """Return the content of a safetensors file with this description."""
    return save(load(content), dict(metadata))


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{name!r} names an array, which is no word")
    return name
