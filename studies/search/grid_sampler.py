"""GridSampler for ask-and-tell, in studies that are killed and resumed."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    _get_single_value,
    check_distribution_compatibility,
)
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import GridSampler
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Engine

from storage.attributes import PROOF
from storage.trainings import Value
from storage.trials import OpenTrial, begin_trial
from studies.display.errors import UsageError

FINAL_ERROR = "final_error"
"""User attribute of a failed trial whose cell must not be tried again."""


class Grid(GridSampler):
    """Optuna's grid, with coverage read from the trials themselves.

    Optuna's own takes a failed trial's cell for done, hands out duplicates when asked too often and
    stops the study from inside the last `tell`. Here a cell is free until it has a trial of ours
    that is running, complete, pruned or failed for good; whoever asks says for which cell. It
    reads private attributes: optuna is pinned to 5.0.
    """

    def __init__(
        self,
        search_space: Mapping[str, Sequence[Value]],
        only: Sequence[Mapping[str, Value]] | None = None,
    ) -> None:
        """Take the values of all parameters; `only` are the cells where not all of them count."""
        # Optuna shuffles the cells by the seed, and numbers them so: it must never change.
        super().__init__(search_space, seed=0)
        self._distributions = {name: distribution(v) for name, v in search_space.items()}
        self._space_json = json.dumps(self._search_space)
        self._only = None if only is None else {frozenset(cell.items()) for cell in only}

    def free(self, study: Study, cost: Callable[[Mapping[str, Any]], float]) -> list[int]:
        """Return the cells still to be asked, the longest trainings first.

        So none is left alone at the end with idle workers around it. Raises UsageError where trials
        of somebody else have parameters of another kind.
        """
        trials = study.get_trials(deepcopy=False)
        self._require_same_kinds(study, trials)
        # Not by the numbers of cells: a trial may have them, and other parameters.
        taken = {
            frozenset(trial.params.items())
            for trial in trials
            if trial.state == TrialState.RUNNING or FINAL_ERROR in trial.user_attrs
            or (trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and is_ours(trial))
        }  # fmt: skip
        cells = self.cells()
        keys = [frozenset(cell.items()) for cell in cells]
        free = [
            number
            for number, key in enumerate(keys)
            if key not in taken and (self._only is None or key in self._only)
        ]
        return sorted(free, key=lambda cell: (-cost(cells[cell]), cell))

    def ask(
        self, engine: Engine, study: Study, cell: int, attributes: Mapping[str, Any]
    ) -> OpenTrial:
        """Start a trial for a cell, with all its parameters and these user attributes."""
        return begin_trial(
            engine,
            study._study_id,
            self.parameters(cell),
            self._distributions,
            {"search_space": self._space_json, "grid_id": json.dumps(cell)},
            attributes,
        )

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self._all_grids)

    def parameters(self, cell: int) -> dict[str, Any]:
        """Return the parameters of a cell, in the order of the search space."""
        drawn = dict(zip(self._param_names, self._all_grids[cell], strict=True))
        # As Optuna draws: where there is no choice, in the type of the distribution.
        return {
            name: _get_single_value(drawn_from) if drawn_from.single() else drawn[name]
            for name, drawn_from in self._distributions.items()
        }

    def cells(self) -> list[dict[str, Any]]:
        """Return the parameters of every cell, by its number."""
        return [dict(zip(self._param_names, cell, strict=True)) for cell in self._all_grids]

    def _require_same_kinds(self, study: Study, trials: Sequence[FrozenTrial]) -> None:
        drawn = {item for trial in trials for item in trial.distributions.items()}
        for name, stored in drawn:
            try:
                check_distribution_compatibility(stored, self._distributions.get(name, stored))
            except ValueError:
                reason = f"has trials with another kind of {name}"
                raise UsageError(foreign(study.study_name, reason)) from None


def is_ours(trial: FrozenTrial) -> bool:
    """Return whether a driver brought a trial where it is, see `storage.attributes.PROOF`."""
    of_search, of_rerun = PROOF.get(trial.state.name, ("", ""))
    return {"place", of_search} <= trial.user_attrs.keys() or of_rerun in trial.user_attrs


def completed(study: Study) -> list[FrozenTrial]:
    """Return the complete trials of a study that are ours."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in complete if is_ours(trial)]


def foreign(study: str, reason: str) -> str:
    """Return a sentence about a study that somebody made by hand under a name of ours."""
    return (
        f"{study} is not a study of this program: it {reason}; rename or delete it, or give this "
        "experiment a name of its own with --experiment"
    )


def fail_unfinished(study: Study) -> int:
    """Fail the trials that a killed driver left behind, so that their cells are free; count them.

    Only the holder of the store's lock may call this: then every unfinished trial is a dead one.
    """
    dead = study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
    for trial in dead:
        # Not `tell`, which refuses a trial that waits. Somebody may have told it meanwhile.
        with suppress(UpdateFinishedTrialError):
            study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    return len(dead)


def distribution(values: Sequence[Value]) -> BaseDistribution:
    """Return what Optuna draws from: numbers are never categories, of which it stores indices."""
    integers = [value for value in values if isinstance(value, int)]
    numbers = [float(value) for value in values if not isinstance(value, str)]
    if len(integers) == len(values):
        return IntDistribution(min(integers), max(integers))
    if len(numbers) == len(values):
        return FloatDistribution(min(numbers), max(numbers))
    return CategoricalDistribution(values)
