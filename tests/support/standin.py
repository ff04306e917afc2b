"""A stand-in for training: quick, the same every time, and able to go wrong.

`StandIn.experiment()` is the paper's experiment, trained by it; as a file for `--define` that is
`tests/support/standin_experiment.py`.
"""

import hashlib
import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from studies.experiment.definition import Experiment
from studies.experiment.training import Parameters, Training
from studies.paper import experiment as paper


def accuracy(model: str, parameters: Parameters, seed: int) -> float:
    """What the stand-in gives: a count of 1,000 pairs that tells nothing of what it is for."""
    digest = hashlib.sha256(f"{model} {sorted(parameters.items())} {seed}".encode()).digest()
    return 0.5 + int.from_bytes(digest[:2]) % 500 / 1000


def narrow(experiment: Experiment, name: str = "toy") -> Experiment:
    """An experiment like the paper's, with few cells: two learning rates, two batch sizes, and
    three alphas."""
    experiment = replace(experiment, name=name)
    for parameter, values in NARROW.items():
        experiment = experiment.with_grid(parameter, values)
    return replace(experiment, name=name)


NARROW = {"learning_rate": (5e-3, 1e-3), "batch_size": (8, 16), "alpha": (0.0, 0.5, 1.0)}


@dataclass(frozen=True)
class StandIn:
    """Trains nothing, and keeps a diary in `folder` of what it was asked for."""

    folder: Path
    faults: Mapping[tuple[float, int], str] = field(default_factory=dict)
    """What goes wrong, by learning rate and batch size."""
    level: float | None = None
    """One accuracy for all."""
    seconds: float = 0.0
    """How long a job takes."""
    deadline: float | None = None
    """Seconds after which a job is ended."""

    def experiment(self, **options: Any) -> Experiment:
        """The paper's experiment with these options, trained by the stand-in."""
        return self.instead(paper(**options))

    def instead(self, experiment: Experiment) -> Experiment:
        """Another experiment, trained by the stand-in, without data."""
        models = {
            model: StandInTraining(self, model, experiment.training(model))
            for model in experiment.models
        }
        return replace(experiment, models=models, data=None, deadline=self.deadline)

    def accuracy(self, model: str, parameters: Parameters, seed: int) -> float:
        return accuracy(model, parameters, seed) if self.level is None else self.level

    def trained(self) -> list[tuple[object, ...]]:
        """What was trained, once for every time: model, learning rate, batch size, alpha, seed."""
        return [(*known, seed) for _, *known, seeds in self.jobs() for seed in seeds]

    def jobs(self, when: str = "end") -> list[list[object]]:
        """Threads, model, learning rate, batch size, alpha and seeds of each job that began or
        came to its end."""
        return [line[1:] for line in self.diary() if line[0] == when]

    def diary(self) -> list[list[object]]:
        path = self.folder / "diary"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def note(self, when: str, entry: list[object]) -> None:
        with (self.folder / "diary").open("a") as diary:
            diary.write(json.dumps([when, *entry]) + "\n")

    def is_first(self, fault: str) -> bool:
        try:
            (self.folder / fault).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


@dataclass(frozen=True)
class StandInTraining(Training):
    """The stand-in as one model, in all else like that model's own training."""

    standin: StandIn
    model: str
    training: Training

    @property
    def code(self) -> str:
        return self.training.code

    @property
    def parameter_count(self) -> int | None:
        return self.training.parameter_count

    def train(
        self, parameters: Parameters, seeds: Sequence[int], data: Any
    ) -> list[Mapping[str, Any]]:
        standin, names = self.standin, ("learning_rate", "batch_size", "alpha")
        chosen = [parameters.get(name) for name in names]
        fault = standin.faults.get((chosen[0], chosen[1]))
        entry = [torch.get_num_threads(), self.model, *chosen, list(seeds)]
        standin.note("begin", entry)
        self._go_wrong(fault)
        time.sleep(standin.seconds)
        standin.note("end", entry)
        results = [
            {
                "accuracy": standin.accuracy(self.model, parameters, seed),
                "validation": standin.accuracy(self.model, parameters, seed + 1000),
                "train_seconds": 1.0 + seed,
                "cpu_seconds": 2.0,
                "loss_curve": (0.7, 0.6),
            }
            for seed in seeds
        ]
        if fault == "diverge":
            results[0] |= {"accuracy": None, "validation": None, "loss_curve": (0.7, math.nan)}
        if fault == "die after it" and standin.is_first(fault):
            killed = standin.folder / "killed"
            subprocess.Popen(["sh", "-c", f"sleep 0.2; kill -9 {os.getpid()}; touch '{killed}'"])
        return results

    def seeds_at_once(self, parameters: Parameters) -> int:
        return self.training.seeds_at_once(parameters)

    def cost(self, parameters: Parameters) -> float:
        return self.training.cost(parameters)

    def settings(self, parameters: Parameters) -> Mapping[str, Any]:
        return self.training.settings(parameters)

    def recorded_as(self, model: str, parameters: Parameters) -> tuple[str, Parameters]:
        return self.training.recorded_as(model, parameters)

    def identity(
        self, model: str, parameters: Parameters, data_sha256: str | None
    ) -> Mapping[str, Any]:
        return self.training.identity(model, parameters, data_sha256)

    def _go_wrong(self, fault: str | None) -> None:
        if fault == "raise":
            raise RuntimeError("no luck today\nand more that nobody wants to know")
        if fault == "die":
            time.sleep(0.3)  # meanwhile another job waits on this worker
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "hang" or (fault == "hang once" and self.standin.is_first(fault)):
            time.sleep(600)
