"""What the overview shows: experiments as tables of models and stages, read from the store."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from storage.overview import StudyProgress, stage_winners, study_progress
from storage.queries import GridCell, ModelResult, StudyAttributes, model_results, studies
from studies.experiment.stage import RERUN


@dataclass(frozen=True)
class Stage:
    """A stage of a model: a search with the studies that go on beyond its grid, or the reruns."""

    name: str
    attributes: Sequence[Mapping[str, Any]]
    """Of its studies, which anybody may have set to anything."""
    studies: Sequence[StudyProgress]
    """The same studies."""
    winner: GridCell | None
    """The best finished cell of a search."""
    result: ModelResult | None
    """What reruns gave."""

    @property
    def cells(self) -> int:
        """How many cells or reruns there are to do; 0 where a study does not say."""
        counts = [_cells(attributes) for attributes in self.attributes]
        return sum(counts) if all(counts) else 0

    @property
    def done(self) -> int:
        """How many cells are decided, or reruns complete."""
        return sum(study.done for study in self.studies)

    @property
    def failed(self) -> int:
        """How many cells or reruns went wrong."""
        return sum(study.failed for study in self.studies)

    @property
    def running(self) -> int:
        """How many trials a run works on."""
        return sum(study.running for study in self.studies)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return 0 < self.cells <= self.done


@dataclass(frozen=True)
class Model:
    """A row of a table."""

    name: str
    parameter_count: int | None
    """Trainable parameters."""
    chain: Sequence[str]
    """The names of its stages, of those that have not begun, too."""
    stages: Mapping[str, Stage]
    """Those that have begun, by name."""


@dataclass(frozen=True)
class Table:
    """An experiment."""

    name: str
    objective: str
    chain: Sequence[str]
    """The stages of all its models."""
    models: Sequence[Model]

    @property
    def begun(self) -> list[Stage]:
        """The stages of all models that have begun."""
        return [stage for model in self.models for stage in model.stages.values()]

    @property
    def coverage(self) -> tuple[int, int]:
        """How many stages of its models are complete, and how many there are."""
        complete = sum(stage.is_complete for stage in self.begun)
        return complete, sum(len(model.chain) for model in self.models)

    @property
    def running(self) -> int:
        """How many trials a run works on."""
        return sum(stage.running for stage in self.begun)


def overview(engine: Engine, artifacts: Path, is_driven: bool | None) -> list[Table]:
    """Return all experiments, the last begun first, with figures whose files are in `artifacts`.

    Where no run holds the store, no trial is running. Raises `StoreError`.
    """
    known = studies(engine)
    progress, winners = study_progress(engine), stage_winners(engine)
    results = {(row.experiment, row.model): row for row in model_results(engine)}
    models: dict[tuple[str, str], dict[str, list[StudyAttributes]]] = defaultdict(dict)
    for study in known:
        # Others may have deleted it since.
        if _name(study) in progress:
            base = study.attributes.get("extends")
            stage = base if isinstance(base, str) else study.stage
            models[study.experiment, study.model].setdefault(stage, []).append(study)
    rows: dict[str, list[Model]] = defaultdict(list)
    for (experiment, model), stages in models.items():
        begun = [
            Stage(
                name,
                [part.attributes for part in parts],
                [_shown(progress[_name(part)], artifacts, is_driven) for part in parts],
                winners.get((experiment, model, name)),
                results.get((experiment, model)) if name == RERUN else None,
            )
            for name, parts in stages.items()
        ]
        last = begun[-1].attributes[-1]
        count = last.get("parameters")
        rows[experiment].append(
            Model(
                model,
                count if type(count) is int else None,
                _merged([_words(last.get("stages")), stages]),
                {stage.name: stage for stage in begun},
            )
        )
    last_of = {study.experiment: study.attributes for study in known}
    order = [name for name in last_of if name in rows]
    return [_table(name, rows[name], last_of[name]) for name in reversed(order)]


def _table(name: str, models: Sequence[Model], last: Mapping[str, Any]) -> Table:
    """Return an experiment, its models in the order of the last run."""
    order = _merged([_words(last.get("models")), (model.name for model in models)])
    chains = sorted((model.chain for model in models), key=len, reverse=True)
    return Table(
        name,
        str(last.get("objective", "accuracy")),
        # Reruns come last, whatever another model has before them.
        sorted(_merged(chains), key=lambda stage: stage == RERUN),
        sorted(models, key=lambda model: order.index(model.name)),
    )


def _name(study: StudyAttributes) -> str:
    return f"{study.experiment}/{study.model}/{study.stage}"


def _shown(study: StudyProgress, artifacts: Path, is_driven: bool | None) -> StudyProgress:
    """Return a study without trials of a run that was killed, and without figures that are gone."""
    figures = {
        name: identifier
        for name, identifier in sorted(study.figures.items())
        if (artifacts / identifier).is_file()
    }
    running = 0 if is_driven is False else study.running
    return replace(study, running=running, figures=figures)


def _cells(attributes: Mapping[str, Any]) -> int:
    """Return how many cells or seeds a study has, 0 where nobody knows."""
    cells, grid = attributes.get("cells"), attributes.get("grid")
    if isinstance(cells, list):
        return len(cells)
    values = list(grid.values()) if isinstance(grid, dict) else []
    return prod(map(len, values)) if values and all(isinstance(v, list) for v in values) else 0


def _words(names: object) -> list[str]:
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _merged(lists: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in lists for name in names))
