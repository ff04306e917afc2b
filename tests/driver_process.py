"""The command `studies.run`, real in all but training: `python -m driver_process FILE ARGUMENTS`.

The file holds a stand-in, and the patience of the driver.
"""

# Workers load what is loaded here before all else, so that torch must not be: as in `studies.run`.
from __future__ import annotations

import pickle
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from standin import StandIn


def command(standin: StandIn, patience: float, *arguments: str) -> None:
    """Run it, to its exit."""
    from studies import run, service
    from studies.driver import Driver

    service.Driver = partial(Driver, train=standin, patience=patience)
    run.app(arguments, prog_name="python -m studies.run")


if __name__ == "__main__":
    command(*pickle.loads(Path(sys.argv[1]).read_bytes()), *sys.argv[2:])
