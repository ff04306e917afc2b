"""Plan a run before it begins: trainings to run, trainings recorded, time."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from sqlalchemy import Engine

from storage.queries import grid_cells
from storage.trainings import mean_seconds, recorded
from studies.experiment.definition import Experiment
from studies.experiment.study import GridStudy, chain, grid_study
from studies.experiment.training import FunctionTraining, Parameters
from studies.search.record import can_rank
from studies.search.stage import stage_studies, winner

PATIENCE = 600.0
"""Seconds that a training may take beyond a hundred times what is expected."""

UNKNOWN = 6 * 3600.0
"""Seconds that a training may take of which nobody knows how long it takes."""


class Durations:
    """How long trainings take, learned from those recorded; nothing is known of a new model."""

    def __init__(self, engine: Engine, experiment: Experiment, workers: int) -> None:
        """Read what the store knows."""
        self._experiment, self._workers = experiment, workers
        known: dict[str, list[float]] = {}
        for model, parameters, settings, seconds in mean_seconds(engine):
            if model in experiment.models:
                training = experiment.training(model)
                wanted = {k: v for k, v in training.settings(parameters).items() if v is not None}
                if wanted.items() <= {k: v for k, v in settings.items() if v is not None}.items():
                    known.setdefault(model, []).append(seconds / training.cost(parameters))
        self._unit = {model: fmean(units) for model, units in known.items()}
        self._recent = {model: max(units) for model, units in known.items()}

    def learn(self, model: str, parameters: Parameters, *seconds: float) -> None:
        """Take note of trainings: of the first of a model, and of its latest ones."""
        cost = self._experiment.training(model).cost(parameters)
        self._unit.setdefault(model, seconds[0] / cost)
        now = max(seconds) / cost
        before = self._recent.get(model, now)
        # Up at once, as other parameters may take longer; down by and by after a hiccup.
        self._recent[model] = max(now, before + 0.2 * (now - before))

    def of(self, model: str, parameters: Parameters) -> float | None:
        """Return the seconds of one training, None while none of its model is recorded."""
        unit = self._unit.get(model)
        return None if unit is None else unit * self._experiment.training(model).cost(parameters)

    def recent(self, model: str, parameters: Parameters) -> float | None:
        """Return the seconds of one training by the longest of the latest; None while unknown."""
        unit = self._recent.get(model)
        return None if unit is None else unit * self._experiment.training(model).cost(parameters)

    def adds(self, study: GridStudy, parameters: Parameters) -> float | None:
        """Return the seconds that a training adds to a run: reruns go one after the other."""
        seconds = self.of(study.model, parameters)
        return None if seconds is None else seconds / (1 if study.is_rerun else self._workers)

    def deadline(self, model: str, parameters: Parameters, trainings: int) -> float:
        """Return the seconds after which a job is taken for one that hangs."""
        if self._experiment.deadline is not None:
            return self._experiment.deadline
        seconds = self.of(model, parameters)
        # Of a function nobody knows by how much other parameters make it longer.
        if seconds is None or isinstance(self._experiment.training(model), FunctionTraining):
            return UNKNOWN
        return PATIENCE + 100 * seconds * trainings


@dataclass(frozen=True)
class StudyPlan:
    """What is left of one study."""

    study: GridStudy
    trainings: int
    recorded: int
    seconds: float | None
    """Wall time of those that are not recorded; None where it is not known."""


def plan(
    engine: Engine,
    experiment: Experiment,
    models: Iterable[str],
    data_sha256: str | None,
    durations: Durations,
) -> list[StudyPlan]:
    """Look ahead through the stages of some models.

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
    """Count what is left of a study; None for `planned` says that its grid is a guess.

    Trainings whose fingerprints are in `planned` run before and count as recorded; the study's own
    are added.
    """
    cells = study.cells()
    if study.is_race:
        shown = grid_cells(engine, study.experiment.name, study.model, study.name)
        given_up = [cell.parameters for cell in shown if cell.state == "PRUNED"]
        cells = [cell for cell in cells if cell.parameters not in given_up]
    missing = [len(cell.seeds) for cell in cells]
    if planned is not None:
        hashes = [set(study.fingerprints(cell, data_sha256).values()) for cell in cells]
        wanted = set[str]().union(*hashes)
        stored = recorded(engine, wanted).values()
        known = planned | {run.fingerprint for run in stored if can_rank(study, run)}
        missing = [len(of_cell - known) for of_cell in hashes]
        planned |= wanted
    elif _holds_start(study):
        # The winner to come has been trained by then.
        missing[0] = 0
    total = sum(len(cell.seeds) for cell in cells)
    seconds: float | None = 0.0
    for count, cell in zip(missing, cells, strict=True):
        of_one = durations.adds(study, cell.parameters) if count else 0.0
        seconds = None if seconds is None or of_one is None else seconds + count * of_one
    return StudyPlan(study, total, total - sum(missing), seconds)


def _holds_start(study: GridStudy) -> bool:
    """Return whether the values that a stage searches include those that they start with."""
    starts: dict[str, object] = {}
    for stage in study.experiment.stages:
        if stage.name == study.name:
            searched = {name: values for name, values in stage.grid.items() if len(values) > 1}
            return all(starts.get(name) in values for name, values in searched.items())
        starts |= {name: values[0] for name, values in stage.grid.items() if len(values) == 1}
    return False
