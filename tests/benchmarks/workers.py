"""What a second worker adds, and what the service itself costs beside the trainings.

    python -m tests.benchmarks.workers [--model CNN] [--epochs 10] [--repeats 5]

Runs the first search of a model twice, each on a new store: with one worker, then with one per
core. The cost of asking, shipping, recording and telling is the share of the workers' time between
the first job's begin and the last one's end in which they had none.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
from rich.console import Console

from digitcmp.data import mnist, pairs
from storage.lock import store_lock
from storage.store import open_store
from studies.dashboard.notes import StudyNotes
from studies.display.progress import Progress
from studies.experiment.definition import Experiment
from studies.experiment.study import grid_study
from studies.experiment.training import Training
from studies.paper import experiment
from studies.search.chain import open_study
from studies.search.driver import Driver
from studies.search.durations import Durations
from studies.search.provenance import Data
from studies.workers.cluster import Cluster
from studies.workers.job import cores


@dataclass(frozen=True)
class Measured:
    """What a search took."""

    trainings: int
    seconds: float
    """From the first job's begin to the last one's end."""
    busy: float
    """Seconds of all jobs."""


@dataclass(frozen=True)
class Timed(Training):
    """Trains as another does, and notes when each job began and ended."""

    training: Training
    diary: Path

    def train(self, parameters, seeds, data):
        began = time.time()
        results = self.training.train(parameters, seeds, data)
        with self.diary.open("a") as lines:
            lines.write(f"{began} {time.time()}\n")
        return results

    def __getattr__(self, name: str):
        if name == "training":  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.training, name)

    def seeds_at_once(self, parameters):
        return self.training.seeds_at_once(parameters)

    def identity(self, model, parameters, data_sha256):
        return self.training.identity(model, parameters, data_sha256)


def search(model: str, chosen: Experiment, workers: int, digits: pairs.PooledDigits) -> Measured:
    """Run the first search of `model` on a new store."""
    with tempfile.TemporaryDirectory() as folder:
        url, diary = f"sqlite:///{folder}/studies.db", Path(folder) / "diary"
        training = Timed(chosen.training(model), diary)
        timed = replace(chosen, models={model: training})
        study = grid_study(timed, model, "lr-batch", None)
        with (
            store_lock(url, [study.study_name]) as lock,
            open_store(url) as store,
            Cluster(None, workers, timed.models, digits) as cluster,
        ):
            durations = Durations(store.engine, timed, workers)
            progress = Progress(Console(quiet=True), {})
            notes = StudyNotes(store, Path(folder) / "artifacts")
            data = Data("mnist-sample", digits.sha256)
            driver = Driver(store, lock, cluster, data, progress, durations, notes=notes)
            driver.run([driver.rounds(study, open_study(driver, study))])
        jobs = [tuple(map(float, line.split())) for line in diary.read_text().splitlines()]
    began, ended = min(job[0] for job in jobs), max(job[1] for job in jobs)
    return Measured(
        len(study) * chosen.repeats, ended - began, sum(end - begin for begin, end in jobs)
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.workers")
    parser.add_argument("--model", default="CNN")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    digits = pairs.pool(mnist.load("mnist-sample"))
    chosen = experiment(epochs=arguments.epochs, repeats=arguments.repeats)
    measured = {}
    for workers in (1, cores()):
        found = measured[workers] = search(arguments.model, chosen, workers, digits)
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
