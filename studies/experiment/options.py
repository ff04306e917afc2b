"""An experiment with options: a function whose keyword parameters become options of `run`."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import Annotated, Any, Literal, get_args, get_origin

from studies.display.errors import UsageError
from studies.display.words import did_you_mean, value_text
from studies.experiment.checks import check_options
from studies.experiment.definition import Experiment
from studies.experiment.stage import Stage

Change = Callable[[Experiment], Experiment]

GENERAL = ("repeats", "reruns", "search", "rank_by", "racing")
"""Fields of every experiment that are options."""


class ExperimentFunction:
    """Makes an experiment of options: `function(epochs=5)`.

    Options that differ from their defaults name the experiment (`paper+epochs=5`), but not paths:
    where a file lies is not what is in it.
    """

    def __init__(self, function: Callable[..., Experiment], changes: Sequence[Change] = ()) -> None:
        """Take the function, whose parameters need defaults. Raises UsageError."""
        self.function, self.changes = function, tuple(changes)
        try:
            self.parameters = inspect.signature(function, eval_str=True).parameters
        except (ValueError, TypeError, NameError) as error:
            raise UsageError(f"the experiment function cannot have options: {error}") from None
        for name, parameter in self.parameters.items():
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                raise UsageError(
                    f"parameter {name} of the experiment function takes no name: "
                    "leave out *args and **kwargs"
                )
            if parameter.default is parameter.empty:
                raise UsageError(f"parameter {name} of the experiment function needs a default")

    def __call__(self, **options: Any) -> Experiment:
        """Return the experiment, named by what differs in it. Raises UsageError."""
        return self.named(None, options)

    def named(self, name: str | None, options: Mapping[str, Any]) -> Experiment:
        """Return the experiment under a name, or named by what differs in it.

        Raises UsageError for an unknown option, and where the function fails.
        """
        for option in options:
            if option not in self.parameters:
                hint = did_you_mean(option, self.parameters)
                raise UsageError(f"the experiment has no option {option!r}: {hint}")
        for option, kind, _, _ in self.options():
            known = get_args(kind) if get_origin(kind) is Literal else ()
            if known and option in options and options[option] not in known:
                words = " or ".join(map(str, known))
                given = options[option]
                raise UsageError(f"{option.replace('_', '-')} must be {words}, not {given}")
        try:
            experiment = self.function(**options)
            if not isinstance(experiment, Experiment):
                raise UsageError(f"the experiment function returned {experiment!r}, no Experiment")
            rows = [row for row in self.options() if not _is_path(row[1])]
            differing = _differing(options, {option: default for option, _, default, _ in rows})
            check_options(experiment.search, differing)
            if name is None:
                experiment = replace(experiment, name=_name(experiment.name, differing))
            for change in self.changes:
                experiment = change(experiment)
        except UsageError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise UsageError(f"the experiment function fails with {reason}") from error
        return experiment if name is None else replace(experiment, name=name)

    def changed(self, change: Change) -> "ExperimentFunction":
        """Return the same with a change to each experiment that it makes."""
        return ExperimentFunction(self.function, (*self.changes, change))

    def with_stage(self, stage: Stage) -> "ExperimentFunction":
        """Return the same with one stage more before the reruns."""
        return self.changed(partial(Experiment.with_stage, stage=stage))

    def options(self) -> Iterator[tuple[str, Any, Any, str]]:
        """Yield name, type, default and help of each option.

        The help is the text in `epochs: Annotated[int, "Epochs of a training."] = 25`. Without an
        annotation, the type is that of the default.
        """
        for name, parameter in self.parameters.items():
            hint, default = parameter.annotation, parameter.default
            if hint is parameter.empty:
                hint = str | None if default is None else type(default)
            kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
            text = next((note for note in notes if isinstance(note, str)), "")
            yield name, kind, default, text


Definition = Experiment | ExperimentFunction


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
    own: dict[str, Any] = {}
    if isinstance(definition, ExperimentFunction):
        own = {option: options[option] for option in options if option in definition.parameters}
        experiment = definition.named(name, own)
    else:
        experiment = definition
    fields = {option: options[option] for option in options if option not in own}
    for option in fields:
        if option not in GENERAL:
            hint = did_you_mean(option, [*own, *GENERAL])
            raise UsageError(f"the experiment has no option {option!r}: {hint}")
    differing = _differing(fields, {option: getattr(experiment, option) for option in GENERAL})
    new_name = _name(experiment.name, differing) if name is None else name
    experiment = replace(experiment, name=new_name, **differing)
    check_options(experiment.search, differing)
    for parameter, values in (grids or {}).items():
        experiment = experiment.with_grid(parameter, values, name)
    return experiment


def _is_path(kind: Any) -> bool:
    """Return whether an option is a path, or one that may be left out."""
    return any(
        isinstance(part, type) and issubclass(part, PurePath) for part in (kind, *get_args(kind))
    )


def _differing(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that differ from their defaults, in the order of these."""
    return {
        option: options[option]
        for option, default in defaults.items()
        if option in options and options[option] != default
    }


def _name(name: str, differing: Mapping[str, Any]) -> str:
    """Return the name of an experiment with its options."""
    words = []
    for option, value in differing.items():
        shown = option.replace("_", "-")
        if isinstance(value, bool):
            words.append(shown if value else f"no-{shown}")
        else:
            words.append(f"{shown}={value_text(value)}")
    return f"{name}+{','.join(words)}" if words else name
