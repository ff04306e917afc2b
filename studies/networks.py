"""Get a trained network from a store: `studies.load("AuxsiameseCNN")`."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file

from storage.errors import StoreError
from storage.urls import DEFAULT_STORAGE
from studies.display.errors import UsageError
from studies.display.table import require_known
from studies.experiment.options import Definition, resolve
from studies.run import defined
from studies.weights import stored_weights


def load(
    model: str,
    storage: str = DEFAULT_STORAGE,
    experiment: str | None = None,
    seed: int | None = None,
    define: Definition | str | Path | None = None,
    artifact_dir: str | Path | None = None,
) -> Any:
    """Return what a model's best rerun has learned, or the rerun of a chosen seed.

    The best is the first of the reruns with the best objective. For the paper's models the result
    compares images: `load("MLP").compare(first, second)`. For other experiments it is the arrays by
    name, or what `Training.network` makes of these where `define` is the experiment or its file.
    Raises UsageError, in one sentence, where there are no such weights.
    """
    folder = None if artifact_dir is None else Path(artifact_dir)
    stored = stored_weights(model, storage, experiment, seed, folder)
    definition = defined(define)
    chosen = resolve(definition, {})
    weights = _read(stored.path)
    if define is not None:
        require_known("model", [model], chosen.models)
    elif stored.definition != chosen.definition or model not in chosen.models:
        return weights
    try:
        return chosen.training(model).network(stored.run.parameters, weights)
    except ValueError as error:
        raise UsageError(f"{stored} cannot be loaded: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"the weights in {path} cannot be read: {error}") from error
