"""How many short trainings per second one driver and its store keep up with.

    python -m tests.benchmarks.saturation [--storage URL] [--threads 8 64] [--rate 1000]

The trainings are stand-ins that sleep, on the threads of two Dask workers. Scheduler and workers
are processes of their own, as on a cluster; everything else is real: Optuna's trials, ten trainings
a cell, each training recorded, each cell told. A driver keeps up where it reaches the rate that the
workers offer. As all processes share one machine, the processor time of each is printed too.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
import psutil
from rich.console import Console

from storage.lock import store_lock
from storage.store import open_store
from storage.trainings import declare
from studies import Experiment, Stage
from studies.display.progress import Progress
from studies.experiment.study import grid_study
from studies.experiment.training import Training
from studies.search.chain import open_study
from studies.search.driver import Driver
from studies.search.durations import Durations
from studies.search.provenance import Data
from studies.workers.cluster import Cluster
from tests.faults.dask_processes import scheduler

SECONDS = 10
"""Length of a measurement at the offered rate."""
MOST_CELLS = 400
"""Of ten trainings each: enough to see how fast a driver is that does not keep up."""


@dataclass(frozen=True)
class Sleep(Training):
    """Stands in for trainings: takes time, but no processor."""

    seconds: float
    code: str = ""
    parameter_count: int | None = None

    def train(self, parameters, seeds, data):
        time.sleep(self.seconds * len(seeds))
        curve = tuple(1.0 / (epoch + 1) for epoch in range(25))
        return [{"accuracy": 0.9, "validation": 0.9, "loss_curve": curve} for _ in seeds]


@dataclass(frozen=True)
class Processes:
    """A Dask cluster on this machine, beside the driver."""

    address: str
    parts: dict[str, int]
    """Numbers of its processes, by what they are."""

    def processor_seconds(self) -> dict[str, float]:
        """Return the processor time that driver, scheduler and workers have taken so far."""
        parts = {"driver": psutil.Process().pid, **self.parts}
        taken = {}
        for name, number in parts.items():
            process = psutil.Process(number)
            family = [process] if name == "driver" else [process, *process.children(True)]
            times = [part.cpu_times() for part in family]
            taken[name] = sum(time.user + time.system for time in times)
        return taken


@contextmanager
def processes(threads: int) -> Iterator[Processes]:
    """Start a scheduler, and two workers with half of the threads each."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        scheduler(Path(folder)) as (address, started),
    ):
        command = [
            *(sys.executable, "-m", "dask", "worker", address, "--host", "127.0.0.1"),
            *("--nworkers", "2", "--nthreads", str(threads // 2), "--no-dashboard"),
        ]
        quiet = subprocess.DEVNULL
        # Else Dask looks a hundred times a second where each thread is, on the driver's processor.
        more = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
        with subprocess.Popen(
            command, cwd=folder, stdout=quiet, stderr=quiet, env=os.environ | more
        ) as workers:
            try:
                yield Processes(address, {"scheduler": started.pid, "workers": workers.pid})
            finally:
                workers.terminate()


def achieved(rate: int, threads: int, storage: str) -> tuple[float, dict[str, float]]:
    """Return the trainings per second where `threads` workers offer `rate`, and processor times."""
    cells = min(MOST_CELLS, max(2, rate * SECONDS // 10))
    experiment = Experiment(
        name=f"{rate}-{threads}-{time.time_ns()}",
        models={"Sleep": Sleep(threads / rate)},
        stages=[Stage("rest", x=[1 / (2 + i) for i in range(cells)])],
    )
    study = grid_study(experiment, "Sleep", "rest", None)
    with (
        processes(threads) as others,
        store_lock(storage, [study.study_name]) as lock,
        open_store(storage) as store,
        Cluster(others.address, 0, experiment.models) as cluster,
        Progress(Console(quiet=True), {}) as progress,
    ):
        declare(store.engine, experiment.grid, experiment.objective)
        durations = Durations(store.engine, experiment, threads)
        # Data of its own, as a search uses what is recorded.
        driver = Driver(store, lock, cluster, Data(None, experiment.name), progress, durations)
        opened = open_study(driver, study)
        while sum(host.threads for host in cluster.hosts()) < threads:
            time.sleep(0.1)
        # Else their first jobs wait until PyTorch is loaded.
        cluster.start()
        before = others.processor_seconds()
        started = time.perf_counter()
        driver.run([driver.rounds(study, opened)])
        seconds = time.perf_counter() - started
        after = others.processor_seconds()
    return 10 * cells / seconds, {name: (after[name] - before[name]) / seconds for name in after}


def main() -> None:
    """Measure all rates with all numbers of threads."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.saturation")
    parser.add_argument("--storage", help="a store to fill (default: a new SQLite file)")
    parser.add_argument("--threads", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--rate", type=int, nargs="+", default=[10, 100, 1000])
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        storage = arguments.storage or f"sqlite:///{folder}/studies.db"
        print("offered/s  threads  achieved/s  cores busy with")
        for rate in arguments.rate:
            for threads in arguments.threads:
                reached, busy = achieved(rate, threads, storage)
                parts = ", ".join(f"{name} {share:.2f}" for name, share in busy.items())
                print(f"{rate:9}  {threads:7}  {reached:10.0f}  {parts}", flush=True)


if __name__ == "__main__":
    main()
