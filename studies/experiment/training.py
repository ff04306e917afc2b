"""How a model is trained: a user's function, and what stands for its code in fingerprints."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studies.display.errors import UsageError
from studies.experiment.source import source_code

Value = int | float | str
"""Of a hyper-parameter, as in the store, which workers do not know."""

Parameters = Mapping[str, Value]


MOST_NUMBERS = 100
"""Numbers of a training: a store has a column for each name."""

WEIGHTS = "weights"
"""The key under which a training returns what it learned."""

TIMES = ("train_seconds", "cpu_seconds")
"""Numbers that a worker measures where a training does not."""


class Training:
    """How a model is trained. A subclass may do more than a function `train(parameters, seed)`."""

    code: str
    """What stands for the code: it is kept with studies and goes into fingerprints."""
    parameter_count: int | None
    """Trainable parameters, for people to compare."""
    has_torch_threads: bool = False
    """Whether it computes in PyTorch's threads alone, and starts no threads and no processes.

    Each of these is then kept on a core of its own while the training is timed.
    """

    def train(
        self, parameters: Parameters, seeds: Sequence[int], data: Any
    ) -> list[Mapping[str, Any]]:
        """Return what each seed's training gave: its numbers, `validation`, `loss_curve`.

        `train_seconds` and `cpu_seconds` may be among them; else a worker's clock counts.
        `weights` may be, too: arrays by name, or a function that returns them. It is called for
        reruns alone, after the time is taken.
        """
        raise NotImplementedError

    def network(self, parameters: Parameters, weights: Mapping[str, Any]) -> Any:
        """Return what `studies.load` returns for a rerun's weights: by default the weights."""
        return weights

    def check(self, grid: Mapping[str, Sequence[Value]]) -> None:
        """Raise UsageError for parameters or values that it cannot be trained with."""

    def seeds_at_once(self, parameters: Parameters) -> int:
        """Return how many seeds gain from being trained side by side."""
        return 1

    def cost(self, parameters: Parameters) -> float:
        """Return how long a training takes, in any unit, to compare it with others of its model."""
        return 1.0

    def shortened(self) -> tuple["Training", float] | None:
        """Return a training that is short enough to be measured before a run, None for none.

        The number is by how much to multiply its `train_seconds` to get those of this training.
        """
        return None

    def settings(self, parameters: Parameters) -> Mapping[str, Value | None]:
        """Return what else decides a training, as columns of `training_runs`."""
        return {}

    def recorded_as(self, model: str, parameters: Parameters) -> tuple[str, Parameters]:
        """Return the model and the parameters under which a search records a training.

        They may be those of another model that is known to give the same, to the bit.
        """
        return model, parameters

    def identity(
        self, model: str, parameters: Parameters, data_sha256: str | None
    ) -> Mapping[str, Any]:
        """Return all that decides the result of a training, but for its seed."""
        return {
            "model": model,
            "parameters": dict(parameters),
            "code": self.code,
            "data": data_sha256,
        }


@dataclass(frozen=True)
class FunctionTraining(Training):
    """A user's function, called once per seed."""

    function: Callable[..., Mapping[str, Any]]
    code: str
    has_data: bool
    fixed: Mapping[str, Value]
    """The experiment's settings."""
    objective: str
    parameter_count: int | None = None

    def train(
        self, parameters: Parameters, seeds: Sequence[int], data: Any
    ) -> list[Mapping[str, Any]]:
        """Call the function for each seed."""
        more = (data,) if self.has_data else ()
        return [self.function(dict(parameters), seed, *more) for seed in seeds]

    def settings(self, parameters: Parameters) -> Mapping[str, Value | None]:
        """Return the experiment's settings."""
        return self.fixed

    def identity(
        self, model: str, parameters: Parameters, data_sha256: str | None
    ) -> Mapping[str, Any]:
        """Return the settings and the objective as well, which a `version` does not stand for."""
        more = {"settings": dict(self.fixed), "objective": self.objective}
        return {**super().identity(model, parameters, data_sha256), **more}


def as_training(
    model: str,
    train: Any,
    version: str | None,
    settings: Mapping[str, Value],
    has_data: bool,
    objective: str = "accuracy",
) -> Training:
    """Return how a model is trained by `train(parameters, seed)`, or one with data as well.

    Raises UsageError for a function of other arguments, or one whose code cannot be read.
    """
    if isinstance(train, FunctionTraining):
        # Of an experiment that this one was made from, maybe with another version.
        train = train.function
    if isinstance(train, Training):
        return train
    arguments = ("parameters", "seed", "data")[: 3 if has_data else 2]
    wanted = f"{model} must be a function of ({', '.join(arguments)})"
    if not callable(train):
        raise UsageError(f"{wanted}, not {train!r}")
    try:
        signature = inspect.signature(train)
    except ValueError:
        raise UsageError(f"{wanted} in Python") from None
    if not _takes(signature, arguments):
        name = getattr(train, "__name__", type(train).__name__)
        raise UsageError(f"{wanted}, not {name}{signature}")
    return FunctionTraining(
        train, version or source_code(model, train), has_data, settings, objective
    )


def _takes(signature: inspect.Signature, arguments: Sequence[str]) -> bool:
    """Return whether a function can be called with arguments, which keep their places by name."""
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    named = zip(arguments, signature.parameters, strict=False)
    return all(name == given or name not in arguments for given, name in named)


def checked(result: object, objective: str, needs_validation: bool = False) -> dict[str, Any]:
    """Return a training's result as numbers by name, `validation_<objective>` and `loss_curve`.

    Weights are left out, and None stands for NaN. Raises ValueError where a result lacks the
    objective, or holds what is no number.
    """
    if not isinstance(result, Mapping):
        kind = type(result).__name__
        raise ValueError(f"train returned {kind}, not a mapping with {objective!r}")
    for name in (objective, "validation")[: 2 if needs_validation else 1]:
        if name not in result:
            names = ", ".join(map(repr, result)) or "nothing"
            raise ValueError(f"train returned no {name!r}, but {names}")
    if len(result) > MOST_NUMBERS:
        raise ValueError(f"train returned {len(result)} numbers, more than {MOST_NUMBERS}")
    known: dict[str, Any] = {}
    for name, value in result.items():
        if is_weights(name, value):
            continue
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"train returned a value for {name!r}, which is no Python name")
        column = f"validation_{objective}" if name == "validation" else name
        if name == "loss_curve":
            known[column] = tuple(_number(name, loss) for loss in _list(value))
        else:
            known[column] = _number(name, value)
    return known


def is_weights(name: object, value: object) -> bool:
    """Return whether a returned value holds weights; a number called `weights` is just a number."""
    return name == WEIGHTS and (isinstance(value, Mapping) or callable(value))


def _list(value: Any) -> list[Any]:
    try:
        return [] if value is None else list(value)
    except TypeError:
        raise ValueError(f"train returned {value!r} for 'loss_curve', which is no list") from None


def _number(name: str, value: Any) -> float:
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        number = None
    if number is None or isinstance(value, str):
        raise ValueError(f"train returned {value!r} for {name!r}, which is no number")
    if name in TIMES and not 0 <= number < math.inf:
        raise ValueError(f"train returned {value!r} for {name!r}, which is no time")
    return number
