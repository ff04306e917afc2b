"""The engine that trains: Dask, on this machine or on a cluster that the user runs."""

import logging
import os
import queue
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from distributed import Client, Future, KilledWorker, LocalCluster

from digitcmp.pairs import PooledDigits
from studies.errors import ClusterLost
from studies.worker import DataPlugin

LOOPBACK = "127.0.0.1"


class Cluster:
    """Workers that have the data: those of the Dask cluster at `address`, or processes of its own.

    It starts with the first job, so that a run with nothing left to train starts none.
    """

    def __init__(self, address: str | None, workers: int, digits: PooledDigits) -> None:
        self._address, self._workers, self._digits = address, workers, digits
        self._finished: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
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
        # Dask explains each worker that ends, with tracebacks; the driver says what it means.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        if self._address is None:
            cluster: LocalCluster | str = self._resources.enter_context(
                LocalCluster(
                    n_workers=self._workers,
                    threads_per_worker=1,
                    host=LOOPBACK,
                    dashboard_address=f"{LOOPBACK}:0",
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                )
            )
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
        workers = sorted(self._client.nthreads())[:1] if alone else None
        future = self._client.submit(
            function, *arguments, pure=False, workers=workers, allow_other_workers=alone
        )
        future.add_done_callback(self._finished.put)
        return future

    def finished(self, seconds: float) -> list[Future[Any]]:
        """Wait for up to `seconds`; all that has finished, or failed, since the last call.

        Raises ClusterLost where nothing has because the scheduler is gone.
        """
        found: list[Future[Any]] = []
        try:
            found.append(self._finished.get(timeout=seconds))
            while True:
                found.append(self._finished.get_nowait())
        except queue.Empty:
            if not found and self._client.status != "running":
                raise ClusterLost("the Dask scheduler is gone: run again to go on") from None
            return found

    def cancel(self, futures: list[Future[Any]]) -> None:
        """Forget work that nobody waits for any more; what has begun ends on its own."""
        if futures and self._client.status == "running":
            self._client.cancel(futures)


def failure(future: Future[Any]) -> str | None:
    """Why a job failed, in one line; None where it did not. Raises ClusterLost where it got lost.

    A job that ends its worker process again and again fails, and takes no other job with it.
    """
    match future.status:
        case "finished":
            return None
        case "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                return f"its worker process died in each of {error.allowed_failures + 1} attempts"
            return f"{type(error).__name__}: {error}".partition("\n")[0]
    raise ClusterLost("the Dask scheduler lost a job: run again to go on")


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0))
