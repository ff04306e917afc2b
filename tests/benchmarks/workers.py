"""What a second worker adds, and what the service itself costs beside the trainings.

    python -m tests.benchmarks.workers [--model CNN] [--epochs 10] [--repeats 5]

Runs the first search of a model twice, each on a new store: with one worker, then with one per
core. The cost of asking, shipping, recording and telling is the share of the workers' time between
the first job's begin and the last one's end in which they had none.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import optuna
from rich.console import Console

from digitcmp.data import mnist, pairs
from storage.lock import store_lock
from storage.store import open_store
from studies.board import Board
from studies.chain import open_study
from studies.cluster import Cluster
from studies.driver import Driver
from studies.estimates import Estimates
from studies.progress import Progress
from studies.protocol import Protocol
from studies.records import Data
from studies.stages import make_stage
from studies.worker import Job, Report, cores, do


@dataclass(frozen=True)
class Measured:
    """What a search took."""

    trainings: int
    seconds: float
    """From the first job's begin to the last one's end."""
    busy: float
    """Seconds of all jobs."""


def timed(diary: Path, job: Job) -> Report:
    """Do a job, and note when it began and ended."""
    began = time.time()
    report = do(job)
    with diary.open("a") as lines:
        lines.write(f"{began} {time.time()}\n")
    return report


def search(model: str, protocol: Protocol, workers: int, digits: pairs.PooledDigits) -> Measured:
    """Run the first search of `model` on a new store."""
    stage = make_stage("workers", model, "lr-batch", protocol, None)
    data = Data(protocol.data, digits.sha256)
    with tempfile.TemporaryDirectory() as folder:
        url, diary = f"sqlite:///{folder}/studies.db", Path(folder) / "diary"
        with (
            store_lock(url, [stage.study_name]) as lock,
            open_store(url) as store,
            Cluster(None, workers, digits) as cluster,
        ):
            times = Estimates(store.engine, workers)
            progress = Progress(Console(quiet=True), times, {})
            board = Board(store, Path(folder) / "artifacts")
            train = partial(timed, diary)
            driver = Driver(store, lock, cluster, data, progress, times, train, board=board)
            driver.run(stage, open_study(driver, stage))
        jobs = [tuple(map(float, line.split())) for line in diary.read_text().splitlines()]
    began, ended = min(job[0] for job in jobs), max(job[1] for job in jobs)
    return Measured(20 * protocol.repeats, ended - began, sum(end - begin for begin, end in jobs))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.workers")
    parser.add_argument("--model", default="CNN")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    digits = pairs.pool(mnist.load("mnist-sample"))
    protocol = Protocol(epochs=arguments.epochs, repeats=arguments.repeats)
    measured = {}
    for workers in (1, cores()):
        found = measured[workers] = search(arguments.model, protocol, workers, digits)
        idle = 1 - found.busy / (workers * found.seconds)
        print(
            f"{workers} worker{'s' * (workers > 1)}: {found.trainings} trainings in "
            f"{found.seconds:.1f} s, {found.trainings / found.seconds:.2f} per second, workers "
            f"without a job {idle:.2%} of the time",
            flush=True,
        )
    one, all_cores = measured[1], measured[cores()]
    print(f"{cores()} workers / 1 worker: {one.seconds / all_cores.seconds:.2f} times as fast")


if __name__ == "__main__":
    main()
