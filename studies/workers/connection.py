"""The connection to a Dask scheduler, which can be lost at any time."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import dask
from distributed import Client, LocalCluster, WorkerPlugin

from studies.display.errors import ClusterLost, UsageError

TIMEOUT = 10
"""Seconds within which a scheduler must answer."""

ATTEMPTS = 10
"""To reach all workers while some of them die."""


def check_address(address: str) -> None:
    """Raise UsageError where this cannot be the address of a scheduler."""
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("tcp", "tls", "ws", "wss") and parts.hostname and parts.port
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{address!r} is no address of a Dask scheduler: give tcp://HOST:PORT")


def connect(scheduler: str | LocalCluster) -> Client:
    """Connect to a scheduler. Raises ClusterLost where none answers."""
    _silence_dask()
    # Dask's own is longer than anyone waits for a scheduler that is gone.
    dask.config.set({"distributed.comm.timeouts.connect": TIMEOUT})
    try:
        return Client(scheduler, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        raise ClusterLost(f"no Dask scheduler answers at {scheduler}") from error


@contextmanager
def answering(client: Client) -> Iterator[None]:
    """Raise ClusterLost for all that Dask says of a scheduler that is gone."""
    try:
        if client.status != "running":
            raise OSError(client.status)
        yield
    except Exception as error:
        if isinstance(error, OSError) or client.status != "running":
            raise ClusterLost("the Dask scheduler is gone: run again to go on") from error
        raise


def register(client: Client, plugin: WorkerPlugin) -> None:
    """Bring a plugin to all workers. Raises ClusterLost where they cannot load it."""
    with answering(client):
        for left in reversed(range(ATTEMPTS)):
            try:
                client.register_plugin(plugin)
                return
            except OSError:
                # A worker that dies at this moment takes the attempt along.
                if not left or client.status != "running":
                    raise
                time.sleep(0.2)
            except Exception as error:
                # Dask passes on what workers raise as text.
                if "ModuleNotFoundError" not in f"{error!r}":
                    raise
                raise ClusterLost(
                    f"the cluster's workers lack this package, or another one that it needs "
                    f"({error}): install it on their machines"
                ) from error


def _silence_dask() -> None:
    """Dask explains every process that ends, with tracebacks; the driver says what it means."""
    for name in ["asyncio", "tornado.application", *logging.root.manager.loggerDict]:
        if name.partition(".")[0] in ("asyncio", "distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
