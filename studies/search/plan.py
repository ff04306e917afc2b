"""Plan a run before it begins: trainings to run, trainings recorded, time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from storage.queries import grid_cells
from storage.trainings import recorded
from studies.experiment.checks import FIRST_REPEATS
from studies.experiment.definition import Experiment
from studies.experiment.study import Cell, GridStudy, chain, grid_study
from studies.experiment.training import Parameters
from studies.search.durations import Durations
from studies.search.record import can_rank
from studies.search.stage import stage_studies, winner

BETWEEN_RERUNS = 0.2
"""Seconds of the driver alone with each rerun: it waits for figures, sends a job, records it."""

AFTER_RERUNS = 2.0
"""Seconds in which the figures of a model's reruns are drawn, which waits for all reruns."""


@dataclass(frozen=True)
class StudyPlan:
    """What is left of one study."""

    study: GridStudy
    trainings: int
    recorded: int
    """Trainings that are recorded, and those that are `shared`."""
    seconds: float | None
    """Wall time of those that are not recorded; None where it is not known."""
    shared: int = 0
    """Trainings that are not recorded, but that a study before it trains."""
    sure: int = 0
    """Trainings left that a race cannot save; without a race, all that are left."""
    first_job: float | None = None
    """Seconds of its longest job, which comes first; None where they are not known."""

    @property
    def left(self) -> int:
        """Trainings that are neither recorded nor shared."""
        return self.trainings - self.recorded

    @property
    def least(self) -> float | None:
        """The seconds where a race saves as much as it can."""
        return self.seconds and self.seconds * self.sure / self.left


def plan(
    engine: Engine,
    experiment: Experiment,
    models: Iterable[str],
    data_sha256: str | None,
    durations: Durations,
) -> list[StudyPlan]:
    """Return what is left of each study in the chains of some models.

    Where a grid depends on a winner that is not known yet, the published one stands in for it, or
    else the first cell. Studies that go on beyond a grid are planned once they are sure to come.
    """
    planned = set[str]()
    plans = []
    for model in models:
        studies: list[GridStudy] = []
        is_known = True
        for name in chain(experiment, model):
            chosen: Parameters | None = None
            if studies:
                won = winner(engine, studies) if is_known else None
                is_known = won is not None
                first = {name: values[0] for name, values in studies[0].grid.items()}
                chosen = dict(won.parameters if won else first)
                if won is None and model in experiment.published:
                    chosen |= experiment.published[model].parameters
            study = grid_study(experiment, model, name, chosen)
            studies = list(stage_studies(engine, study)) if is_known else [study]
            known = planned if is_known else None
            for study in studies:
                plans.append(study_plan(engine, study, data_sha256, durations, known))
    return plans


def study_plan(
    engine: Engine,
    study: GridStudy,
    data_sha256: str | None,
    durations: Durations,
    planned: set[str] | None = None,
) -> StudyPlan:
    """Return what is left of a study.

    Trainings whose fingerprints are in `planned` run before and count as recorded; the study's own
    fingerprints are added. `planned` is None where the study's grid is a guess.
    """
    cells = study.cells()
    if study.is_race:
        shown = grid_cells(engine, study.experiment.name, study.model, study.name)
        given_up = [cell.parameters for cell in shown if cell.state == "PRUNED"]
        cells = [cell for cell in cells if cell.parameters not in given_up]
    missing = [len(cell.seeds) for cell in cells]
    shared = 0
    if planned is not None:
        hashes = [set(study.fingerprints(cell, data_sha256).values()) for cell in cells]
        wanted = set[str]().union(*hashes)
        stored = recorded(engine, wanted).values()
        in_store = {run.fingerprint for run in stored if can_rank(study, run)}
        missing = [len(of_cell - planned - in_store) for of_cell in hashes]
        shared = sum(len((of_cell & planned) - in_store) for of_cell in hashes)
        planned |= wanted
    elif _holds_start(study):
        # The winner to come has been trained by then.
        shared, missing[0] = missing[0], 0
    total = sum(len(cell.seeds) for cell in cells)
    seconds: float | None = 0.0
    for count, cell in zip(missing, cells, strict=True):
        of_one = durations.adds(study, cell.parameters) if count else 0.0
        seconds = None if seconds is None or of_one is None else seconds + count * of_one
    if study.is_rerun and seconds:
        seconds += sum(missing) * BETWEEN_RERUNS + AFTER_RERUNS
    jobs = [_job(study, cell, count, durations) for count, cell in zip(missing, cells, strict=True)]
    known = [seconds for seconds in jobs if seconds is not None]
    left = sum(missing)
    sure = _sure(study, missing) if study.is_race else left
    return StudyPlan(study, total, total - left, seconds, shared, sure, max(known, default=None))


def _job(study: GridStudy, cell: Cell, missing: int, durations: Durations) -> float | None:
    """Return the seconds of one job of a cell, None where it lacks none, or they are not known."""
    seconds = durations.of(study.model, cell.parameters, study.is_rerun) if missing else None
    at_once = study.experiment.training(study.model).seeds_at_once(cell.parameters)
    return None if seconds is None else seconds * (1 if study.is_rerun else min(at_once, missing))


def _sure(study: GridStudy, missing: Sequence[int]) -> int:
    """Return how many of the missing trainings of each cell a race does in any case."""
    repeats = study.experiment.repeats
    optional = max(0, repeats - FIRST_REPEATS)
    # The first ones of all cells, and all of one leader.
    sure = sum(max(0, count - optional) for count in missing)
    return min(sum(missing), sure + (optional if repeats in missing else 0))


def _holds_start(study: GridStudy) -> bool:
    """Return whether the values that a stage searches include those that they start with."""
    starts: dict[str, object] = {}
    for stage in study.experiment.stages:
        if stage.name == study.name:
            searched = {name: values for name, values in stage.grid.items() if len(values) > 1}
            return all(starts.get(name) in values for name, values in searched.items())
        starts |= {name: values[0] for name, values in stage.grid.items() if len(values) == 1}
    return False
