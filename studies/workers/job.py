"""What runs on a worker: trainings, from plain values to plain values."""

import os
import pickle
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from distributed import Worker, WorkerPlugin

from storage.output import protect
from studies.experiment.training import TIMES, Parameters, Training, checked

ALL_CORES = 0
"""As a number of threads: as many as the worker's process may use."""

_sent: dict[str, tuple[Mapping[str, Training], Any]] = {}


class TrainingsPlugin(WorkerPlugin):
    """Brings an experiment's trainings and data to every worker, also to those that join later."""

    def __init__(self, content: bytes, key: str) -> None:
        """Take them as pickled by value: workers lack the file that defines them."""
        self.content, self.key = content, key
        self.name = f"trainings-{key}"

    def setup(self, worker: Worker) -> None:
        """Keep them for the jobs to come."""
        # Trainings may print: to the driver's terminal, where this worker is on its machine.
        protect()
        _sent[self.key] = pickle.loads(self.content)


@dataclass(frozen=True)
class Job:
    """Trainings of one cell that a worker does in one go."""

    key: str
    """Of the experiment's trainings and data."""
    model: str
    parameters: Parameters
    seeds: tuple[int, ...]
    threads: int
    objective: str
    needs_validation: bool = False
    """Whether the training must return the objective on validation data, too."""


Report = Mapping[str, Any]
"""What a worker sends back of a training: the columns of `training_runs` that it measured."""


def cores() -> int:
    """Return how many processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def do(job: Job) -> list[Report]:
    """Train what a job asks for, on a worker that has the `TrainingsPlugin`; report by seed.

    Raises ValueError for a result that is none, and whatever the training function raises.
    """
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    threads = job.threads or cores()
    torch.set_num_threads(threads)
    trainings, data = _sent[job.key]
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        results = trainings[job.model].train(job.parameters, job.seeds, data)
    except SystemExit as error:
        # Else it would end the worker, and nobody would learn why.
        raise RuntimeError(f"train called sys.exit({error})") from None
    count = len(job.seeds)
    measured = {
        "loss_curve": (),
        "train_seconds": (time.perf_counter() - wall) / count,
        "cpu_seconds": (time.process_time() - cpu) / count,
        "threads": threads,
        "host": socket.gethostname(),
        "started_at": started_at,
    }
    reports: list[Report] = []
    for result in results:
        numbers = checked(result, job.objective, job.needs_validation)
        # A training may have measured its times itself.
        own = {name: numbers.pop(name) for name in ("loss_curve", *TIMES) if name in numbers}
        reports.append({**measured, **own, "numbers": numbers})
    return reports


def within(deadline: float, job: Job) -> list[Report]:
    """Do a job, or end this worker process where it takes longer than `deadline` seconds.

    A thread cannot be stopped in any other way. Dask starts the worker and the job again, a few
    times over.
    """
    watch = threading.Timer(deadline, os._exit, [1])
    watch.daemon = True
    watch.start()
    try:
        return do(job)
    finally:
        watch.cancel()
