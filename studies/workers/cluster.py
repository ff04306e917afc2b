"""The engine that trains: Dask, on this machine or on a cluster that the user runs."""

import hashlib
import queue
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import cached_property
from typing import Any, Self

import cloudpickle
from distributed import Client, Future, KilledWorker

from studies.display.errors import ClusterLost, UsageError
from studies.experiment.training import Training
from studies.workers.connection import TIMEOUT, answering, connect, register
from studies.workers.job import Failed, TrainingsPlugin, lacking, unfit
from studies.workers.local import LocalWorkers
from studies.workers.versions import versions


class Cluster:
    """Workers that have the trainings: those of the Dask cluster at `address`, or own processes.

    It starts with the first job, so that a run with nothing left to train starts none. Each method
    raises ClusterLost where the scheduler is gone, no process of its own stays alive, or no worker
    trains as the driver would.
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
        self.key = hashlib.sha256(self._content + repr(versions()).encode()).hexdigest()
        """What a job names the trainings by."""
        self.refused: dict[str, str] = {}
        """Workers that do not train, by address, each with the reason."""
        self._present: dict[str, int] = {}
        self._asked: set[str] = set()
        self._local: LocalWorkers | None = None
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._lost: list[Future[Any]] = []
        self._unwanted: set[Future[Any]] = set()
        self._counted = -1.0
        self._resources = ExitStack()
        # What cannot be closed in order, as its other end is gone, dies with this process.
        self._resources.enter_context(suppress(Exception))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def start(self) -> None:
        """Start now, not with the first job."""
        self._ask_workers()

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
        if time.monotonic() - self._counted > 1:
            with answering(self._client):
                self._present = self._client.nthreads()
            if self._local is not None:
                self._local.look_after(len(self._present))
            self._counted = time.monotonic()
        fit = self._fit()
        if self._present and not fit:
            address, reason = next(iter(self.refused.items()))
            raise ClusterLost(f"no worker trains as this driver would, such as {address}: {reason}")
        # Own ones that are starting will soon do their part.
        return self._workers if self._local else sum(self._present[worker] for worker in fit)

    def _fit(self) -> list[str]:
        return sorted(self._present.keys() - self.refused.keys())

    def _ask_workers(self) -> None:
        """Find out which workers do not train, of those that were not asked before."""
        self._counted = -1.0
        self.threads()
        with answering(self._client):
            new = list(self._present.keys() - self._asked)
            answers = self._client.run(unfit, self.key, workers=new, on_error="return")
        for address, answer in answers.items():
            if isinstance(answer, OSError):
                continue  # gone meanwhile
            self._asked.add(address)
            if answer is not None:
                self.refused[address] = answer if isinstance(answer, str) else lacking(answer)
        self.threads()

    def submit(
        self, function: Callable[..., Any], *arguments: Any, same_worker: bool = False
    ) -> Future[Any]:
        """Do `function(*arguments)` on a worker, with `same_worker` on the same one each time."""
        self.threads()
        fit = self._fit()
        workers = fit[:1] if same_worker else fit if len(fit) < len(self._present) else []
        with answering(self._client):
            future = self._client.submit(
                function,
                *arguments,
                pure=False,
                workers=workers or None,
                # One that is started again has another address.
                allow_other_workers=bool(workers),
            )
        future.add_done_callback(self._ended.put)
        return future

    def finished(self, seconds: float) -> list[tuple[Future[Any], Any]]:
        """Wait for up to `seconds`; what has ended since the last call, each with its result.

        The result of a job that failed is a `Failed`, and None where a worker refused the job.
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
            errors = {future: future.exception() for future in ended if future not in results}
        deaths = [error for error in errors.values() if isinstance(error, KilledWorker)]
        if None in results.values() or len(errors) > len(deaths):
            self._ask_workers()
        results |= {future: self._failed(error) for future, error in errors.items()}
        return [(future, results[future]) for future in ended]

    def _failed(self, error: BaseException | None) -> Failed | None:
        if isinstance(error, KilledWorker):
            reason = "its worker process died, or passed its deadline"
            return Failed(reason, error.allowed_failures + 1)
        # As no training raises anything, a worker could not even load the job.
        return None if self.refused else Failed(f"{type(error).__name__}: {error}")

    def cancel(self, futures: list[Future[Any]]) -> None:
        """Forget work that nobody waits for any more; what has begun ends on its own."""
        self._unwanted.update(futures)
        if futures:
            with suppress(ClusterLost), answering(self._client):
                self._client.cancel(futures)
