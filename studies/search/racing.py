"""Race the cells of a search: repeats stop as soon as a cell can hardly be the winner any more.

Every cell gets a few repeats. The leader gets all of its own, and so becomes the trial that the
others are held against, repeat by repeat on equal seeds, by Optuna's WilcoxonPruner. The rounds
make the outcome depend on the results alone: not on the number of workers, nor on interruptions.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence

from optuna import Study, create_study
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import WilcoxonPruner

from studies.experiment.checks import FIRST_REPEATS
from studies.search.grid_sampler import completed
from studies.search.trial import RunningTrial

P_THRESHOLD = 0.15
"""As the test is made again after each repeat, more cells are given up by chance than this; the
benchmark `tests/benchmarks/racing.py` measures how often the winner is among them."""

Portion = tuple[RunningTrial, Sequence[int]]
"""A cell, and the seeds to train of it."""


def pruner() -> WilcoxonPruner:
    """Return the test by which a cell is given up."""
    with warnings.catch_warnings():
        # Optuna calls it experimental since 3.6; the pin on 5.0 keeps it.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return WilcoxonPruner(p_threshold=P_THRESHOLD, n_startup_steps=FIRST_REPEATS)


def race(
    study: Study, cells: Sequence[RunningTrial], finish: Callable[[RunningTrial], None]
) -> Iterator[list[Portion]]:
    """Yield round after round, each to be trained before the next; let every cell end by `finish`.

    A cell whose repeats are all recorded is complete, as giving it up would save nothing.
    """
    yield _round(cells, FIRST_REPEATS)
    racing = _finish_failed(cells, finish)
    while racing and not completed(study):
        leader = max(racing, key=lambda cell: cell.study.sign * cell.score(FIRST_REPEATS))
        yield [(leader, leader.missing)]
        finish(leader)
        racing.remove(leader)
    for repeats in range(FIRST_REPEATS, racing[0].study.experiment.repeats if racing else 0):
        for cell in list(racing):
            if cell.missing and _is_beaten(study, cell, repeats):
                finish(cell)
                racing.remove(cell)
        yield _round(racing, repeats + 1)
        racing = _finish_failed(racing, finish)
    # Not before: all race against one leader, also those that go on after an interruption.
    for cell in racing:
        finish(cell)


def _round(cells: Sequence[RunningTrial], repeats: int) -> list[Portion]:
    first = [(cell, list(cell.fingerprints)[:repeats]) for cell in cells]
    return [(cell, [seed for seed in seeds if seed not in cell.runs]) for cell, seeds in first]


def _finish_failed(
    cells: Sequence[RunningTrial], finish: Callable[[RunningTrial], None]
) -> list[RunningTrial]:
    """Finish the cells that failed, and return the others."""
    for cell in cells:
        if cell.failed:
            finish(cell)
    return [cell for cell in cells if not cell.failed]


def _is_beaten(study: Study, cell: RunningTrial, repeats: int) -> bool:
    """Return whether a cell is worse than the leader on its first repeats; note why, if so."""
    cell.report(repeats)
    leader = max(completed(study), key=lambda trial: cell.study.sign * trial.user_attrs["score"])
    # In a study of its own: somebody else's trial may be the best of ours.
    alone = create_study(direction=study.direction)
    alone.add_trial(leader)
    if not pruner().prune(alone, study._storage.get_trial(cell.trial.trial_id)):
        return False
    cell.given_up = (
        f"worse than trial {leader.number} after {repeats} repeats (Wilcoxon p < {P_THRESHOLD})"
    )
    return True
