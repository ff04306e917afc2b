"""The engine that trains: Dask, on this machine or on a cluster that the user runs."""

import logging
import os
import queue
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Any, Self

from distributed import Client, Future, KilledWorker, LocalCluster

from digitcmp.pairs import PooledDigits
from studies.errors import ClusterLost
from studies.worker import DataPlugin

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Failed:
    """Why a job has no result. It took no other job with it, even if it ended its workers."""

    reason: str


class Cluster:
    """Workers that have the data: those of the Dask cluster at `address`, or processes of its own.

    It starts with the first job, so that a run with nothing left to train starts none.
    """

    def __init__(self, address: str | None, workers: int, digits: PooledDigits) -> None:
        self._address, self._workers, self._digits = address, workers, digits
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._lost: list[Future[Any]] = []
        self._counted = (-1.0, 0)
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    @cached_property
    def _client(self) -> Client:
        _silence_dask()
        if self._address is None:
            cluster: LocalCluster | str = self._resources.enter_context(_local(self._workers))
        else:
            cluster = self._address
        try:
            client: Client = self._resources.enter_context(Client(cluster, timeout=10))
        except (OSError, ValueError) as error:
            raise ClusterLost(f"no Dask scheduler answers at {self._address}") from error
        plugin = DataPlugin(self._digits)
        client.register_plugin(plugin, name=plugin.name)
        return client

    def threads(self) -> int:
        """How many jobs the cluster does at a time; workers may come and go."""
        counted, threads = self._counted
        if time.monotonic() - counted > 1:
            threads = sum(self._client.nthreads().values())
            self._counted = (time.monotonic(), threads)
        return threads

    def submit(
        self, function: Callable[..., Any], *arguments: Any, alone: bool = False
    ) -> Future[Any]:
        """Do `function(*arguments)` on a worker; with `alone`, on the same one each time."""
        workers = sorted(self._client.nthreads())[:1] or None if alone else None
        future = self._client.submit(
            function, *arguments, pure=False, workers=workers, allow_other_workers=alone
        )
        future.add_done_callback(self._ended.put)
        return future

    def finished(self, seconds: float) -> list[tuple[Future[Any], Any]]:
        """Wait for up to `seconds`; what has ended since the last call, each with its result.

        The result of a job that failed is a `Failed`. Raises ClusterLost where the scheduler is
        gone, or has lost a job.
        """
        ended = self._lost
        try:
            ended.append(self._ended.get(timeout=seconds))
            while True:
                ended.append(self._ended.get_nowait())
        except queue.Empty:
            pass
        if self._client.status != "running" or any(future.cancelled() for future in ended):
            raise ClusterLost("the Dask scheduler is gone: run again to go on")
        # A result may be lost with the worker that kept it: the scheduler has the job done again.
        self._lost = [future for future in ended if future.status == "lost"]
        ended = [future for future in ended if future.status != "lost"]
        good = [future for future in ended if future.status == "finished"]
        # All at once: each question takes milliseconds.
        results = dict(zip(good, self._client.gather(good), strict=True))
        return [
            (future, results[future] if future in results else Failed(_reason(future)))
            for future in ended
        ]

    def cancel(self, futures: list[Future[Any]]) -> None:
        """Forget work that nobody waits for any more; what has begun ends on its own."""
        if futures and self._client.status == "running":
            self._client.cancel(futures)


def _local(workers: int) -> LocalCluster:
    # Ctrl-C in a terminal reaches every process of the group: the driver ends its workers itself.
    # They inherit what is blocked here, also those that are started again later. The resource
    # tracker comes first, because it unblocks the signal in the thread that starts it.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host=LOOPBACK,
            dashboard_address=f"{LOOPBACK}:0",
            memory_limit=0,
            # Threads that wait for each other by spinning for long need all cores for themselves:
            # one busy core of two made a rerun ten times as long.
            env={"GOMP_SPINCOUNT": "30000"},
            silence_logs=logging.CRITICAL,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _silence_dask() -> None:
    """Dask explains every process that ends, with tracebacks; the driver says what it means."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _reason(future: Future[Any]) -> str:
    error = future.exception()
    if isinstance(error, KilledWorker):
        attempts = error.allowed_failures + 1
        return f"its worker process died, or passed its deadline, in each of {attempts} attempts"
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0))
