"""Race the cells of a search: repeats stop as soon as a cell can hardly be the winner any more.

Every cell gets a few repeats. The leader gets all of its own, and so becomes the trial that the
others are held against, repeat by repeat on equal seeds, by Optuna's WilcoxonPruner. The rounds
make the outcome depend on the results alone: not on the number of workers, nor on interruptions.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence

from optuna import Study
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import WilcoxonPruner
from optuna.trial import TrialState

from studies.experiment.checks import FIRST_REPEATS
from studies.search.trial import RunningTrial, score

P_THRESHOLD = 0.15
"""As the test is made again after each repeat, more cells are given up by chance than this; the
benchmark `tests/benchmarks/racing.py` tells how often the winner is among them."""

Round = list[tuple[RunningTrial, Sequence[int]]]
"""Cells, and the seeds to train of each."""


def pruner() -> WilcoxonPruner:
    """The test by which a cell is given up."""
    with warnings.catch_warnings():
        # Optuna calls it experimental since 3.6; the pin on 5.0 keeps it.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return WilcoxonPruner(p_threshold=P_THRESHOLD, n_startup_steps=FIRST_REPEATS)


def race(
    study: Study, cells: Sequence[RunningTrial], finish: Callable[[RunningTrial], None]
) -> Iterator[Round]:
    """Yield round after round, each to be trained before the next; let every cell end by `finish`.

    A cell whose repeats are all recorded is complete, as giving it up would save nothing.
    """
    yield _round(cells, FIRST_REPEATS)
    racing = _finish(cells, finish, failed)
    while racing and not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        leader = max(
            racing,
            key=lambda cell: cell.study.sign * score(cell.study, cell.values[:FIRST_REPEATS]),
        )
        yield [(leader, leader.missing)]
        finish(leader)
        racing.remove(leader)
    for repeats in range(FIRST_REPEATS, racing[0].study.experiment.repeats if racing else 0):
        for cell in racing:
            if cell.missing:
                _hold_against_leader(study, cell, repeats)
        racing = _finish(racing, finish, lambda cell: cell.given_up is not None)
        yield _round(racing, repeats + 1)
        racing = _finish(racing, finish, failed)
    # Not before: all race against one leader, also those that go on after an interruption.
    for cell in racing:
        finish(cell)


def failed(cell: RunningTrial) -> bool:
    """Whether a cell is out of the race by a fault of its own."""
    return cell.error is not None or cell.diverged > 0


def _round(cells: Sequence[RunningTrial], repeats: int) -> Round:
    first = [(cell, list(cell.fingerprints)[:repeats]) for cell in cells]
    return [(cell, [seed for seed in seeds if seed not in cell.runs]) for cell, seeds in first]


def _finish(
    cells: Sequence[RunningTrial],
    finish: Callable[[RunningTrial], None],
    which: Callable[[RunningTrial], bool],
) -> list[RunningTrial]:
    """Finish some cells, and return the others."""
    for cell in cells:
        if which(cell):
            finish(cell)
    return [cell for cell in cells if not which(cell)]


def _hold_against_leader(study: Study, cell: RunningTrial, repeats: int) -> None:
    cell.report(repeats)
    if cell.trial.should_prune():
        leader = study.best_trial.number
        cell.given_up = (
            f"worse than trial {leader} after {repeats} repeats (Wilcoxon p < {P_THRESHOLD})"
        )
