"""What a run will do, before it does it: trainings to run, trainings recorded, time."""

from dataclasses import dataclass

from sqlalchemy import Engine

from digitcmp.training import Hyperparameters
from storage.queries import grid_cells, recorded
from studies.estimates import Estimates
from studies.grid import Grid
from studies.protocol import ALPHAS, Protocol
from studies.records import Data, fingerprints
from studies.stages import Stage, chain, make_stage, published, start
from studies.winners import winner


@dataclass(frozen=True)
class StagePlan:
    """What is left of one stage."""

    stage: Stage
    trainings: int
    recorded: int
    seconds: float
    """Wall time of those that are not recorded."""


def plan(
    engine: Engine,
    experiment: str,
    model: str,
    protocol: Protocol,
    data: Data,
    times: Estimates,
    planned: set[str],
) -> list[StagePlan]:
    """Look ahead through the stages of a model.

    Where a stage's grid depends on a winner that is not known yet, the paper's stands in for it.
    `planned` holds the fingerprints of trainings that run before, which count as recorded; those of
    this model are added.
    """
    plans: list[StagePlan] = []
    before: Stage | None = None
    known = True
    for name in chain(model, protocol):
        chosen = start(model, protocol)
        if before is not None:
            won = winner(engine, before) if known else None
            known = won is not None
            chosen = won or published(model)
        before = make_stage(experiment, model, name, protocol, chosen)
        plans.append(_plan(engine, before, data, times, known, planned))
    return plans


def _plan(
    engine: Engine, stage: Stage, data: Data, times: Estimates, known: bool, planned: set[str]
) -> StagePlan:
    cells = [stage.cell(parameters) for parameters in Grid(stage.search_space).cells()]
    if stage.is_race:
        given_up = _given_up(engine, stage)
        cells = [cell for cell in cells if cell.hyperparameters not in given_up]
    prints = [fingerprints(stage, cell, data.sha256).values() for cell in cells]
    found: set[str] = set()
    if known:
        wanted = {fingerprint for of_cell in prints for fingerprint in of_cell}
        found = planned | recorded(engine, wanted).keys()
        planned |= wanted
    missing = [sum(each not in found for each in of_cell) for of_cell in prints]
    if stage.name == "alpha" and not known and stage.protocol.stage1_alpha in ALPHAS:
        # The winner to come has been trained with this alpha by then.
        overlap = next(
            i for i, c in enumerate(cells) if c.hyperparameters.alpha == stage.protocol.stage1_alpha
        )
        missing[overlap] = 0
    total = sum(len(cell.seeds) for cell in cells)
    seconds = sum(
        count * times.seconds(stage, cell.hyperparameters.batch_size)
        for count, cell in zip(missing, cells, strict=True)
    )
    return StagePlan(stage, total, total - sum(missing), seconds)


def _given_up(engine: Engine, stage: Stage) -> set[Hyperparameters]:
    cells = grid_cells(engine, stage.experiment, stage.model, stage.name)
    return {
        Hyperparameters(cell.learning_rate, cell.batch_size, cell.alpha)
        for cell in cells
        if cell.state == "PRUNED"
    }
