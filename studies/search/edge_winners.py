"""Winners on an edge of their grid, and what would be tried beyond it."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Engine

from storage.reader import open_reader
from studies.experiment.definition import Experiment
from studies.experiment.extension import further_study
from studies.experiment.stage import RERUN
from studies.experiment.study import chain, grid_study
from studies.search.stage import cells_of, stage_studies, winner


def edge_sentences(experiment: Experiment, models: Sequence[str], storage: str) -> Iterator[str]:
    """Yield a sentence on each winner beside which lies what was not tried, with what tries it.

    `storage` is the URL of the store. Stages that are not complete are left out.
    """
    engine = open_reader(storage)
    try:
        for model in models:
            yield from _of_model(engine, experiment, model)
    finally:
        engine.dispose()


def _of_model(engine: Engine, experiment: Experiment, model: str) -> Iterator[str]:
    won = None
    for stage in chain(experiment, model):
        if stage == RERUN:
            return
        first = grid_study(experiment, model, stage, won)
        studies = list(stage_studies(engine, first))
        best = winner(engine, studies)
        if best is None:
            return
        further = further_study(studies, cells_of(engine, studies), most=len(studies))
        if further is not None:
            cells, trainings = len(further), len(further) * further.trainings_per_cell
            edge = "its grid" if further.extension == 1 else "what was tried"
            option = "--extend" if further.extension == 1 else f"--extend {further.extension}"
            yield (
                f"The winner of {model} {stage} lies on an edge of {edge}: {further.reason}. "
                f"With {option} the stage goes on beyond it, first with {cells} "
                f"cell{'s' * (cells > 1)} ({trainings} training{'s' * (trainings > 1)})."
            )
        won = best.parameters
