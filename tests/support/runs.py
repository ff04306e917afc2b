"""Runs with a stand-in for training, on a real store and real workers."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from rich.console import Console

from storage.lock import store_lock
from storage.store import open_store
from storage.trainings import declare
from studies.display.progress import Progress
from studies.experiment.definition import Experiment
from studies.search.chain import run_chains
from studies.search.driver import Driver
from studies.search.durations import Durations
from studies.search.provenance import Data
from studies.workers.cluster import Cluster
from tests.support.standin import StandIn

DATA = Data("toy", "0123456789abcdef")


@dataclass
class Runs:
    """Runs on one store, one after the other."""

    url: str
    address: str
    """Of the workers."""
    said: io.StringIO = field(default_factory=io.StringIO)
    progress: type[Progress] = Progress
    priority: int = 0
    locked: str = ""
    """The name of the store's lock, where several drivers share the store."""

    def chain(self, model: str, standin: StandIn, **options: object) -> list[str]:
        """Run the chain of a model with these options of the paper's; what failed."""
        return self.run(replace(standin.experiment(**options), name="toy"), model)

    def run(self, experiment: Experiment, *models: str) -> list[str]:
        """Run the chains of models; what failed."""
        return self.drive(experiment, lambda driver: run_chains(driver, experiment, models))

    def drive(self, experiment: Experiment, work: Callable[[Driver], object]) -> list[str]:
        """Let a driver of an experiment work; what failed."""
        with self.driver(experiment) as driver:
            work(driver)
        return driver.failed

    def _cluster(self, experiment: Experiment) -> Cluster:
        return Cluster(self.address, 2, experiment.models, priority=self.priority)

    @contextmanager
    def driver(self, experiment: Experiment, cluster: Cluster | None = None) -> Iterator[Driver]:
        """A driver of an experiment, on the workers of all tests if no others are given."""
        with (
            store_lock(self.url, [self.locked]) as lock,
            open_store(self.url, lock) as store,
            cluster or self._cluster(experiment) as workers,
        ):
            declare(store.engine, experiment.grid, experiment.objective)
            durations = Durations(store.engine, experiment, 2)
            progress = self.progress(Console(file=self.said), {})
            with progress:
                yield Driver(store, lock, workers, DATA, progress, durations)
