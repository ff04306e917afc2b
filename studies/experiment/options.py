"""An experiment with options: a function whose keyword parameters become options of `run`."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from studies.display.errors import UsageError
from studies.display.words import did_you_mean, value_text
from studies.experiment.definition import Experiment
from studies.experiment.stage import Stage

Change = Callable[[Experiment], Experiment]

SEARCH_ONLY = ("repeats", "select_on", "rank_by", "racing", "extend", "settle", "margin")
"""Options that mean nothing where nothing is searched."""

BARE = {"extend": 4}
"""The numbers of options that may be given without one."""


class Option(NamedTuple):
    """Type, default and help of an option."""

    kind: Any
    default: Any
    help: str

    @property
    def choices(self) -> tuple[Any, ...]:
        """The words to choose from; none where other values are possible."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    def require(self, name: str, value: Any) -> None:
        """Raise UsageError for a value of another type, as the command line refuses it."""
        union = get_origin(self.kind) in (Union, UnionType)
        kinds = get_args(self.kind) if union else (self.kind,)
        if not any(_is_of(value, kind) for kind in kinds):
            words = [_WORDS.get(kind, kind.__name__) for kind in kinds if kind is not NoneType]
            name = name.replace("_", "-")
            raise UsageError(f"{name} must be {' or '.join(words)}, not {value!r}")

    @property
    def is_path(self) -> bool:
        """Whether it is a path, or one that may be left out."""
        kinds = (self.kind, *get_args(self.kind))
        return any(isinstance(kind, type) and issubclass(kind, PurePath) for kind in kinds)


_WORDS = {int: "a whole number", float: "a number", str: "a word", bool: "True or False"}

_WIDER: dict[type, tuple[type, ...]] = {int: (Integral,), float: (Real,), Path: (PurePath, str)}
"""What is as good as a value of a type, such as numbers of NumPy."""


def _is_of(value: Any, kind: Any) -> bool:
    """Return whether a value is of a type; no type but a class is looked at."""
    if not isinstance(kind, type) or get_origin(kind) is not None:
        return True
    # True and False are integers of Python, but of no option.
    is_truth = isinstance(value, bool) and kind in (int, float)
    return isinstance(value, _WIDER.get(kind, kind)) and not is_truth


def _options(parameters: Iterable[inspect.Parameter]) -> dict[str, Option]:
    """Return the options that parameters are, by name.

    The help is the text in `epochs: Annotated[int, "Epochs of a training."] = 25`. Without an
    annotation, the type is that of the default.
    """
    options = {}
    for parameter in parameters:
        hint, default = parameter.annotation, parameter.default
        if hint is parameter.empty:
            hint = str | None if default is None else type(default)
        kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        text = next((note for note in notes if isinstance(note, str)), "")
        options[parameter.name] = Option(kind, default, text)
    return options


_FIELDS = _options(inspect.signature(Experiment).parameters.values())
GENERAL = {name: option for name, option in _FIELDS.items() if option.help}
"""Options of every experiment: the fields that have a help text."""


class ExperimentFunction:
    """Makes an experiment of options: `function(epochs=5)`.

    Options that differ from their defaults name the experiment (`paper+epochs=5`), but not paths:
    where a file lies is not what is in it.
    """

    def __init__(self, function: Callable[..., Experiment], changes: Sequence[Change] = ()) -> None:
        """Take the function, whose parameters need defaults. Raises UsageError."""
        self.function, self.changes = function, tuple(changes)
        try:
            parameters = inspect.signature(function, eval_str=True).parameters
        except (ValueError, TypeError, NameError) as error:
            raise UsageError(f"the experiment function cannot have options: {error}") from None
        for name, parameter in parameters.items():
            subject = f"parameter {name} of the experiment function"
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                raise UsageError(f"{subject} takes no name: leave out *args and **kwargs")
            if parameter.default is parameter.empty:
                raise UsageError(f"{subject} needs a default")
        self.options = _options(parameters.values())

    def __call__(self, **options: Any) -> Experiment:
        """Return the experiment, named by what differs in it. Raises UsageError."""
        return resolve(self, options)

    def make(self, options: Mapping[str, Any], is_named: bool) -> Experiment:
        """Return the function's experiment, with all changes; `is_named`: options name it.

        Raises UsageError, also where the function fails.
        """
        for name, value in options.items():
            choices = self.options[name].choices
            if choices and value not in choices:
                words = " or ".join(map(str, choices))
                raise UsageError(f"{name.replace('_', '-')} must be {words}, not {value}")
        try:
            experiment = self.function(**options)
            if not isinstance(experiment, Experiment):
                raise UsageError(f"the experiment function returned {experiment!r}, no Experiment")
            name = _name(experiment, _differing(options, self.options))
            if is_named:
                experiment = replace(experiment, name=name)
            for change in self.changes:
                experiment = change(experiment)
        except UsageError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise UsageError(f"the experiment function fails with {reason}") from error
        return experiment

    def changed(self, change: Change) -> "ExperimentFunction":
        """Return the same with a change to each experiment that it makes."""
        return ExperimentFunction(self.function, (*self.changes, change))

    def with_stage(self, stage: Stage) -> "ExperimentFunction":
        """Return the same with one stage more before the reruns."""
        return self.changed(partial(Experiment.with_stage, stage=stage))


Definition = Experiment | ExperimentFunction


def options_of(definition: Definition) -> dict[str, Option]:
    """Return the options of a definition by name: a function's own, then those of all experiments.

    None is the default where a function chooses, as that is not known before it is called.
    """
    if isinstance(definition, Experiment):
        return {k: v._replace(default=getattr(definition, k)) for k, v in GENERAL.items()}
    unknown = {k: v._replace(kind=v.kind | None, default=None) for k, v in GENERAL.items()}
    # Its own come first, and take the place of general ones.
    return {**definition.options, **unknown, **definition.options}


def resolve(
    definition: Definition,
    options: Mapping[str, Any],
    name: str | None = None,
    grids: Mapping[str, Sequence[Any]] | None = None,
) -> Experiment:
    """Return the experiment of a definition, with options and other grids.

    It is named by what differs in it where `name` is None. Options that an experiment function
    does not have are fields of the Experiment. Raises UsageError.
    """
    known = options_of(definition)
    for option in options:
        if option not in known:
            hint = did_you_mean(option, known)
            raise UsageError(f"the experiment has no option {option!r}: {hint}")
        known[option].require(option, options[option])
    if isinstance(definition, Experiment):
        experiment, own = definition, dict[str, Any]()
    else:
        own = {option: options[option] for option in options if option in definition.options}
        experiment = definition.make(own, is_named=name is None)
    general = {option: options[option] for option in options if option not in own}
    differing = _differing(general, options_of(experiment))
    experiment = replace(experiment, **differing)
    new_name = _name(experiment, differing)
    experiment = replace(experiment, name=new_name if name is None else name)
    for parameter, values in (grids or {}).items():
        experiment = experiment.with_grid(parameter, values, name)
    return experiment


def _differing(options: Mapping[str, Any], known: Mapping[str, Option]) -> dict[str, Any]:
    """Return the options that differ from their defaults, in the order of these; no paths."""
    return {
        name: options[name]
        for name, option in known.items()
        if name in options and options[name] != option.default and not option.is_path
    }


def _name(experiment: Experiment, differing: Mapping[str, Any]) -> str:
    """Return the name of an experiment with the options that differ.

    Raises UsageError for options that mean nothing where nothing is searched.
    """
    words = []
    for option, value in differing.items():
        shown = option.replace("_", "-")
        if experiment.search == "published" and option in SEARCH_ONLY:
            raise UsageError(
                f"{shown} has no meaning where nothing is searched: leave it out, or search"
            )
        if isinstance(value, bool):
            words.append(shown if value else f"no-{shown}")
        elif value == BARE.get(option):
            words.append(shown)
        else:
            words.append(f"{shown}={value_text(value)}")
    return f"{experiment.name}+{','.join(words)}" if words else experiment.name
