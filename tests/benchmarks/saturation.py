"""How many short trainings per second one driver and its store keep up with.

    python -m tests.benchmarks.saturation [--storage URL]

The trainings are stand-ins that sleep, on Dask worker threads; everything else is real: Optuna's
trials, ten trainings a cell, each training recorded, each cell told. A driver keeps up where it
reaches the rate that the workers offer.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass

import optuna
from distributed import LocalCluster
from rich.console import Console

from storage.lock import store_lock
from storage.store import open_store
from studies import Experiment, Stage
from studies.display.progress import Progress
from studies.experiment.study import grid_study
from studies.experiment.training import Training
from studies.search.chain import open_study
from studies.search.driver import Driver
from studies.search.plan import Durations
from studies.search.provenance import Data
from studies.workers.cluster import Cluster

SECONDS = 10
"""Length of a measurement at the offered rate."""
MOST_CELLS = 200
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


def achieved(rate: int, threads: int, storage: str) -> float:
    """Return the trainings per second where `threads` workers offer `rate`."""
    cells = min(MOST_CELLS, max(2, rate * SECONDS // 10))
    experiment = Experiment(
        name=f"{rate}-{threads}",
        models={"Sleep": Sleep(threads / rate)},
        stages=[Stage("rest", x=[1 / (2 + i) for i in range(cells)])],
    )
    study = grid_study(experiment, "Sleep", "rest", None)
    workers = LocalCluster(
        n_workers=2, threads_per_worker=threads // 2, host="127.0.0.1",
        dashboard_address="127.0.0.1:0", memory_limit=0,
    )  # fmt: skip
    with (
        workers,
        store_lock(storage, [study.study_name]) as lock,
        open_store(storage) as store,
        Cluster(workers.scheduler_address, 0, experiment.models) as cluster,
    ):
        durations = Durations(store.engine, experiment, threads)
        progress = Progress(Console(quiet=True), {})
        # Data of its own, as a search uses what is recorded.
        driver = Driver(store, lock, cluster, Data(None, experiment.name), progress, durations)
        opened = open_study(driver, study)
        cluster.hosts()
        started = time.perf_counter()
        driver.run([driver.rounds(study, opened)])
        return 10 * cells / (time.perf_counter() - started)


def main() -> None:
    """Measure all rates with all numbers of threads."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.saturation")
    parser.add_argument("--storage", help="a store to fill (default: a new SQLite file)")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        storage = arguments.storage or f"sqlite:///{folder}/studies.db"
        print("offered/s  threads  achieved/s")
        for rate in (10, 100, 1000):
            for threads in (2, 8, 64):
                reached = achieved(rate, threads, storage)
                print(f"{rate:9}  {threads:7}  {reached:10.0f}", flush=True)


if __name__ == "__main__":
    main()
