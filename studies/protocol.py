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

FIRST_REPEATS = 3
"""Repeats that every cell of a race gets: as few as let a signed-rank test tell it from the leader.
The one-sided p-value of three pairs is at least 1/8."""

MOST = 10_000
"""Epochs, repeats or reruns: a plan of more than anyone can wait for would fill the memory."""


PUBLISHED = "published"
"""The `search` of an experiment that reruns the paper's settings."""

CHOICES = {
    "auxiliary": ("softmax", "logits"),
    "select_on": ("test", "validation"),
    "search": ("two-stage", "joint", PUBLISHED),
    "rank_by": ("mean", "lower-bound"),
}

OLDER: dict[str, Any] = {"auxiliary": "logits"}
"""Settings that older studies did not store, and what they were trained with."""


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
    auxiliary: str = "softmax"
    """What the auxiliary cross entropy takes for its logits: the probabilities of a `softmax`, as
    in the paper, or the ten units themselves, `logits`. See `digitcmp.training.loss.Loss`."""
    stage1_alpha: float = 0.0
    """Weight of the auxiliary loss while learning rate and batch size are searched.
    The paper does not say which it used. Source: its authors' public code, which gives none."""
    select_on: str = "test"
    """Pairs on which cells compete: the paper's `test`, or `validation`, which keeps the test pairs
    for the reruns."""
    search: str = "two-stage"
    """The paper's two grids, one after the other; their product at once, `joint`; or no search at
    all, `published`: the settings of the paper's Table I are rerun."""
    rank_by: str = "mean"
    """What makes a cell the best: its `mean` accuracy, or a `lower-bound`, which is one standard
    error below it."""
    racing: bool = False
    """Whether a cell is given up once it can hardly be the winner any more."""

    def __post_init__(self) -> None:
        for name in ("epochs", "repeats", "reruns"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
            if getattr(self, name) > MOST:
                raise UsageError(f"{name} must be at most {MOST}, not {getattr(self, name)}")
        if not 0 <= self.stage1_alpha < float("inf"):
            raise UsageError(f"stage1-alpha must be a number from 0, not {self.stage1_alpha}")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                words = f"{', '.join(known[:-1])} or {known[-1]}"
                asked = f"{name.replace('_', '-')} must be {words}"
                raise UsageError(f"{asked}, not {getattr(self, name)}")
        if self.rank_by == "lower-bound" and self.repeats < 2:
            raise UsageError("rank-by lower-bound needs at least 2 repeats, for their spread")
        if self.racing and self.repeats <= FIRST_REPEATS:
            raise UsageError(
                f"racing gives up a cell after {FIRST_REPEATS} repeats at the earliest: it needs "
                f"more of them, not {self.repeats}"
            )
        if self.search == "joint" and self.stage1_alpha != Protocol.stage1_alpha:
            raise UsageError("stage1-alpha has no meaning in a joint search, which tries all")
        if self.search == PUBLISHED:
            for name in ("repeats", "stage1_alpha", "select_on", "rank_by", "racing"):
                if getattr(self, name) != getattr(Protocol, name):
                    option = name.replace("_", "-")
                    raise UsageError(
                        f"{option} has no meaning where nothing is searched: leave "
                        "it out, or search with two-stage or joint"
                    )

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
            _named(field.name, getattr(self, field.name))
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return "+".join(["paper", ",".join(changed)] if changed else ["paper"])

    def stored(self, data_sha256: str) -> dict[str, Any]:
        """What a study keeps of its protocol, to be compared when it is resumed."""
        grid = {"learning_rates": LEARNING_RATES, "batch_sizes": BATCH_SIZES, "alphas": ALPHAS}
        lists = {name: list(values) for name, values in grid.items()}
        return asdict(self) | lists | {"pairs": PAIRS, "data_sha256": data_sha256}


def _named(name: str, value: object) -> str:
    option = name.replace("_", "-")
    if value is True:
        return option
    return f"{option}={value:g}" if isinstance(value, float) else f"{option}={value}"


def differences(stored: dict[str, Any], asked: dict[str, Any]) -> Iterator[str]:
    """Say field by field where the protocol of a study differs from the one asked for.

    A setting that came after the study was made has its default there, or what OLDER says.
    """
    stored = asdict(Protocol()) | OLDER | stored
    if stored["search"] == "joint":
        # It has no meaning there, but its default has changed.
        stored["stage1_alpha"] = asked["stage1_alpha"]
    for name in sorted(stored.keys() | asked.keys()):
        if stored.get(name) != asked.get(name):
            yield f"{name}: stored {stored.get(name)}, asked {asked.get(name)}"
