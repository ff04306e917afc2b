"""The study service: experiments as chains of Optuna studies that are never lost.

`Experiment` and `Stage` define one, `run_model` runs one of its models.
"""

from typing import TYPE_CHECKING, Any

from studies import bound as bound  # before all that imports the other packages
from studies.experiment.beyond import Beyond
from studies.experiment.definition import Experiment, Published
from studies.experiment.stage import Stage

if TYPE_CHECKING:
    from studies.run import run_model

__all__ = ["Beyond", "Experiment", "Published", "Stage", "run_model"]


def __getattr__(name: str) -> Any:
    # `studies.best` answers in a fraction of a second, as it need not load torch and Optuna.
    if name == "run_model":
        from studies.run import run_model

        return run_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
