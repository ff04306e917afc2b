"""The engine that trains: Dask, on this machine or on a cluster that the user runs."""

import hashlib
import queue
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import cached_property, partial
from typing import Any, Self

import cloudpickle
from distributed import Client, Future, KilledWorker

from studies.display.errors import ClusterLost, UsageError
from studies.experiment.training import Training
from studies.workers.connection import TIMEOUT, answering, connect, register
from studies.workers.hosts import Host, Hosts
from studies.workers.job import Failed, TrainingsPlugin, lacking, topic, wait_for_refusal
from studies.workers.local import LOOPBACK, LocalWorkers
from studies.workers.versions import versions

GONE = 15.0
"""Seconds after which a host without workers is taken for one that will not come back."""


class Cluster:
    """Workers that have the trainings: those of the Dask cluster at `address`, or own processes.

    It starts with the first job, so that a run with nothing left to train starts none. Each method
    raises ClusterLost where the scheduler is gone, no process of its own stays alive, or no worker
    trains as the driver would.
    """

    def __init__(
        self,
        address: str | None,
        workers: int,
        trainings: Mapping[str, Training],
        data: Any = None,
        priority: int = 0,
    ) -> None:
        """Take an experiment's trainings by model, and the data that they need.

        Of drivers that share a cluster, the jobs of the one with the highest `priority` go first.
        """
        self._address, self.workers, self._priority = address, workers, priority
        # By value, and all at once, so that what they share is sent once.
        try:
            self._content = cloudpickle.dumps((dict(trainings), data))
        except Exception as error:
            raise UsageError(
                f"the training functions, or their data, cannot be sent to workers ({error}): make "
                "what cannot be pickled inside the function"
            ) from error
        self.key = hashlib.sha256(self._content + repr(versions()).encode()).hexdigest()
        """The name of the trainings in jobs."""
        self._known = Hosts()
        self._asked: set[str] = set()
        self.is_local = address is None
        """Whether its workers are processes of this driver, on this machine."""
        self._local: LocalWorkers | None = None
        self._hosts: list[Host] = []
        self._counted = -1.0
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._lost: list[Future[Any]] = []
        self._unwanted: set[Future[Any]] = set()
        self._places: dict[Future[Any], tuple[str, ...]] = {}
        self._last_held: dict[tuple[str, ...], float] = {}
        self._resources = ExitStack()
        # What cannot be closed in order, as its other end is gone, dies with this process.
        self._resources.enter_context(suppress(Exception))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def start(self) -> None:
        """Start now, not with the first job; raise ClusterLost where no worker trains."""
        self._ask_workers()

    @cached_property
    def _client(self) -> Client:
        if self._address is not None:
            client = connect(self._address)
        else:
            self._local = LocalWorkers(self.workers)
            self._resources.callback(self._local.close)
            client = connect(self._local.cluster)
        self._resources.callback(client.close, timeout=TIMEOUT)
        register(client, TrainingsPlugin(self._content, self.key))
        return client

    @property
    def refused(self) -> dict[str, str]:
        """Workers that do not train, by address, each with the reason."""
        return self._known.refused

    @property
    def is_complete(self) -> bool:
        """Whether all workers that it was to start are there."""
        self._count()
        return len(self._known.threads) >= self.workers

    def hosts(self) -> list[Host]:
        """Return the hosts on which jobs can be done; workers may come and go."""
        if time.monotonic() - self._counted > 1:
            self._count()
        return self._hosts

    def _count(self) -> None:
        with answering(self._client):
            self._known.threads = present = self._client.nthreads()
            if present.keys() - self._known.processors.keys():
                for _, (worker, reason, processor) in self._client.get_events(topic(self.key)):
                    self._known.processors[worker] = processor
                    if reason is not None:
                        self.refused[worker] = reason
        self._counted = time.monotonic()
        if present and not self._known.fit():
            address, reason = next(iter(self.refused.items()))
            raise ClusterLost(f"no worker trains as this driver would, such as {address}: {reason}")
        if self._local is None:
            self._hosts = self._known.all()
        else:
            self._local.look_after(len(present))
            # Those that are starting will soon do their part.
            self._hosts = [Host(LOOPBACK, self.workers)]

    def _ask_workers(self) -> None:
        """Find out which workers do not train, of those that were not asked before."""
        self._count()
        with answering(self._client):
            new = list(self._known.threads.keys() - self._asked)
            answers = self._client.run(wait_for_refusal, self.key, workers=new, on_error="return")
        for address, answer in answers.items():
            if isinstance(answer, OSError):
                continue  # gone meanwhile
            self._asked.add(address)
            if answer is not None:
                self.refused[address] = answer if isinstance(answer, str) else lacking(answer)
        self._count()

    def submit(self, host: str, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Do `function(*arguments)` on a worker of a host."""
        place = () if self.is_local else self._known.place(host)
        with answering(self._client):
            future = self._client.submit(
                function,
                *arguments,
                pure=False,
                workers=list(place) or None,
                priority=self._priority,
            )
        if place:
            self._places[future] = place
            self._last_held.setdefault(place, time.monotonic())
        future.add_done_callback(self._ended.put)
        return future

    def finished(self, seconds: float) -> list[tuple[Future[Any], Any]]:
        """Wait for up to `seconds`; return what has ended since the last call, with its results.

        The result of a job that failed is a `Failed`, and None where a worker refused the job, or
        its host is gone: it is to be sent again.
        """
        ended = self._lost
        with suppress(queue.Empty):
            ended.append(self._ended.get(timeout=seconds))
            while True:
                ended.append(self._ended.get_nowait())
        self.hosts()  # which also replaces workers that died
        gone = self._cancel_gone()
        ended = [future for future in ended if future not in self._unwanted]
        with answering(self._client):
            if any(future.cancelled() for future in ended):
                raise OSError("a job was lost with the connection")
            # A result may be lost with the worker that kept it: the scheduler has it done again.
            self._lost = [future for future in ended if future.status == "lost"]
            ended = [future for future in ended if future.status != "lost"]
            good = [future for future in ended if future.status == "finished"]
            try:
                results = dict(zip(good, self._gather(good), strict=True))
            except TimeoutError:
                # Lost just now with a host that may be gone.
                self._lost += ended
                return [(future, None) for future in gone]
            errors = {future: future.exception() for future in ended if future not in results}
        deaths = [error for error in errors.values() if isinstance(error, KilledWorker)]
        if None in results.values() or len(errors) > len(deaths):
            self._ask_workers()
        results |= {future: self._failed(error) for future, error in errors.items()}
        for future in ended:
            self._places.pop(future, None)
        return [*((future, None) for future in gone), *((f, results[f]) for f in ended)]

    def _gather(self, futures: list[Future[Any]]) -> list[Any]:
        """Return the results of jobs. Raises TimeoutError where one was lost and is not done again.

        All at once: each question takes milliseconds.
        """
        gather = partial(self._client.gather, futures, asynchronous=True)
        results: list[Any] = self._client.sync(gather, callback_timeout=TIMEOUT)
        return results

    def _cancel_gone(self) -> list[Future[Any]]:
        """Cancel the jobs whose hosts have been without workers for long, and return them."""
        now = time.monotonic()
        for place in self._last_held:
            if self._known.holds(place):
                self._last_held[place] = now
        gone = [f for f, place in self._places.items() if now - self._last_held[place] > GONE]
        for future in gone:
            del self._places[future]
        self._last_held = {place: self._last_held[place] for place in self._places.values()}
        self.cancel(gone)
        return gone

    def _failed(self, error: BaseException | None) -> Failed | None:
        if isinstance(error, KilledWorker):
            reason = "its worker process died, or passed its deadline"
            return Failed(reason, error.allowed_failures + 1)
        # As no training raises anything, a worker could not even load the job. No reason at all is
        # given where a scheduler restarted a worker that had been silent for minutes.
        return None if self.refused or error is None else Failed(f"{type(error).__name__}: {error}")

    def cancel(self, futures: list[Future[Any]]) -> None:
        """Forget work that nobody waits for any more; what has begun ends on its own."""
        self._unwanted.update(futures)
        if futures:
            with suppress(ClusterLost), answering(self._client):
                self._client.cancel(futures)
