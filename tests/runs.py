"""Runs with a stand-in for training, on a real store and real workers."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from standin import StandIn

from storage.lock import store_lock
from storage.store import open_store
from studies.chain import run_chain
from studies.cluster import Cluster
from studies.driver import Driver
from studies.estimates import Estimates
from studies.progress import Progress
from studies.protocol import Protocol
from studies.records import Data

DATA = Data("toy", "0123456789abcdef")


@dataclass
class Runs:
    """Runs on one store, one after the other."""

    url: str
    cluster: Cluster
    said: io.StringIO = field(default_factory=io.StringIO)

    def chain(self, model: str, train: StandIn, protocol: Protocol) -> list[str]:
        """Run the chain of a model; what failed."""
        return self.drive(train, lambda driver: run_chain(driver, "toy", model, protocol))

    def drive(self, train: StandIn, work: Callable[[Driver], object]) -> list[str]:
        """Let a driver work; what failed."""
        with store_lock(self.url, []) as lock, open_store(self.url) as store:
            times = Estimates(store.engine, 2)
            progress = Progress(Console(file=self.said), times, {})
            driver = Driver(store, lock, self.cluster, DATA, progress, times, train)
            with progress:
                work(driver)
            return driver.failed
