"""The engine that trains: Dask, on this machine or on a cluster that the user runs."""

import hashlib
import queue
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import cloudpickle
from distributed import Client, Future, KilledWorker

from studies.display.errors import ClusterLost, UsageError
from studies.experiment.training import Training
from studies.workers.connection import TIMEOUT, answering, connect, register
from studies.workers.job import TrainingsPlugin
from studies.workers.local import LocalWorkers


@dataclass(frozen=True)
class Failed:
    """Why a job has no result."""

    reason: str
    deaths: int = 0
    """How many worker processes died with it: its own doing, or that of a job beside it."""


class Cluster:
    """Workers that have the trainings: those of the Dask cluster at `address`, or own processes.

    It starts with the first job, so that a run with nothing left to train starts none. Each method
    raises ClusterLost where the scheduler is gone, or no process of its own stays alive.
    """

    def __init__(
        self, address: str | None, workers: int, trainings: Mapping[str, Training], data: Any = None
    ) -> None:
        """Take an experiment's trainings by model, and the data that they need."""
        self._address, self._workers = address, workers
        # By value, and all at once, so that what they share is sent once.
        try:
            self._content = cloudpickle.dumps((dict(trainings), data))
        except Exception as error:
            raise UsageError(
                f"the training functions, or their data, cannot be sent to workers ({error}): make "
                "what cannot be pickled inside the function"
            ) from error
        self.key = hashlib.sha256(self._content).hexdigest()
        """What a job names the trainings by."""
        self._local: LocalWorkers | None = None
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._lost: list[Future[Any]] = []
        self._unwanted: set[Future[Any]] = set()
        self._counted = (-1.0, 0)
        self._resources = ExitStack()
        # What cannot be closed in order, as its other end is gone, dies with this process.
        self._resources.enter_context(suppress(Exception))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def start(self) -> None:
        """Start now, not with the first job."""
        assert self._client

    @cached_property
    def _client(self) -> Client:
        if self._address is not None:
            client = connect(self._address)
        else:
            self._local = LocalWorkers(self._workers)
            self._resources.callback(self._local.close)
            client = connect(self._local.cluster)
        self._resources.callback(client.close, timeout=TIMEOUT)
        register(client, TrainingsPlugin(self._content, self.key))
        return client

    def threads(self) -> int:
        """How many jobs the cluster does at a time; workers may come and go."""
        counted, threads = self._counted
        if time.monotonic() - counted > 1:
            with answering(self._client):
                threads = sum(self._client.nthreads().values())
            if self._local is not None:
                self._local.look_after(threads)
                # Those that are starting will soon do their part.
                threads = self._workers
            self._counted = (time.monotonic(), threads)
        return threads

    def submit(
        self, function: Callable[..., Any], *arguments: Any, same_worker: bool = False
    ) -> Future[Any]:
        """Do `function(*arguments)` on a worker, with `same_worker` on the same one each time."""
        with answering(self._client):
            workers = sorted(self._client.nthreads())[:1] or None if same_worker else None
            future = self._client.submit(
                function, *arguments, pure=False, workers=workers, allow_other_workers=same_worker
            )
        future.add_done_callback(self._ended.put)
        return future

    def finished(self, seconds: float) -> list[tuple[Future[Any], Any]]:
        """Wait for up to `seconds`; what has ended since the last call, each with its result.

        The result of a job that failed is a `Failed`.
        """
        ended = self._lost
        with suppress(queue.Empty):
            ended.append(self._ended.get(timeout=seconds))
            while True:
                ended.append(self._ended.get_nowait())
        ended = [future for future in ended if future not in self._unwanted]
        self.threads()  # and look after them
        with answering(self._client):
            if any(future.cancelled() for future in ended):
                raise OSError("a job was lost with the connection")
            # A result may be lost with the worker that kept it: the scheduler has it done again.
            self._lost = [future for future in ended if future.status == "lost"]
            ended = [future for future in ended if future.status != "lost"]
            good = [future for future in ended if future.status == "finished"]
            # All at once: each question takes milliseconds.
            results = dict(zip(good, self._client.gather(good), strict=True))
        return [
            (future, results[future] if future in results else _failed(future)) for future in ended
        ]

    def cancel(self, futures: list[Future[Any]]) -> None:
        """Forget work that nobody waits for any more; what has begun ends on its own."""
        self._unwanted.update(futures)
        if futures:
            with suppress(ClusterLost), answering(self._client):
                self._client.cancel(futures)


def _failed(future: Future[Any]) -> Failed:
    error = future.exception()
    if isinstance(error, KilledWorker):
        return Failed("its worker process died, or passed its deadline", error.allowed_failures + 1)
    return Failed(f"{type(error).__name__}: {error}".partition("\n")[0])
