"""The hosts of a cluster, and which of their workers train as the driver would."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from distributed import Client, Future, wait
from distributed.comm.addressing import get_address_host

from studies.workers.job import PATIENCE, describe, lacking


@dataclass(frozen=True)
class Host:
    """A machine with workers that train."""

    name: str
    """Its address, without a port."""
    threads: int
    """Jobs that its workers do at a time."""
    processor: str | None = None
    """The model of its processor; None while no worker has told it."""


class Hosts:
    """Knows the workers of a cluster by host: each new one is asked whether and how it trains."""

    def __init__(self, client: Client, key: str, refused: dict[str, str]) -> None:
        """Ask workers for the trainings named `key`; put those that do not train in `refused`."""
        self._client, self._key, self._refused = client, key, refused
        self._threads: Mapping[str, int] = {}
        self._processors: dict[str, str] = {}
        self._questions: dict[str, Future[Any]] = {}
        self._asked: set[str] = set()

    def update(self, threads: Mapping[str, int]) -> None:
        """Take the workers that are there now, with their threads, and the answers so far."""
        self._threads = threads
        for address in threads.keys() - self._asked:
            self._asked.add(address)
            # Not by Client.run, which waits: a worker that joins loads torch first, for seconds.
            self._questions[address] = self._client.submit(
                describe, self._key, workers=[address], pure=False
            )
        for address, question in list(self._questions.items()):
            if question.done() or address not in threads:
                self._take(address, self._questions.pop(address))

    def settle(self) -> None:
        """Wait for the answers to come, for some seconds at most."""
        if self._questions:
            questions = list(self._questions.values())
            with suppress(TimeoutError):  # of a worker that hangs
                wait(questions, timeout=2 * PATIENCE)
            self.update(self._threads)

    def fit(self) -> list[str]:
        """Return the workers that train, or have not been asked yet."""
        return sorted(self._threads.keys() - self._refused.keys())

    def hosts(self) -> list[Host]:
        """Return the hosts of the workers that train, by name."""
        by_name: dict[str, list[str]] = {}
        for address in self.fit():
            by_name.setdefault(get_address_host(address), []).append(address)
        return [
            Host(
                name,
                sum(self._threads[address] for address in addresses),
                next((self._processors[a] for a in addresses if a in self._processors), None),
            )
            for name, addresses in sorted(by_name.items())
        ]

    def place(self, host: str) -> tuple[str, ...]:
        """Return what restricts a job to the workers on a host that train.

        That is its name, so that a worker that is started again may do the job, or else addresses.
        """
        here = [address for address in self._threads if get_address_host(address) == host]
        fit = tuple(address for address in here if address not in self._refused)
        # Dask takes an IPv6 host for a whole address.
        return (host,) if len(fit) == len(here) and ":" not in host else fit

    def holds(self, place: tuple[str, ...]) -> bool:
        """Return whether a worker is there that may do a job of this place."""
        return any(a in place or get_address_host(a) in place for a in self._threads)

    def _take(self, address: str, question: Future[Any]) -> None:
        if question.status == "finished":
            reason, self._processors[address] = question.result()
            if reason is not None:
                self._refused[address] = reason
        elif question.status == "error" and address in self._threads:
            error = question.exception()
            assert isinstance(error, Exception)
            self._refused[address] = lacking(error)
        question.cancel()
