"""Worker processes on this machine."""

import logging
import resource
import signal
import sys
import time
from contextlib import suppress
from multiprocessing import resource_tracker, spawn
from typing import Any

import dask
from distributed import LocalCluster, Status

from studies.display.errors import ClusterLost

LOOPBACK = "127.0.0.1"

PER_CORE = 8
"""The most workers for each core: more would only fill the memory."""

ATTEMPTS = 6
"""Deaths of each worker, as it starts, that end a run in which none has ever stayed alive."""

LEAST_ADDRESSES = 1.5e9
"""Bytes of addresses below which torch, or Dask in this process, breaks down at any point."""

PATIENCE = 120.0
"""Seconds that a run waits for any worker at all."""

CONFIG = {
    # Else Dask closes a worker that is slow to start again.
    "distributed.deploy.lost-worker-timeout": PATIENCE,
    # Else a run that was stopped for minutes, as by Ctrl-Z, loses its workers when it goes on.
    "distributed.scheduler.worker-ttl": None,
    # Whatever runs beside a training that is timed disturbs it. By default Dask looks at its own
    # loops every 20 ms and takes samples of its threads every 10.
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.worker.profile.enabled": False,
}
"""What Dask is told in this process; its workers inherit it."""


class LocalWorkers:
    """Single-threaded worker processes; one that dies is replaced, also while it starts."""

    def __init__(self, count: int) -> None:
        """Begin to start them. Raises ClusterLost where a limit leaves them too little memory."""
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESSES:
            raise ClusterLost(
                f"a limit of {limit / 1e9:.1f} GB of memory per process (`ulimit -v`) is too low: "
                f"raise it to {LEAST_ADDRESSES / 1e9:.1f} GB, better to twice as much"
            )
        self._count = count
        self.cluster = _cluster()
        self.cluster.scale(count)
        self._alive = time.monotonic()
        self._deaths: int | None = 0

    def look_after(self, present: int) -> None:
        """Replace those that are gone; `present` says how many there are now.

        Raises ClusterLost where none comes for long.
        """
        if present:
            self._alive = time.monotonic()
            self._deaths = None
        if time.monotonic() - self._alive > PATIENCE:
            raise ClusterLost("no worker process stays alive on this machine: run again to go on")
        if present < self._count:
            # Dask starts a worker again that dies at work, but gives up one that dies as it starts.
            for name, nanny in list(self.cluster.workers.items()):
                if nanny.status in (Status.closed, Status.failed):
                    self.cluster.worker_spec.pop(name, None)
                    if self._deaths is not None:
                        self._deaths += 1
            if (self._deaths or 0) >= ATTEMPTS * self._count:
                raise ClusterLost(
                    f"all of {self._deaths} worker processes died as they started: there may be "
                    "too little memory for them, a limit such as that of `ulimit -v`, or a package "
                    "that is damaged; fewer --workers need less"
                )
            self.cluster.scale(self._count)

    def close(self) -> None:
        """End them; what cannot be ended in order dies with this process."""
        with suppress(Exception):
            self.cluster.close()


def _without_main(name: str) -> dict[str, Any]:
    """Return what a new process is told, where it is Dask's without the main module of this one.

    Functions travel by value, so that workers need no such module, and where it is a script that
    starts a run at its top level, each worker would start another one.
    """
    told: dict[str, Any] = _get_preparation_data(name)
    if name.startswith("Dask Worker process"):
        for key in ("init_main_from_name", "init_main_from_path"):
            told.pop(key, None)
    return told


# For good, as a worker that dies is started again at any time.
_get_preparation_data = spawn.get_preparation_data
spawn.get_preparation_data = _without_main


def _start_resource_tracker() -> None:
    """Start Python's process that removes what this one leaves, and keep it from a warning.

    A run that a signal ends while its workers start leaves semaphores. They are removed all the
    same, and the warning would come after the sentence that says how to go on.
    """
    before = sys.warnoptions
    sys.warnoptions = [*before, "ignore:resource_tracker:UserWarning"]
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions = before


def _cluster() -> LocalCluster:
    dask.config.set(CONFIG)
    # Ctrl-C in a terminal reaches every process of the group: the driver ends its workers itself.
    # They inherit what is blocked here, also those that are started again later. The resource
    # tracker comes first, because it unblocks the signal in the thread that starts it.
    _start_resource_tracker()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return LocalCluster(
            n_workers=0,
            threads_per_worker=1,
            host=LOOPBACK,
            dashboard_address=f"{LOOPBACK}:0",
            memory_limit=0,
            # Twice in company, then twice alone: the driver tries the suspects again.
            scheduler_kwargs={"allowed_failures": 1},
            # Threads that spin as long as by OpenMP's default make trainings a tenth slower where
            # cores share hardware. That they spin at all is harmless on cores of their own only,
            # see `pinning`.
            env={"GOMP_SPINCOUNT": "30000"},
            silence_logs=logging.CRITICAL,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
