"""How busy a cluster is while twelve models are searched side by side.

    python -m tests.benchmarks.chains [--seconds 300] [--threads 16 64 256]

Stand-ins that sleep take the place of trainings: twelve models, two stages of 20 and 10 cells, ten
repeats, one as long as the other in the proportions of docs/speed.md, scaled so that the searches
would take `--seconds` if no worker ever waited. The rest is real: scheduler and workers are
processes of their own, and the driver writes a SQLite store. The ratio is that of the time from the
first begin to the last end of a search's training to the work divided by the workers.
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
from distributed import Client
from rich.console import Console
from sqlalchemy import text

from storage.reader import open_reader
from studies import Experiment, Stage
from studies.experiment.training import Training
from studies.search.service import Settings, run_models
from tests.faults.dask_processes import scheduler

SECONDS = {
    "MLP": 0.278, "SiameseMLP": 0.168, "AuxMLP": 0.166, "AuxsiameseMLP": 0.172,
    "CNN": 0.883, "SiameseCNN": 1.391, "AuxCNN": 2.327, "AuxsiameseCNN": 1.212,
    "ResNet": 16.495, "SiameseResNet": 29.050, "AuxResNet": 30.314, "AuxsiameseResNet": 30.947,
}  # fmt: skip
"""Of a training in a search, by model: the table of docs/speed.md."""

AT_ONCE = {"MLP": 10, "CNN": 5, "ResNet": 1}
"""Seeds that the paper's models train side by side, by the end of their names."""

STAGES = {"first": 20, "second": 10}
"""Cells of each stage."""

REPEATS = 10

BATCH_SIZES = (8, 16, 32, 64, 128)

WINNER = 16


def length(batch_size: float) -> float:
    """Return how long a training is, compared with one at batch size 16."""
    return 0.5 + 8 / batch_size


@dataclass(frozen=True)
class Sleep(Training):
    """Stands in for trainings: takes time, but no processor."""

    model: str
    scale: float
    code: str = ""
    parameter_count: int | None = None

    def train(self, parameters, seeds, data):
        begun = time.time()
        # Reruns come after what is measured.
        time.sleep(self.cost(parameters) * len(seeds) if seeds[0] < REPEATS else 0.01)
        times = {"begun": begun, "ended": time.time()}
        # So that it is known at which batch size the second stage goes on.
        value = 0.9 if parameters["batch_size"] == WINNER else 0.6
        return [{"accuracy": value + seed / 10000, **times} for seed in seeds]

    def seeds_at_once(self, parameters):
        return next(count for name, count in AT_ONCE.items() if self.model.endswith(name))

    def cost(self, parameters):
        return self.scale * SECONDS[self.model] * length(parameters["batch_size"])


def work(scale: float) -> float:
    """Return the seconds that all trainings of the searches take, one after the other."""
    first = sum(map(length, BATCH_SIZES)) / len(BATCH_SIZES) * STAGES["first"]
    second = length(WINNER) * STAGES["second"]
    return scale * sum(SECONDS.values()) * REPEATS * (first + second)


def experiment(scale: float) -> Experiment:
    """Return two stages of 20 and 10 cells for twelve models."""
    rates = [0.005, 0.001, 0.0005, 0.0001]
    stages = [
        Stage("first", learning_rate=rates, batch_size=list(BATCH_SIZES)),
        Stage("second", alpha=[i / 10 for i in range(10)]),
    ]
    models = {model: Sleep(model, scale) for model in SECONDS}
    return Experiment("busy", models, stages, repeats=REPEATS, reruns=1)


@contextmanager
def workers(address: str, threads: int, folder: Path) -> Iterator[None]:
    """Start worker threads on one host, 64 of them in a process."""
    processes = -(-threads // 64)
    command = [sys.executable, "-m", "dask", "worker", address, "--host", "127.0.0.1"]
    command += ["--nthreads", str(threads // processes), "--nworkers", str(processes)]
    started = subprocess.Popen(
        [*command, "--no-dashboard"], cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    try:
        with Client(address) as client:
            client.wait_for_workers(processes)
        yield
    finally:
        started.terminate()
        started.wait()


def measured(threads: int, seconds: float) -> tuple[float, int]:
    """Return the seconds that the searches took on `threads` workers, and their trainings."""
    scale = seconds * threads / work(1.0)
    with tempfile.TemporaryDirectory() as folder, scheduler(Path(folder)) as (address, _):
        storage = f"sqlite:///{folder}/studies.db"
        with workers(address, threads, Path(folder)):
            settings = Settings(storage, cluster=address)
            console = Console(file=(Path(folder) / "log").open("w"))
            failed = run_models(experiment(scale), list(SECONDS), settings, console)
        assert not failed, failed
        reader = open_reader(storage)
        with reader.connect() as connection:
            row = connection.execute(
                text(
                    "select max(ended) - min(begun) as seconds, count(*) as trainings"
                    f" from training_runs where seed < {REPEATS}"
                )
            ).one()
        reader.dispose()
        return row.seconds, row.trainings


def main() -> None:
    """Measure with all numbers of threads."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.chains")
    parser.add_argument("--seconds", type=float, default=300.0, help="if no worker ever waited")
    parser.add_argument("--threads", type=int, nargs="+", default=[16, 64, 256])
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print("threads  trainings  work / threads  searches  ratio")
    for threads in arguments.threads:
        taken, trainings = measured(threads, arguments.seconds)
        ratio = taken / arguments.seconds
        ideal = f"{threads:7}  {trainings:9}  {arguments.seconds:12.1f} s"
        print(f"{ideal}  {taken:6.1f} s  {ratio:5.2f}", flush=True)


if __name__ == "__main__":
    main()
