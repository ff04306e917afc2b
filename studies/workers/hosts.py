"""The hosts of a cluster, and which of their workers train as the driver would."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from distributed.comm.addressing import get_address_host


@dataclass(frozen=True)
class Host:
    """A machine with workers that train."""

    name: str
    """Its address, without a port."""
    threads: int
    """Jobs that its workers do at a time."""
    processor: str | None = None
    """The model of its processor; None while no worker has told it."""


@dataclass
class Hosts:
    """The workers of a cluster, by host."""

    threads: Mapping[str, int] = field(default_factory=dict)
    """Jobs at a time of the workers that are there now, by their addresses."""
    refused: dict[str, str] = field(default_factory=dict)
    """Workers that do not train, by address, each with the reason."""
    processors: dict[str, str] = field(default_factory=dict)
    """The processors of workers, by address."""

    def fit(self) -> list[str]:
        """Return the workers that train, or have not told yet whether they do."""
        return sorted(self.threads.keys() - self.refused.keys())

    def all(self) -> list[Host]:
        """Return the hosts of the workers that train, by name."""
        by_name: dict[str, list[str]] = {}
        for address in self.fit():
            by_name.setdefault(get_address_host(address), []).append(address)
        return [
            Host(
                name,
                sum(self.threads[address] for address in addresses),
                next((self.processors[a] for a in addresses if a in self.processors), None),
            )
            for name, addresses in sorted(by_name.items())
        ]

    def place(self, host: str) -> tuple[str, ...]:
        """Return what restricts a job to the workers on a host that train.

        That is its name, so that a worker that is started again may do the job, or else addresses.
        """
        here = [address for address in self.threads if get_address_host(address) == host]
        fit = tuple(address for address in here if address not in self.refused)
        # Dask takes an IPv6 host for a whole address.
        return (host,) if len(fit) == len(here) and ":" not in host else fit

    def holds(self, place: tuple[str, ...]) -> bool:
        """Return whether a worker is there that may do a job of this place."""
        return any(a in place or get_address_host(a) in place for a in self.threads)
