"""The further studies of a stage: they go on beyond its grid while its winner lies on an edge."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev

from storage.rows import RankedCell
from storage.trainings import Value
from studies.display.errors import UsageError
from studies.display.words import listed, value_text
from studies.experiment.beyond import Beyond, values_beyond
from studies.experiment.study import GridStudy
from studies.experiment.training import Parameters

LEAST_REPEATS = 3
"""Repeats that can show a cell to be worse than the winner."""

CLEARLY = 3.0
"""Standard errors of the mean gap to the winner, paired by seed, beyond which a cell is clearly
worse: one-sided t-tests with p < 0.05 for three repeats, and p < 0.01 for ten."""

Axes = Mapping[str, Sequence[Value]]
"""The numbers that were tried of each parameter that is searched, the least first."""


def further_study(
    studies: Sequence[GridStudy], cells: Sequence[RankedCell], most: int
) -> GridStudy | None:
    """Return the study that goes on beyond those of a stage; None where nothing is to be tried.

    `cells` are those of all its studies, the winner first; at most `most` studies go on beyond the
    grid. A study goes on where the cell beside the winner along some parameter has not been tried,
    on the grid or beyond it. It tries that value with the winner's other values, with their
    neighbours, and with those of every cell that shares the winner's value of the parameter and is
    not clearly worse than the winner.
    """
    first, winner = studies[0], cells[0]
    # Studies that settle a winner do not go beyond.
    number = sum(study.repeats is None for study in studies)
    if number > most:
        return None
    known = [cell.parameters for study in studies for cell in study.cells()]
    tried, axes = {_key(parameters) for parameters in known}, _axes(first, known)
    beside = {name: list(_neighbours(first, axes, name, winner.parameters)) for name in axes}
    steps = [
        (name, value)
        for name, values in beside.items()
        for value in values
        if _key({**winner.parameters, name: value}) not in tried
    ]
    if not steps:
        return None
    contenders = [cell for cell in cells if not is_clearly_worse(cell, winner, first.sign)]
    wanted: dict[frozenset[tuple[str, Value]], Parameters] = {}
    for name, value in steps:
        around = [
            {**winner.parameters, other: neighbour}
            for other in axes
            if other != name
            for neighbour in beside[other]
        ]
        level = [
            cell.parameters
            for cell in contenders
            if cell.parameters[name] == winner.parameters[name]
        ]
        for start in (*level, *around):
            cell = {**start, name: value}
            if _key(cell) not in tried:
                wanted[_key(cell)] = cell
    reason = _reason(axes, steps, winner.parameters)
    return first.further(f"+{number}", number, list(wanted.values()), winner, reason)


def is_clearly_worse(cell: RankedCell, winner: RankedCell, sign: int) -> bool:
    """Return whether the repeats of a cell show that it is worse than the winner.

    So are cells that diverged or were given up in a race.
    """
    if cell.state != "COMPLETE":
        return True
    gaps = [sign * (best - v) for best, v in zip(winner.values, cell.values, strict=False)]
    if len(gaps) < LEAST_REPEATS:
        return False
    return fmean(gaps) > CLEARLY * stdev(gaps) / math.sqrt(len(gaps))


def open_axes(study: GridStudy, cells: Sequence[Parameters], winner: Parameters) -> Axes:
    """Return the numbers that were tried of each parameter that can go on beyond the winner's."""
    axes = _axes(study, cells)
    return {
        name: values
        for name, values in axes.items()
        if any(value not in values for value in _neighbours(study, axes, name, winner))
    }


def _axes(study: GridStudy, cells: Sequence[Parameters]) -> dict[str, list[Value]]:
    return {
        name: sorted({*values, *(cell[name] for cell in cells)})
        for name, values in study.searched.items()
        if not any(isinstance(value, str) for value in values)
    }


def _neighbours(study: GridStudy, axes: Axes, name: str, parameters: Parameters) -> Iterator[Value]:
    """Yield the values next to that of a cell: among those tried, or beyond the last of them."""
    values = axes[name]
    place = values.index(parameters[name])
    for upwards, following in ((False, values[:place][::-1]), (True, values[place + 1 :])):
        if following:
            yield following[0]
            continue
        rule = study.experiment.beyond.get(name, Beyond())
        beyond = () if rule is None else values_beyond(study.searched[name], upwards, rule)
        new = next((value for value in beyond if value not in values), None)
        if new is not None and _is_allowed(study, name, new):
            yield new


def _is_allowed(study: GridStudy, name: str, value: Value) -> bool:
    """Return whether a model can be trained with a value."""
    try:
        study.experiment.training(study.model).check({name: (value,)})
    except UsageError:
        return False
    return True


def _reason(axes: Axes, steps: Sequence[tuple[str, Value]], winner: Parameters) -> str:
    """Return why a study goes on: `depth 8 is the largest and rate 0.1 is the smallest tried`."""
    reasons = []
    for name, value in steps:
        if value in axes[name]:
            reasons.append(f"{name} {value_text(value)} was not tried there")
        else:
            extreme = "largest" if value == max(value, winner[name]) else "smallest"
            reasons.append(f"{name} {value_text(winner[name])} is the {extreme} tried")
    return listed(reasons)


def _key(parameters: Parameters) -> frozenset[tuple[str, Value]]:
    return frozenset(parameters.items())
