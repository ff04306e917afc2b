"""Trainings that sleep, and write down when and on which host."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from distributed import get_worker

from studies.experiment.definition import Experiment, Stage
from studies.experiment.training import Parameters, Training
from tests.support.standin import accuracy


class Entry(NamedTuple):
    """A training that was done."""

    begin: float
    end: float
    host: str
    model: str
    seed: int
    priority: int

    @property
    def is_rerun(self) -> bool:
        return self.seed >= 10


@dataclass(frozen=True)
class Sleep(Training):
    """Sleeps `seconds` for each seed."""

    folder: Path
    model: str
    seconds: float
    shares: str | None = None
    """Another model, under which its trainings are recorded."""
    code: str = ""
    parameter_count: int | None = None

    def train(
        self, parameters: Parameters, seeds: Sequence[int], data: Any
    ) -> list[Mapping[str, Any]]:
        worker = get_worker()
        host = worker.address.partition("://")[2].rpartition(":")[0]
        priority = -worker.state.tasks[worker.get_current_task()].priority[0]
        results = []
        for seed in seeds:
            begin = time.time()
            time.sleep(self.seconds)
            entry = begin, time.time(), host, self.model, seed, priority
            with (self.folder / "diary").open("a") as diary:
                diary.write(json.dumps(entry) + "\n")
            name = self.shares or self.model
            results.append({"accuracy": accuracy(name, parameters, seed), "loss_curve": (0.7, 0.6)})
        return results

    def recorded_as(self, model: str, parameters: Parameters) -> tuple[str, Parameters]:
        return self.shares or model, parameters


def entries(folder: Path) -> list[Entry]:
    """All trainings that were done, in the order of their ends."""
    return [Entry(*json.loads(line)) for line in (folder / "diary").read_text().splitlines()]


def sleeping(folder: Path, models: Mapping[str, float], **options: Any) -> Experiment:
    """An experiment of two stages of three cells, with the seconds of a training by model."""
    given = {"name": "toy", "repeats": 2, "reruns": 2} | options
    trainings = {model: Sleep(folder, model, seconds) for model, seconds in models.items()}
    trainings |= given.pop("more", {})
    stages = [Stage("first", x=[0.1, 0.2, 0.3], y=[1]), Stage("second", y=[1, 2, 3])]
    return Experiment(models=trainings, stages=stages, **given)
