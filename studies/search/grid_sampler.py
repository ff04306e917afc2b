"""GridSampler for ask-and-tell, in studies that are killed and resumed."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import GridSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from storage.attributes import PROOF
from storage.trainings import Value
from studies.display.errors import UsageError

FINAL_ERROR = "final_error"
"""User attribute of a failed trial whose cell must not be tried again."""


class Grid(GridSampler):
    """Optuna's grid, with coverage read from the trials themselves.

    Optuna's own takes a failed trial's cell for done, hands out duplicates when asked too often and
    stops the study from inside the last `tell`. Here a cell is free until it has a trial of ours
    that is running, complete, pruned or failed for good; whoever asks says for which cell. It
    overrides private methods: optuna is pinned to 5.0.
    """

    def __init__(self, search_space: Mapping[str, Sequence[Value]]) -> None:
        # Optuna shuffles the cells by the seed, and numbers them so: it must never change.
        super().__init__(search_space, seed=0)
        self._distributions = {name: distribution(v) for name, v in search_space.items()}

    def free(self, study: Study, cost: Callable[[Mapping[str, Any]], float]) -> list[int]:
        """Return the cells still to be asked, the longest trainings first.

        So none is left alone at the end with idle workers around it.
        """
        # Not by the numbers of cells: a trial may have them, and other parameters.
        taken = {
            frozenset(trial.params.items())
            for trial in study.get_trials(deepcopy=False)
            if trial.state == TrialState.RUNNING or FINAL_ERROR in trial.user_attrs
            or (trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and is_ours(trial))
        }  # fmt: skip
        cells = self.cells()
        free = [n for n, cell in enumerate(cells) if frozenset(cell.items()) not in taken]
        return sorted(free, key=lambda cell: (-cost(cells[cell]), cell))

    def ask(self, study: Study, cell: int) -> Trial:
        """Start a trial for a cell, with all its parameters.

        Raises UsageError where trials of somebody else have parameters of another kind.
        """
        self._asked = cell
        # Not by the study's `ask`, which hands out a trial that somebody enqueued.
        trial = Trial(study, study._storage.create_new_trial(study._study_id))
        for name, drawn_from in self._distributions.items():
            try:
                trial._suggest(name, drawn_from)
            except ValueError:
                reason = f"has trials with another kind of {name}"
                raise UsageError(foreign(study.study_name, reason)) from None
        return trial

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self._all_grids)

    def cells(self) -> list[dict[str, Any]]:
        """Return the parameters of every cell, by its number."""
        return [dict(zip(self._param_names, cell, strict=True)) for cell in self._all_grids]

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Tie the trial to the cell that was asked for."""
        study._storage.set_trial_system_attr(trial._trial_id, "search_space", self._search_space)
        study._storage.set_trial_system_attr(trial._trial_id, "grid_id", self._asked)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Leave the study alone: Optuna's would stop it, which raises outside `optimize`."""


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
