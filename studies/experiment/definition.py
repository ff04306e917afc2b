"""Define an experiment: models, a chain of stages, and how often each cell is trained."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from storage.trainings import Value
from studies.display.errors import UsageError
from studies.display.words import did_you_mean, value_text
from studies.experiment.beyond import Beyond
from studies.experiment.checks import (
    PROTOCOL,
    check_columns,
    check_fields,
    check_parts,
    check_setting_columns,
)
from studies.experiment.stage import Stage, grid_values
from studies.experiment.training import FunctionTraining, Training, as_training

Repeats = Annotated[int, "Trainings per cell."]
Reruns = Annotated[int, "Fresh trainings of a winner."]
Search = Literal["stages", "joint", "published"]
RankBy = Annotated[Literal["mean", "median", "lower-bound"], "What makes a cell the best."]
Racing = Annotated[bool, "Give up cells that can hardly win any more."]
Extend = Annotated[int, "Further studies while a winner lies on an edge; 4 without a number."]
Settle = Annotated[int, "Trainings of a cell that cannot be told from the winner, at most."]
Margin = Annotated[float, "A difference of the objective too small to be settled."]


@dataclass(frozen=True)
class Published:
    """A published result of a model, to stand beside ours."""

    parameters: Mapping[str, Value]
    mean: float
    """Of the objective."""
    deviation: float
    seconds: float | None = None
    """Mean training time."""
    seconds_deviation: float | None = None
    trainings: int = 10
    """How many trainings mean and deviation are of."""


@dataclass(frozen=True)
class Experiment:
    """Models that are compared, each by a chain of studies. Raises UsageError if it makes no sense.

    A model's training is a function `train(parameters, seed)`, with `data` as a third argument
    where the experiment loads some. It returns a mapping with a number under the objective's name;
    it may return more numbers, a `loss_curve` (a list) and `validation` (the objective on other
    data). A seed must fix all that is random in it. A field whose type has a text is an option of
    every experiment, and a `Literal` is a choice of words.
    """

    name: str
    models: Mapping[str, Training] | Mapping[str, Callable[..., Any]]
    stages: Sequence[Stage]
    repeats: Repeats = 10
    """Trainings per cell of a search: seeds 0, 1, ..."""
    reruns: Reruns = 10
    """Fresh trainings of the winner, on the seeds after those of ten repeats or of all."""
    objective: str = "accuracy"
    direction: Literal["maximize", "minimize"] = "maximize"
    select_on: Literal["test", "validation"] = "test"
    """What cells compete by: the objective, `test`, or the `validation` value, which keeps the test
    data for the reruns."""
    search: Annotated[
        Search, "Stage after stage, all at once, or none: rerun what was published."
    ] = "stages"
    """The stages one after the other; their product at once, `joint`; or no search at all,
    `published`: the published parameters are rerun."""
    rank_by: RankBy = "mean"
    """What ranks a cell: its `mean`; its `median`, which a single training cannot decide; or the
    `lower-bound`, which is one standard error worse than the mean."""
    racing: Racing = False
    """Whether a cell is given up once it can hardly be the winner any more."""
    extend: Extend = 0
    """How many further studies a stage may have while its winner lies on an edge of its grid."""
    settle: Settle = 0
    """How many repeats the cells may get that cannot be told from a stage's winner; 0: no more than
    all others."""
    margin: Margin = 0.005
    """A stage is settled as well once these cells differ by less, in units of the objective."""
    version: str | None = None
    """What stands for the code of the training functions in fingerprints; their source by default,
    comments aside."""
    data: Callable[[], Any] | None = None
    """Loads what all trainings need, once, for all workers; a `sha256` of it goes into
    fingerprints."""
    settings: Mapping[str, Value] = field(default_factory=dict)
    """What else is part of the protocol, such as a number of epochs."""
    without: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The parameters that a model lacks, and so do its stages; stages left empty are left out."""
    published: Mapping[str, Published] = field(default_factory=dict)
    published_with: Mapping[str, Value] = field(default_factory=dict)
    """The settings that the published results hold for: with others, ours do not stand beside
    them."""
    factors: Mapping[str, Mapping[str, str | bool]] = field(default_factory=dict)
    """What models differ in, such as `{"architecture": "CNN", "weight sharing": True}`: a report
    compares those that differ in one."""
    no_better: Sequence[tuple[str, str]] = ()
    """Published claims: the second model is not significantly better than the first."""
    guessing: float | None = None
    """The objective of a training that learned nothing is no better than this."""
    deadline: float | None = None
    """Seconds after which a training is ended as one that hangs; see `studies.search.durations`."""
    older: Mapping[str, Any] = field(default_factory=dict)
    """Settings that older studies did not store, with what they were trained with."""

    definition: str = ""
    """The name that it was defined under, before options and `--experiment` gave it another."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "definition", self.definition or self.name)
        if isinstance(self.stages, Iterable) and not isinstance(self.stages, Stage):
            object.__setattr__(self, "stages", tuple(self.stages))
        check_parts(self)
        check_fields(self)
        check_columns(self)
        object.__setattr__(self, "stages", tuple(_of_one_kind(self.stages)))
        models = {
            model: as_training(
                model, train, self.version, self.settings, self.data is not None, self.objective
            )
            for model, train in self.models.items()
        }
        object.__setattr__(self, "models", models)
        for training in models.values():
            for stage in self.stages:
                training.check(stage.grid)
            if isinstance(training, FunctionTraining):
                check_setting_columns(self)

    @property
    def grid(self) -> dict[str, tuple[Value, ...]]:
        """The values of every parameter in the last stage that has it, in order of the first."""
        grid: dict[str, tuple[Value, ...]] = {}
        for stage in self.stages:
            grid |= stage.grid
        return grid

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of all parameters, in the order of the stages."""
        return tuple(self.grid)

    @property
    def beyond(self) -> dict[str, Beyond | None]:
        """How parameters go on beyond the grid, where a stage says so."""
        return {name: rule for stage in self.stages for name, rule in stage.beyond.items()}

    @property
    def is_comparable(self) -> bool:
        """Whether the published results are of the settings of this experiment."""
        return self.published_with.items() <= self.settings.items()

    def published_of(self, model: str) -> Published | None:
        """Return what is published of a model; None where nothing is that can be compared."""
        return self.published.get(model) if self.is_comparable else None

    @property
    def rerun_seeds(self) -> range:
        """The seeds of the reruns: 10, 11, ..., further on where the repeats have used those."""
        first = max(10, self.repeats)
        return range(first, first + self.reruns)

    @property
    def rounds(self) -> tuple[int, ...]:
        """How many repeats a cell has after each round that settles a stage: 20, 40."""
        rounds, repeats = list[int](), self.repeats
        while repeats < self.settle:
            repeats = min(2 * repeats, self.settle)
            rounds.append(repeats)
        return tuple(rounds)

    @property
    def looks(self) -> int:
        """How many times, at most, the cells of a stage are compared with its winner."""
        return 1 + len(self.rounds)

    def training(self, model: str) -> Training:
        """Return how a model is trained."""
        training = self.models[model]
        assert isinstance(training, Training)
        return training

    def with_stage(self, stage: Stage) -> "Experiment":
        """Return the experiment with one more stage before the reruns, added to its name."""
        return replace(self, name=f"{self.name}+{stage.name}", stages=(*self.stages, stage))

    def with_grid(
        self, parameter: str, values: Sequence[Any], name: str | None = None
    ) -> "Experiment":
        """Return the experiment with other values of a parameter; without a `name` they name it."""
        places = [place for place, stage in enumerate(self.stages) if parameter in stage.grid]
        if not places:
            hint = did_you_mean(parameter, self.parameters)
            raise UsageError(f"no parameter is called {parameter!r}: {hint}")
        # Where it is searched, else where it has its value.
        place = max(places, key=lambda place: len(self.stages[place].grid[parameter]))
        stages, before = list(self.stages), self.stages[place]
        chosen = grid_values(parameter, values, before.grid[parameter])
        stages[place] = before.with_grid({**before.grid, parameter: chosen})
        if name is None:
            name = f"{self.name}+{parameter}={','.join(map(value_text, chosen))}"
        return replace(self, name=name, stages=tuple(stages))

    def protocol(self, data_sha256: str | None) -> dict[str, Any]:
        """Return what a study keeps of its protocol, to be compared when it is resumed."""
        protocol = {**self.settings, **{name: getattr(self, name) for name in PROTOCOL}}
        protocol |= {f"{name}s": list(values) for name, values in self.grid.items()}
        return protocol | ({} if data_sha256 is None else {"data_sha256": data_sha256})


def _of_one_kind(stages: Sequence[Stage]) -> Iterator[Stage]:
    """Yield stages with fractions for every parameter that has a fraction in one of them."""
    known: dict[str, tuple[Value, ...]] = {}
    for stage in stages:
        known |= {name: known.get(name, ()) + values for name, values in stage.grid.items()}
    for stage in stages:
        grid = {name: grid_values(name, values, known[name]) for name, values in stage.grid.items()}
        yield stage.with_grid(grid)
