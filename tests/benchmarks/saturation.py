"""How many short trainings per second one driver and its store keep up with.

    python -m tests.benchmarks.saturation [--storage URL]

The trainings are stand-ins that sleep, on Dask worker threads; everything else is real: Optuna's
trials, ten trainings a cell, each training recorded, each cell told. A driver keeps up where it
reaches the rate that the workers offer.
"""

import argparse
import tempfile
import time
from datetime import UTC, datetime
from functools import partial

import optuna
from distributed import LocalCluster
from rich.console import Console

from digitcmp.data import mnist, pairs
from digitcmp.training import TrainingResult
from storage.lock import store_lock
from storage.store import open_store
from studies.chain import open_study
from studies.cluster import Cluster
from studies.driver import Driver
from studies.estimates import Estimates
from studies.progress import Progress
from studies.protocol import Protocol
from studies.records import Data
from studies.stages import Stage
from studies.worker import Job, Report

SECONDS = 10
"""Length of a measurement at the offered rate."""
MOST_CELLS = 200
"""Of ten trainings each: enough to see how fast a driver is that does not keep up."""


def sleep(seconds: float, job: Job) -> Report:
    """Stand in for trainings: take time, but no processor."""
    time.sleep(seconds * len(job.seeds))
    curve = tuple(1.0 / (epoch + 1) for epoch in range(job.epochs))
    results = [TrainingResult(seed, 0.9, 0.9, seconds, 0.0, curve) for seed in job.seeds]
    return Report(results, 1, "stand-in", datetime.now(UTC).isoformat())


def achieved(rate: int, threads: int, storage: str, digits: pairs.PooledDigits) -> float:
    """Trainings per second where `threads` workers offer `rate`."""
    cells = min(MOST_CELLS, max(2, rate * SECONDS // 10))
    grid = {"learning_rate": [1 / (2 + i) for i in range(cells)], "batch_size": [8]}
    # A model of which a job holds one training.
    stage = Stage(f"{rate}-{threads}", "ResNet", "lr-batch", Protocol(), grid)
    # Data of its own, as a search uses what is recorded.
    data = Data("stand-in", stage.experiment)
    workers = LocalCluster(
        n_workers=2, threads_per_worker=threads // 2, host="127.0.0.1",
        dashboard_address="127.0.0.1:0", memory_limit=0,
    )  # fmt: skip
    with (
        workers,
        store_lock(storage, [stage.study_name]) as lock,
        open_store(storage) as store,
        Cluster(workers.scheduler_address, 0, digits) as cluster,
    ):
        times = Estimates(store.engine, threads)
        progress = Progress(Console(quiet=True), times, {})
        driver = Driver(store, lock, cluster, data, progress, times, partial(sleep, threads / rate))
        study = open_study(driver, stage)
        cluster.threads()
        started = time.perf_counter()
        driver.run(stage, study)
        return 10 * cells / (time.perf_counter() - started)


def main() -> None:
    """Measure all rates with all numbers of threads."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.saturation")
    parser.add_argument("--storage", help="a store to fill (default: a new SQLite file)")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    digits = pairs.pool(mnist.load("mnist-sample"))
    with tempfile.TemporaryDirectory() as folder:
        storage = arguments.storage or f"sqlite:///{folder}/studies.db"
        print("offered/s  threads  achieved/s")
        for rate in (10, 100, 1000):
            for threads in (2, 8, 64):
                reached = achieved(rate, threads, storage, digits)
                print(f"{rate:9}  {threads:7}  {reached:10.0f}", flush=True)


if __name__ == "__main__":
    main()
