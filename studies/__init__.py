"""The study service: a chain of Optuna studies for each of the paper's models."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studies.service import run_model

__all__ = ["run_model"]


def __getattr__(name: str) -> Any:
    # `studies.best` answers in a fraction of a second, as it need not load torch and Optuna.
    if name == "run_model":
        from studies.service import run_model

        return run_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
