"""How sure the winner of a search is: which cells cannot be told from it, and if it wins again.

Arrays have the shape (cells, repeats): in rows the cells, ranked, the winner first; in columns the
repeats on equal seeds. More is better in them. The same values give the same answer, every time.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from storage.cells import DECIDED
from storage.rows import Certainty, RankedCell, StudyAttributes, kept_certainty

Values = NDArray[np.float64]

SIGNIFICANT = 0.04
"""Less than the 5% of a set that holds the best cell with 95%: differences are not quite symmetric,
as the test takes them to be."""

POWERFUL: float = (1.960 + 0.842) ** 2
"""A two-sided test at 5% finds a mean so far from 0, in squared standard errors, with a power of
80%; a t-test needs `STUDENTS` repeats more."""
STUDENTS: float = 1.960**2 / 2

EXACT = 10
"""Repeats up to which all signs are gone through; of more repeats, as many signs are drawn."""

DRAWS = 5000
"""Of seeds; a share has a standard error of 0.7 points at most."""

LEAST = 5
"""Repeats that can tell cells apart, or show that they hardly differ."""

MOST = 250
"""Cells that are compared, the best ones: the time grows with the square of their number."""


def contenders(values: Values, looks: int = 1) -> list[int]:
    """Return the rows that cannot be told from the winner, itself among them, in their order.

    The best cell is among them with a probability of 95%, whichever it is: a cell is left out where
    it is worse than one that ranks before it by more than a cell that is the best would be by
    chance in 19 of 20 searches (max-t sign-flip test: for a cell that is as good as all others, the
    differences of a seed are as likely to have the other sign). Signs alone are turned, so that a
    cell that is worse on all seeds is told from the winner also where one of its networks died.
    Where more repeats may follow, so that cells are compared up to so many times (`looks`), the 95%
    hold for all times together: each has its share of the error (Bonferroni).
    """
    signs, significant = _signs(values.shape[1]), SIGNIFICANT / looks
    return [row for row in range(len(values)) if _may_be_best(values, row, signs, significant)]


def _may_be_best(values: Values, row: int, signs: NDArray[np.float32], significant: float) -> bool:
    if row == 0:
        return True
    differences = np.delete(values, row, axis=0) - values[row]
    sizes = np.sqrt(np.sum(differences**2, axis=1, keepdims=True))
    # Their sum has a standard deviation of 1 over all signs.
    differences = (differences / np.where(sizes > 0, sizes, 1)).astype(np.float32)
    lag = np.max(np.sum(differences[:row], axis=1))
    by_chance = np.max(signs @ differences.T, axis=1)
    return bool(np.mean(by_chance > lag - 1e-5) > significant)


def _signs(repeats: int) -> NDArray[np.float32]:
    """Return rows of signs for the repeats, a row that changes none of them included."""
    if repeats <= EXACT:
        numbers = np.arange(2**repeats)[:, None]
        return np.where(numbers >> np.arange(repeats) & 1, -1, 1).astype(np.float32)
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (2**EXACT, repeats))
    signs[0] = 1
    return signs


def luck(values: Values, rank_by: str) -> Values:
    """Return by how much the scores of cells differ on other seeds: shape (cells, draws).

    Seeds are drawn with replacement, the same for all cells, so that equal cells are equally lucky.
    Redrawn medians of few values take few values themselves. So the luck of a median is that of the
    mean of clipped values, times the ratio of the two standard errors for normal values.
    """
    repeats, factor = values.shape[1], 1.0
    if rank_by == "median":
        middle = np.median(values, axis=1, keepdims=True)
        # Twice the standard deviation of a usual cell, were it normal.
        most = 3 * np.median(np.median(np.abs(values - middle), axis=1))
        values, rank_by = np.clip(values, middle - most, middle + most), "mean"
        factor = math.sqrt(math.pi / 2)
    draws = np.random.default_rng(0).integers(repeats, size=(DRAWS, repeats))
    # In parts, as all draws of a large grid take gigabytes.
    parts = [scores(values[:, part], rank_by) for part in np.array_split(draws, 20)]
    redrawn = np.concatenate(parts, axis=1)
    redrawn -= np.mean(redrawn, axis=1, keepdims=True)
    # What is drawn from n values varies less than its source.
    return factor * math.sqrt(repeats / (repeats - 1)) * redrawn


def scores(values: Values, rank_by: str) -> Values:
    """Return what ranks cells by a rule of `Experiment.rank_by`, from the last axis of values."""
    if rank_by == "median":
        return np.asarray(np.median(values, axis=-1))
    means = np.asarray(np.mean(values, axis=-1))
    if rank_by == "mean":
        return means
    return means - np.asarray(np.std(values, axis=-1, ddof=1)) / math.sqrt(values.shape[-1])


def win_again(values: Values, lucks: Values, rank_by: str, rows: Sequence[int]) -> float:
    """Return how probable it is that the winner wins on new seeds; it shares wins with its equals.

    A winner owes part of its lead to luck. So the scores of the contenders, which are in `rows`,
    first move together by the share of their spread that luck explains (empirical Bayes): where
    that is all of it, each of them is as likely to win.
    """
    expected = scores(values, rank_by)[:, None]
    if len(rows) > 1:
        middle, spread = np.mean(expected[rows]), np.var(expected[rows], ddof=1)
        # Without what all of them share.
        own = lucks[rows] - np.mean(lucks[rows], axis=0)
        by_luck = np.sum(np.mean(own**2, axis=1)) / (len(rows) - 1)
        real = 1 - by_luck / spread if spread > by_luck else 0.0
        expected[rows] = middle + real * (expected[rows] - middle)
    new = expected + lucks
    best = np.max(new, axis=0)
    wins = new >= best - 1e-9 * np.abs(best)
    return float(np.mean(wins[0] / np.sum(wins, axis=0)))


def repeats_to_settle(values: Values, lucks: Values, rank_by: str) -> int | None:
    """Return about how many repeats tell the winner from the runner-up with a power of 80%.

    None where there is no runner-up, or nothing between the two.
    """
    if len(values) < 2:
        return None
    first, second = scores(values[:2], rank_by)
    gap = float(first - second)
    if gap <= 1e-9 * abs(float(first)):
        return None
    of_one_repeat = float(np.var(lucks[0] - lucks[1])) * values.shape[1]
    needed: float = POWERFUL * of_one_repeat / gap**2 + STUDENTS
    return math.ceil(needed)


def largest_gap(
    values: Values, lucks: Values, rank_by: str, rows: Sequence[int], looks: int = 1
) -> float | None:
    """Return a bound of how far contenders, in `rows`, are behind the winner, the first of them.

    With a probability of 95% all gaps, whichever sign they have, are less: the largest of the
    standardised differences on new seeds gives the width (max-t bootstrap, widened as Student's t
    is for few repeats), divided among the looks as in `contenders`. None where there is no other
    contender, or too few repeats tell.
    """
    repeats = values.shape[1]
    if len(rows) < 2 or repeats < LEAST:
        return None
    expected, of_winner = scores(values[rows], rank_by), lucks[rows[0]]
    luck_of_gaps = of_winner - lucks[rows[1:]]
    errors = np.std(luck_of_gaps, axis=1)
    standardised = np.abs(luck_of_gaps) / np.where(errors > 0, errors, 1)[:, None]
    width = float(np.quantile(np.max(standardised, axis=0), 1 - SIGNIFICANT / looks))
    width += (width**3 + width) / (4 * (repeats - 1))
    return float(np.max(expected[0] - expected[1:] + width * errors))


def certainty(
    cells: Sequence[RankedCell], sign: int, rank_by: str, looks: int = 1
) -> Certainty | None:
    """Return how sure the winner of ranked cells is; None where no cell has a result.

    `sign` is -1 where less is better; `looks` as in `contenders`. Cells with fewer repeats than the
    winner have lost already: a race gave them up, or they diverged.
    """
    ranked = [cell for cell in cells if cell.state == "COMPLETE" and cell.values]
    if not ranked:
        return None
    repeats = len(ranked[0].values)
    compared = [cell for cell in ranked if len(cell.values) >= repeats][:MOST]
    if repeats < 2:
        return Certainty(repeats, tuple(cell.name for cell in compared), None, None)
    values = sign * np.array([cell.values[:repeats] for cell in compared], np.float64)
    rows, lucks = contenders(values, looks), luck(values, rank_by)
    return Certainty(
        repeats,
        tuple(compared[row].name for row in rows),
        win_again(values, lucks, rank_by, rows),
        repeats_to_settle(values, lucks, rank_by),
        largest_gap(values, lucks, rank_by, rows, looks),
    )


def certainty_of(study: StudyAttributes, cells: Sequence[RankedCell]) -> Certainty | None:
    """Return what a study keeps of its certainty; computed where an older version completed it.

    None while a cell is undecided.
    """
    grid = study.attributes.get("grid")
    known = kept_certainty(study.attributes)
    if known is not None or not isinstance(grid, dict) or "extends" in study.attributes:
        return known
    if sum(cell.state in DECIDED for cell in cells) < math.prod(map(len, grid.values())):
        return None
    rank_by = study.attributes.get("protocol", {}).get("rank_by", "mean")
    return certainty(cells, study.sign, rank_by)
