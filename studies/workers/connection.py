"""The connection to a Dask scheduler, which can be lost at any time."""

import asyncio
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import dask
from distributed import Client, LocalCluster, Security, WorkerPlugin, rpc
from distributed.utils import LoopRunner
from distributed.versions import VersionMismatchWarning

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
    # Dask compares all that is installed, in a table.
    warnings.simplefilter("ignore", VersionMismatchWarning)
    try:
        if isinstance(scheduler, str):
            # A client alone would wait for minutes for a port that is no scheduler's.
            LoopRunner().run_sync(_greet, scheduler)
        return Client(scheduler, timeout=TIMEOUT)
    except Exception as error:
        reason = f" ({error})" if isinstance(error, TypeError | ValueError) else ""
        raise ClusterLost(f"no Dask scheduler answers at {scheduler}{reason}") from error


async def _greet(address: str) -> None:
    """Raise an exception of any kind where what answers at an address is no scheduler."""
    security = Security().get_connection_args("client")
    async with rpc(address, connection_args=security) as other:
        identity = await asyncio.wait_for(other.identity(), TIMEOUT)
    if identity["type"] != "Scheduler":
        raise ValueError(f"it is a {identity['type']}'s")


@contextmanager
def answering(client: Client) -> Iterator[None]:
    """Raise ClusterLost for every error that Dask raises where the scheduler is gone."""
    try:
        if client.status != "running":
            raise OSError(client.status)
        yield
    except Exception as error:
        if isinstance(error, OSError) or client.status != "running":
            raise ClusterLost("the Dask scheduler is gone: run again to go on") from error
        raise


def register(client: Client, plugin: WorkerPlugin) -> None:
    """Bring a plugin to all workers that can load it."""
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
            except Exception:
                # A worker that lacks this package raised it. The others have or get the plugin.
                return


def _silence_dask() -> None:
    """Silence Dask's logs: tracebacks for every process that ends, which the driver explains."""
    for name in ["asyncio", "tornado.application", *logging.root.manager.loggerDict]:
        if name.partition(".")[0] in ("asyncio", "distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
