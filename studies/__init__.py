"""The study service: experiments as chains of Optuna studies that are never lost.

`Experiment` and `Stage` define one, `run_models` runs models of it, `results` reads a store, and
`load` gives what a rerun has learned.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from studies import bound as bound  # before all that imports the other packages
from studies.experiment.beyond import Beyond
from studies.experiment.definition import Experiment, Published
from studies.experiment.stage import Stage

if TYPE_CHECKING:
    from studies.frames import Results, results
    from studies.networks import load
    from studies.scripts import run_model, run_models

__all__ = ["Beyond", "Experiment", "Published", "Results", "Stage"]
__all__ += ["load", "results", "run_model", "run_models"]

_LATER = {
    "Results": "studies.frames",
    "load": "studies.networks",
    "results": "studies.frames",
    "run_model": "studies.scripts",
    "run_models": "studies.scripts",
}
"""Modules of the names that are loaded once they are asked for: `best` needs no torch, nor pandas,
to answer in a fraction of a second."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
