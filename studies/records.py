"""From what a worker did to what the store keeps."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from digitcmp.models import MODELS
from storage.schema import TrainingRun
from studies.protocol import PAIRS
from studies.stages import Cell, Stage
from studies.worker import Job, Report

METHODS = {"MLP": 1, "CNN": 2, "ResNet": 2}
"""Counts, by architecture, changes to pairs, models or training that change what a training gives,
if only by rounding: records of an older method are not used again."""


@dataclass(frozen=True)
class Data:
    """Which data is trained on."""

    name: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}:{self.sha256[:12]}"


def fingerprints(stage: Stage, cell: Cell, data_sha256: str) -> dict[int, str]:
    """The fingerprint of each training of a cell, by seed.

    A search may use a training of any other study. A rerun is fresh: its study is part of it.
    """
    model, chosen = stage.trained_as(cell.hyperparameters)
    known = asdict(chosen) | {
        "model": model,
        "epochs": stage.protocol.epochs,
        "pairs": PAIRS,
        "data": data_sha256,
        "method": METHODS[MODELS[model].architecture],
        "study": stage.study_name if stage.is_rerun else None,
    }
    auxiliary = auxiliary_of(chosen.alpha, stage.protocol.auxiliary)
    if auxiliary == "softmax":
        # The other one, and none, are what older trainings had: they are used again.
        known["auxiliary"] = auxiliary
    return {
        seed: hashlib.sha256(
            json.dumps(known | {"seed": seed}, sort_keys=True).encode()
        ).hexdigest()
        for seed in cell.seeds
    }


def auxiliary_of(alpha: float | None, auxiliary: str) -> str | None:
    """Return what the auxiliary loss of a training is made of, None where it has no weight."""
    return auxiliary if alpha else None


def training_runs(
    job: Job, report: Report, by_seed: dict[int, str], data: Data
) -> Iterator[TrainingRun]:
    """The rows that a finished job adds to `training_runs`."""
    for result in report.results:
        yield TrainingRun(
            fingerprint=by_seed[result.seed],
            model=job.model,
            **asdict(job.hyperparameters),
            seed=result.seed,
            epochs=job.epochs,
            data=str(data),
            status="diverged" if result.diverged else "ok",
            accuracy=result.accuracy,
            validation_accuracy=result.validation_accuracy,
            train_seconds=result.train_seconds,
            cpu_seconds=result.cpu_seconds,
            threads=report.threads,
            loss_curve=result.loss_curve,
            host=report.host,
            started_at=report.started_at,
            auxiliary=auxiliary_of(job.hyperparameters.alpha, job.auxiliary),
        )
