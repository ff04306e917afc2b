"""A stand-in for training: quick, the same every time, and able to go wrong. Workers import it."""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from digitcmp.training import Hyperparameters, TrainingResult
from studies.worker import Job, Report


def accuracy(model: str, chosen: Hyperparameters, seed: int) -> float:
    """What the stand-in gives: a count of 1,000 pairs that tells nothing of what it is for."""
    digest = hashlib.sha256(f"{model} {chosen} {seed}".encode()).digest()
    return 0.5 + int.from_bytes(digest[:2]) % 500 / 1000


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

    def __call__(self, job: Job) -> Report:
        chosen = job.hyperparameters
        fault = self.faults.get((chosen.learning_rate, chosen.batch_size))
        known = [job.model, chosen.learning_rate, chosen.batch_size, chosen.alpha]
        entry = [job.threads, *known, list(job.seeds)]
        with (self.folder / "auxiliaries").open("a") as asked:
            asked.write(job.auxiliary + "\n")
        self._note("begin", entry)
        self._go_wrong(fault)
        time.sleep(self.seconds)
        self._note("end", entry)
        diverged = {job.seeds[0]} if fault == "diverge" else set()
        results = [
            TrainingResult(
                seed=seed,
                accuracy=None if seed in diverged else self._accuracy(job, seed),
                validation_accuracy=None if seed in diverged else self._accuracy(job, seed + 1000),
                train_seconds=1.0 + seed,
                cpu_seconds=2.0,
                loss_curve=(0.7, float("nan") if seed in diverged else 0.6),
            )
            for seed in job.seeds
        ]
        if fault == "die after it" and self._is_first(fault):
            killed = self.folder / "killed"
            subprocess.Popen(["sh", "-c", f"sleep 0.2; kill -9 {os.getpid()}; touch '{killed}'"])
        return Report(results, 1, "here", "2026-01-02T03:04:05.000+00:00")

    def trained(self) -> list[tuple[object, ...]]:
        """What was trained, once for every time: model, learning rate, batch size, alpha, seed."""
        return [(*known, seed) for _, *known, seeds in self.jobs() for seed in seeds]

    def jobs(self, when: str = "end") -> list[list[object]]:
        """Threads, model, learning rate, batch size, alpha and seeds of each job that began or
        came to its end."""
        return [line[1:] for line in self.diary() if line[0] == when]

    def auxiliaries(self) -> list[str]:
        """Which auxiliary losses were asked for, each once, in the order of the first time."""
        return list(dict.fromkeys((self.folder / "auxiliaries").read_text().splitlines()))

    def diary(self) -> list[list[object]]:
        path = self.folder / "diary"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def _note(self, when: str, entry: list[object]) -> None:
        with (self.folder / "diary").open("a") as diary:
            diary.write(json.dumps([when, *entry]) + "\n")

    def _accuracy(self, job: Job, seed: int) -> float:
        return accuracy(job.model, job.hyperparameters, seed) if self.level is None else self.level

    def _go_wrong(self, fault: str | None) -> None:
        if fault == "raise":
            raise RuntimeError("no luck today\nand more that nobody wants to know")
        if fault == "die":
            time.sleep(0.3)  # meanwhile another job waits on this worker
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "hang" or (fault == "hang once" and self._is_first(fault)):
            time.sleep(600)

    def _is_first(self, fault: str) -> bool:
        try:
            (self.folder / fault).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True
