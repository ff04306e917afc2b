"""What is searched, how often, and on which data: the paper's protocol and its settings.

Source: the paper's section on hyper-parameter search.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from studies.errors import UsageError

LEARNING_RATES = (5e-3, 1e-3, 5e-4, 1e-4)
BATCH_SIZES = (8, 16, 32, 64, 128)
ALPHAS = tuple(tenth / 10 for tenth in range(11))

DEFAULT_STORAGE = "sqlite:///studies.db"

PAIRS = 1000
"""Pairs that a seed draws for training, and as many for validation and test."""

MOST = 10_000
"""Epochs, repeats or reruns: a plan of more than anyone can wait for would fill the memory."""


@dataclass(frozen=True)
class Protocol:
    """The settings of an experiment; the defaults are the paper's.

    Raises UsageError for settings that make no experiment.
    """

    epochs: int = 25
    repeats: int = 10
    """Trainings per cell of a search: seeds 0, 1, ..."""
    reruns: int = 10
    """Fresh trainings of the winner, on the seeds after those of the paper's ten repeats."""
    data: str = "mnist-sample"
    stage1_alpha: float = 1.0
    """Weight of the auxiliary loss while learning rate and batch size are searched.
    Where we depart from the paper: it does not say which it used."""

    def __post_init__(self) -> None:
        for name in ("epochs", "repeats", "reruns"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
            if getattr(self, name) > MOST:
                raise UsageError(f"{name} must be at most {MOST}, not {getattr(self, name)}")
        if not 0 <= self.stage1_alpha < float("inf"):
            raise UsageError(f"stage1-alpha must be a number from 0, not {self.stage1_alpha}")

    @property
    def repeat_seeds(self) -> range:
        """The seeds of a cell."""
        return range(self.repeats)

    @property
    def rerun_seeds(self) -> range:
        """The seeds of the reruns: 10..19, further on only where the repeats have used those."""
        first = max(10, self.repeats)
        return range(first, first + self.reruns)

    @property
    def experiment(self) -> str:
        """The name of the experiment where the user gives none: what differs from the paper's."""
        changed = [
            f"{field.name.replace('_', '-')}={_short(getattr(self, field.name))}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return "+".join(["paper", ",".join(changed)] if changed else ["paper"])

    def stored(self, data_sha256: str) -> dict[str, Any]:
        """What a study keeps of its protocol, to be compared when it is resumed."""
        grid = {"learning_rates": LEARNING_RATES, "batch_sizes": BATCH_SIZES, "alphas": ALPHAS}
        lists = {name: list(values) for name, values in grid.items()}
        return asdict(self) | lists | {"pairs": PAIRS, "data_sha256": data_sha256}


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def differences(stored: dict[str, Any], asked: dict[str, Any]) -> Iterator[str]:
    """Say field by field where the protocol of a study differs from the one asked for."""
    for name in sorted(stored.keys() | asked.keys()):
        if stored.get(name) != asked.get(name):
            yield f"{name}: stored {stored.get(name)}, asked {asked.get(name)}"
