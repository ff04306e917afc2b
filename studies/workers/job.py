"""What runs on a worker: trainings, from plain values to plain values."""

import asyncio
import logging
import os
import pickle
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from distributed import Worker, WorkerPlugin

from storage.output import protect
from studies.experiment import weights
from studies.experiment.training import TIMES, WEIGHTS, Parameters, Training, checked
from studies.workers import disturbance
from studies.workers.pinning import pinned_threads
from studies.workers.processor import processor
from studies.workers.timing import Reply as Reply
from studies.workers.timing import undisturbed
from studies.workers.versions import difference, versions

ALL_CORES = 0
"""As a number of threads: as many as the worker's process may use."""

PATIENCE = 5.0
"""Seconds within which trainings that are sent to a worker arrive."""

_sent: dict[str, tuple[Mapping[str, Training], Any] | str] = {}
"""Trainings and data by key, or the reason why this worker does not train them."""


class TrainingsPlugin(WorkerPlugin):
    """Brings an experiment's trainings and data to every worker, also to those that join later."""

    def __init__(self, content: bytes, key: str) -> None:
        """Take them as pickled by value: workers lack the file that defines them."""
        self.content, self.key, self.versions = content, key, versions()
        self.name = topic(key)

    def setup(self, worker: Worker) -> None:
        """Keep them for the jobs to come, where this worker trains as the driver would."""
        # Trainings may print: to the driver's terminal, where this worker is on its machine.
        protect()
        # Dask tells nobody of what is raised at a worker that joins later.
        try:
            _torch()  # now, else the first job would wait until it is loaded
            _sent[self.key] = difference(self.versions) or pickle.loads(self.content)
        except Exception as error:
            _sent[self.key] = lacking(error)
        # Drivers read the events that their scheduler keeps: nobody waits for a worker's answer.
        kind = processor() or "unknown"
        worker.log_event(self.name, (worker.address, refusal(self.key), kind))


def lacking(error: Exception) -> str:
    """Return what keeps a worker from loading what it is to train."""
    return f"it lacks this package, or another one that is needed ({error}): install it there"


def topic(key: str) -> str:
    """Return the name under which workers log whether they train, with address and processor."""
    return f"trainings-{key}"


def refusal(key: str) -> str | None:
    """Return why this worker does not train, None where it does."""
    sent = _sent.get(key, "the trainings did not reach it: start it again")
    return sent if isinstance(sent, str) else None


async def wait_for_refusal(key: str) -> str | None:
    """Return why this worker does not train, None where it does; wait for what is on its way."""
    deadline = time.monotonic() + PATIENCE
    while key not in _sent and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return refusal(key)


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
    at_once: int | None = None
    """How many of them train side by side, the others after them; all where None."""

    def parts(self) -> list["Job"]:
        """Return a job for each of the groups that train one after the other."""
        size = self.at_once or len(self.seeds)
        groups = [self.seeds[i : i + size] for i in range(0, len(self.seeds), size)]
        return [replace(self, seeds=group, at_once=None) for group in groups]

    @property
    def is_timed(self) -> bool:
        """Whether it has all cores of its host, so that its time counts."""
        return self.threads == ALL_CORES


@dataclass(frozen=True)
class Done:
    """The replies of a job, by seed: an object, as Dask measures what lists and dicts hold."""

    replies: list[Reply]


@dataclass(frozen=True)
class Failed:
    """Why a job has no result."""

    reason: str
    deaths: int = 0
    """How many worker processes died with it: its own doing, or that of a job beside it."""


def cores() -> int:
    """Return how many processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _torch() -> Any:
    # Here, as the scheduler loads this module with each job that it takes, and the driver as it
    # starts: neither trains, and loading PyTorch takes seconds.
    import torch

    return torch


def run_job(job: Job) -> list[Reply]:
    """Train what a job asks for, on a worker that has the `TrainingsPlugin`; reply by seed.

    Raises ValueError for a result that is none, and whatever the training function raises.
    """
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    threads = job.threads or cores()
    _torch().set_num_threads(threads)
    sent = _sent[job.key]
    assert not isinstance(sent, str)
    trainings, data = sent
    training = trainings[job.model]
    pinned = threads if job.is_timed and training.has_torch_threads else 1
    # Pinned, a thread would see its own core alone.
    before = disturbance.read() if job.is_timed else None
    with pinned_threads(pinned):
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            results = training.train(job.parameters, job.seeds, data)
        except SystemExit as error:
            # Else it would end the worker, and nobody would learn why.
            raise RuntimeError(f"train called sys.exit({error})") from None
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    after = disturbance.read() if job.is_timed else None
    count = len(job.seeds)
    measured = {
        "loss_curve": (),
        "train_seconds": wall / count,
        "cpu_seconds": cpu / count,
        "threads": threads,
        "host": socket.gethostname(),
        "started_at": started_at,
        "processor": processor(),
        "disturbance": disturbance.share_of_others(before, after),
    }
    replies: list[Reply] = []
    for result in results:
        numbers = checked(result, job.objective, job.needs_validation)
        # A training may have measured its times itself.
        own = {name: numbers.pop(name) for name in ("loss_curve", *TIMES) if name in numbers}
        replies.append({**measured, **own, "numbers": numbers})
        if job.is_timed and (learned := weights.packed(result)) is not None:
            replies[-1] = {**replies[-1], WEIGHTS: learned}
    return replies


def attempt(deadline: float, job: Job) -> Done | Failed | None:
    """Do a job, or end this worker process where it takes longer than `deadline` seconds.

    A thread cannot be stopped in any other way. Dask starts the worker and the job again, a few
    times over. A disturbed timing is done again, each time with that deadline. Returns None on a
    worker that does not train.
    """
    if isinstance(_sent.get(job.key, ""), str):
        return None

    def train() -> list[Reply]:
        with _watched(deadline):
            return [reply for part in job.parts() for reply in run_job(part)]

    try:
        replies = train()
    except Exception as error:
        # As Dask would tell of it: a cluster's own log is the place for the traceback.
        logging.getLogger("distributed.worker").warning("a training failed", exc_info=True)
        return Failed(f"{type(error).__name__}: {error}".partition("\n")[0])
    if job.is_timed:
        # What is timed is a single training.
        replies = [undisturbed(replies[0], lambda: train()[0], job.objective)]
    return Done(replies)


@contextmanager
def _watched(deadline: float) -> Iterator[None]:
    """End this process where what is done here takes longer than `deadline` seconds."""
    watch = threading.Timer(deadline, os._exit, [1])
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
