"""What reads of a store return: trainings, rows of the views, the measurements below them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from storage.columns import Value

LEAST_TIMINGS = 3
"""Timings below which no mean of seconds is shown, where others disturbed the rest."""

Parameters = Mapping[str, Value]
"""The hyper-parameters of a study by name, in the order in which the store got its columns."""


@dataclass(frozen=True)
class BestParams:
    """The winner of an experiment's last search stage: a row of `best_params`."""

    experiment: str
    model: str
    objective: str
    parameters: Parameters
    mean: float | None
    """Of the objective, as its deviation."""
    deviation: float | None
    runs: int


@dataclass(frozen=True)
class GridCell:
    """A cell of a search: a row of `grid_cells`."""

    experiment: str
    model: str
    stage: str
    parameters: Parameters
    mean: float | None
    deviation: float | None
    runs: int
    state: str
    """Optuna's state of the trial, or DIVERGED."""
    dead: int | None
    """Of the runs, those that ended no better than guessing; None where an older version made the
    study, which does not say what guessing gives."""
    number: int = field(kw_only=True)
    """The number of the trial in its study."""

    @property
    def name(self) -> str:
        """What it is called among the cells of a model: `lr-batch+1#3`."""
        return f"{self.stage}#{self.number}"


@dataclass(frozen=True)
class RankedCell(GridCell):
    """A cell of a search, with the objective of each of its repeats."""

    values: tuple[float, ...]
    """In the order of the seeds; on test or validation data, as the protocol chooses."""
    fingerprints: tuple[str, ...]
    """Of the trainings, in the order of the seeds; empty where an older version made the study."""
    base: str
    """The stage that its study belongs to: it may go on beyond its grid, or settle it."""
    extension: int = field(default=0, kw_only=True)
    """The number of its study among those of the stage."""


@dataclass(frozen=True)
class ModelResult:
    """What the reruns of a winner gave: a row of `model_results`."""

    experiment: str
    model: str
    objective: str
    parameter_count: int | None
    """Trainable parameters."""
    parameters: Parameters
    mean: float
    deviation: float | None
    mean_seconds: float | None
    """Of wall time, as its deviation, over the timings that nothing disturbed; None where these are
    too few to believe it."""
    deviation_seconds: float | None
    reruns: int
    timed: int
    """Reruns whose seconds count."""
    disturbed: int
    """Reruns whose seconds do not count, as others used the processors meanwhile."""
    unknown: int
    """Reruns whose seconds count although nobody knows whether others disturbed them."""

    @property
    def has_too_few_timings(self) -> bool:
        """Whether so many timings were disturbed that no mean of seconds is shown."""
        return self.disturbed > 0 and self.timed < LEAST_TIMINGS

    def believable(self) -> "ModelResult":
        """Return the result, without seconds where these are of too few timings."""
        if not self.has_too_few_timings:
            return self
        return replace(self, mean_seconds=None, deviation_seconds=None)


@dataclass(frozen=True)
class Rerun:
    """One training of a winner, timed by itself."""

    experiment: str
    model: str
    parameters: Parameters
    seed: int
    value: float | None
    """Of the objective; None where it diverged."""
    train_seconds: float | None
    fingerprint: str | None
    disturbed: bool | None = None
    """Whether others used too much of the processors meanwhile; None where nobody knows."""

    @property
    def counted_seconds(self) -> float | None:
        """The seconds, None where others disturbed their timing."""
        return None if self.disturbed else self.train_seconds


@dataclass(frozen=True)
class Certainty:
    """How sure the winner of a search is: a row of `certainty`, and attributes of its study."""

    repeats: int
    """Of the winner."""
    contenders: tuple[str, ...]
    """Names of the cells that cannot be told from the winner; its own comes first. Of a study that
    goes on beyond a grid, those of the grid are among them."""
    win_again: float | None
    """Probability that the winner wins on new seeds; None for one repeat."""
    repeats_to_settle: int | None
    """About how many repeats tell the winner from the runner-up with a power of 80%; None where
    the two are equal."""
    largest_gap: float | None = None
    """The contenders are behind the winner by less than this (95%, all at once); None where there
    are no others, or too few repeats tell."""


@dataclass(frozen=True)
class StudyAttributes:
    """What a study keeps of where it comes from, and of its certainty."""

    experiment: str
    model: str
    stage: str
    attributes: Mapping[str, Any]
    """All of them, by name."""

    @property
    def objective(self) -> str:
        """The name of what is measured."""
        return str(self.attributes.get("objective", "accuracy"))

    @property
    def sign(self) -> int:
        """1 where more of the objective is better, -1 where less is."""
        return -1 if self.attributes.get("direction") == "minimize" else 1


def kept_certainty(attributes: Mapping[str, Any]) -> Certainty | None:
    """Return how sure a study keeps its winner to be.

    None for reruns, while a search goes on, and for older studies.
    """
    names = ("repeats", "contenders", "win_again", "repeats_to_settle", "largest_gap")
    repeats, cells, win_again, to_settle, gap = map(attributes.get, names)
    # Others may have set them to anything.
    if (
        type(repeats) is not int
        or not (isinstance(cells, list) and all(type(cell) is str for cell in cells))
        or not isinstance(win_again, float | None)
        or type(to_settle) not in (int, type(None))
        or not isinstance(gap, float | None)
    ):
        return None
    return Certainty(repeats, tuple(cells), win_again, to_settle, gap)


@dataclass(frozen=True)
class TrainingRun:
    """One training: a row of `training_runs`. Where read, mappings lack what is NULL."""

    fingerprint: str
    """Hash of all that determines the result."""
    model: str
    parameters: Mapping[str, Value]
    """Hyper-parameters by name."""
    seed: int
    settings: Mapping[str, Value | None]
    """What else the experiment fixes, such as a number of epochs."""
    data: str | None
    """Which data, by name and hash."""
    status: str
    """`ok` or `diverged`."""
    numbers: Mapping[str, float]
    """What the training gave: the objective by its name, and more; empty where it diverged."""
    train_seconds: float
    """Wall time."""
    cpu_seconds: float
    threads: int
    loss_curve: tuple[float, ...]
    """Mean training loss of each epoch. The store keeps no infinity: it comes back as NaN."""
    host: str
    started_at: str
    """UTC, ISO 8601."""
    processor: str | None = None
    """Its model name; None where the system does not show it, or an older version trained."""
    disturbance: float | None = None
    """Share, 0 to 1, that others took of the host's processors meanwhile; None where not known."""
    git_commit: str | None = None
    """Of the driver's checkout, with `-dirty` where files differ; None of an installed copy, and of
    older versions."""
