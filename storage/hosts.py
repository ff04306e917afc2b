"""Locks of hosts: drivers that share a store and a cluster do not disturb each other's timings.

A driver whose trainings use a host *joins* it; many may. A driver that is to time trainings there
*reserves* the host: nobody joins it any more, and whoever has joined it leaves when the trainings
that it has sent there have ended. Then the driver that reserved it is alone.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import URL

from storage.advisory import advisory_calls

_SECONDS_BETWEEN_LOOKS = 0.5
"""Between two looks at others' reservations: `join` is called for each job, so it must be cheap."""


@dataclass
class HostLocks:
    """The hosts that this driver has joined or reserved; each method takes the name of a host."""

    _call: Callable[[str, str], bool]
    """Calls a function of PostgreSQL that takes or frees the lock of a name."""
    waits: bool = False
    """Whether another driver still has the last host that was asked for."""
    _joined: dict[str, float] = field(default_factory=dict)
    """When others were last known not to have reserved a host."""
    _reserved: set[str] = field(default_factory=set)
    _alone: set[str] = field(default_factory=set)

    def join(self, host: str) -> bool:
        """Return whether trainings may be sent to a host: False while another has reserved it."""
        now = time.monotonic()
        if now - self._joined.get(host, -1.0) < _SECONDS_BETWEEN_LOOKS:
            return True
        if not self._take("pg_try_advisory_lock_shared", f"reserved {host}"):
            return False
        # Before the other lock is freed: whoever reserves the host now finds this one.
        if host in self._joined or self._take("pg_try_advisory_lock_shared", f"host {host}"):
            self._joined[host] = now
        self._call("pg_advisory_unlock_shared", f"reserved {host}")
        return self._joined.get(host) == now

    def leave(self, host: str) -> None:
        """Take note that no training of this driver is on a host any more."""
        if self._joined.pop(host, None) is not None:
            self._call("pg_advisory_unlock_shared", f"host {host}")

    def reserve(self, host: str) -> bool:
        """Return whether this driver may have a host for itself as soon as all others left it."""
        if host not in self._reserved and self._take("pg_try_advisory_lock", f"reserved {host}"):
            self._reserved.add(host)
        return host in self._reserved

    def is_alone(self, host: str) -> bool:
        """Return whether all others have left a host that this driver reserved; leave it first."""
        if host not in self._alone and self._take("pg_try_advisory_lock", f"host {host}"):
            self._alone.add(host)
        return host in self._alone

    def release(self, host: str) -> None:
        """Let others join a host again."""
        if host in self._alone:
            self._call("pg_advisory_unlock", f"host {host}")
        if host in self._reserved:
            self._call("pg_advisory_unlock", f"reserved {host}")
        self._alone.discard(host)
        self._reserved.discard(host)

    def _take(self, function: str, name: str) -> bool:
        self.waits = not self._call(function, name)
        return not self.waits


def unshared() -> HostLocks:
    """Return the locks of a store that has one driver at a time: all hosts are its own."""
    return HostLocks(lambda function, name: True)


@contextmanager
def shared(url: URL) -> Iterator[HostLocks]:
    """Lock hosts in the PostgreSQL database at `url`, on a connection of its own."""
    with advisory_calls(url) as call:
        yield HostLocks(call)
