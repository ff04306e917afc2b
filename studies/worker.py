"""What runs on a worker: trainings, from plain values to plain values."""

import ctypes
import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import torch
from distributed import Worker, WorkerPlugin

from digitcmp.data.pairs import PooledDigits
from digitcmp.models import MODELS, build
from digitcmp.training import Hyperparameters, TrainingResult, train

ALL_CORES = 0
"""As a number of threads: as many as the worker's process may use."""

_data: dict[str, PooledDigits] = {}


class DataPlugin(WorkerPlugin):
    """Brings a data set to every worker of a cluster, also to those that join later."""

    def __init__(self, digits: PooledDigits) -> None:
        self.digits = digits
        self.name = f"digits-{digits.sha256}"

    def setup(self, worker: Worker) -> None:
        """Keep the data for the trainings to come."""
        _data[self.digits.sha256] = self.digits


@dataclass(frozen=True)
class Job:
    """Trainings that one worker does side by side."""

    model: str
    hyperparameters: Hyperparameters
    seeds: tuple[int, ...]
    epochs: int
    auxiliary: str
    data_sha256: str
    threads: int


@dataclass(frozen=True)
class Report:
    """What a worker sends back."""

    results: Sequence[TrainingResult]
    threads: int
    host: str
    started_at: str
    """UTC, ISO 8601."""


def cores() -> int:
    """The processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


NETWORKS_AT_ONCE = {"MLP": 10, "CNN": 5, "ResNet": 1}
"""How many trainings of an architecture gain from going side by side.

A ResNet's convolutions are large enough by themselves."""

CNN_PAIRS_AT_ONCE = 256
"""Of how many pairs a step the maps stay in the processor's cache, over all CNNs side by side."""


def networks_at_once(model: str, batch_size: int) -> int:
    """How many trainings of a cell go into one job, at most."""
    architecture = MODELS[model].architecture
    networks = NETWORKS_AT_ONCE[architecture]
    if architecture == "CNN":
        networks = max(1, min(networks, CNN_PAIRS_AT_ONCE // batch_size))
    return networks


def do(job: Job) -> Report:
    """Train what the job says. It must run on a worker that has the `DataPlugin`."""
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    threads = job.threads or cores()
    torch.set_num_threads(threads)
    # Adam's moments of units that died decay into denormals, which take a hundred times longer.
    torch.set_flush_denormal(True)
    _keep_freed_memory()
    digits = _data[job.data_sha256]
    results = train(
        partial(build, job.model), job.hyperparameters, digits, job.seeds, job.epochs, job.auxiliary
    )
    return Report(results, threads, socket.gethostname(), started_at)


def within(deadline: float, train: Callable[[Job], Report], job: Job) -> Report:
    """Do `train(job)`, or end this worker process where it takes longer than `deadline` seconds.

    A thread cannot be stopped in any other way. Dask starts the worker and the job again, a few
    times over.
    """
    watch = threading.Timer(deadline, os._exit, [1])
    watch.daemon = True
    watch.start()
    try:
        return train(job)
    finally:
        watch.cancel()


def _keep_freed_memory() -> None:
    """Let the C library reuse memory instead of returning it to the system after every layer.

    Activations of megabytes are else mapped, zeroed and unmapped for each batch: half the time of
    a CNN. Dask's workers ask for the opposite through the environment.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return
    trim_threshold, mmap_threshold = -1, -3
    # The most that glibc before 2.35 takes; the largest activation has 9 MB.
    mallopt(mmap_threshold, 32 << 20)
    mallopt(trim_threshold, 1 << 30)
