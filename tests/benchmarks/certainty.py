"""How often the contenders hold the best cell, and how many there are, on made-up grids.

    python -m tests.benchmarks.certainty [--draws 1000] [--rank-by mean] [--settle]

An accuracy is that of its cell, plus the luck of the seed, which all cells share, plus its own. Of
some trainings the network dies. In each draw of the seeds a winner is chosen, as a search does.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from studies.certainty import contenders, luck, scores, win_again

SEED_LUCK, OWN_LUCK = 0.008, 0.0127
"""Standard deviations; together 0.015."""
DEAD = 0.55
"""Accuracy of a dead network, about."""

LEAD = np.array([0.0, 0.002, 0.004, 0.006, 0.008])
GRIDS = {
    "all 20 equal": np.zeros(20),
    "steps of 0.001": -0.001 * np.arange(20),
    "steps of 0.005": -0.005 * np.arange(20),
    "5 close, 15 far": -np.concatenate([LEAD, np.linspace(0.03, 0.1, 15)]),
    "2 equal, 18 behind by 0.02": -np.array([0.0] * 2 + [0.02] * 18),
    "1 ahead by 0.01": -np.array([0.0] + [0.01] * 19),
    "11 in steps of 0.002": -0.002 * np.arange(11),
}
"""What cells lack of the best one, which comes first."""


@dataclass(frozen=True)
class Coverage:
    """Shares of draws, and means over them."""

    holds_best: float
    """Share of draws in which the best cell is a contender."""
    contenders: float
    won: float
    """Share of draws that the best cell wins."""
    wins_again: float
    """Mean of what is expected of the winner on new seeds."""
    won_again: float
    """Share of draws in which new seeds have the same winner."""


def made_up(
    behind: NDArray[np.float64], repeats: int, dead: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Return accuracies by cell and repeat, as counts of 1,000 pairs."""
    shape = (len(behind), repeats)
    values = 0.85 + behind[:, None] + random.normal(0, SEED_LUCK, repeats)
    values = values + random.normal(0, OWN_LUCK, shape)
    died = random.random(shape) < dead
    return np.round(np.where(died, random.normal(DEAD, 0.01, shape), values), 3)


def coverage(
    behind: NDArray[np.float64], repeats: int, dead: float, draws: int, rank_by: str = "mean"
) -> Coverage:
    """Draw seeds so many times."""
    random = np.random.default_rng(len(behind) + repeats)
    rows, expected = [], []
    for draw in range(draws):
        values, fresh = (made_up(behind, repeats, dead, random) for _ in range(2))
        ranked = np.argsort(-scores(values, rank_by), kind="stable")
        values = values[ranked]
        kept = contenders(values)
        again = np.argmax(scores(fresh, rank_by)) == ranked[0]
        rows.append((0 in ranked[kept], len(kept), ranked[0] == 0, again))
        # It takes as long as all else together, and varies less.
        if draw % 4 == 0:
            expected.append(win_again(values, luck(values, rank_by), rank_by, kept))
    held, count, won, won_again = (float(mean) for mean in np.mean(rows, axis=0))
    return Coverage(held, count, won, float(np.mean(expected)), won_again)


LOOKS = (10, 20, 40)
"""Repeats of the contenders, one look at them after the other, as with `--settle 40`."""


def settled(behind: NDArray[np.float64], dead: float, draws: int) -> tuple[float, float, float]:
    """Return how often the best cell is left after all looks, and wins, and how many are left.

    Stages end early where one cell is left, and never by the margin: it asks for more looks.
    """
    random = np.random.default_rng(len(behind))
    ends = []
    for _ in range(draws):
        values = made_up(behind, LOOKS[-1], dead, random)
        rows = np.arange(len(behind))
        for repeats in LOOKS:
            seen = values[rows, :repeats]
            ranked = np.argsort(-scores(seen, "mean"), kind="stable")
            rows = rows[ranked[contenders(seen[ranked], len(LOOKS))]]
            if len(rows) == 1:
                break
        ends.append((0 in rows, rows[0] == 0, len(rows)))
    held, won, left = (float(mean) for mean in np.mean(ends, axis=0))
    return held, won, left


def print_settled(draws: int) -> None:
    """Print what settling makes of each grid."""
    table = Table("grid", "best left", "best won", "cells left", box=None)
    for name, behind in GRIDS.items():
        held, won, left = settled(behind, 0.005, draws)
        table.add_row(name, f"{held:.1%}", f"{won:.0%}", f"{left:.1f}")
    Console(width=100).print(table)


def main() -> None:
    """Print a row for each grid."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.certainty")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--rank-by", default="mean")
    parser.add_argument("--settle", action="store_true")
    arguments = parser.parse_args()
    if arguments.settle:
        print_settled(arguments.draws)
        return
    titles = ("grid", "repeats", "dead", "best held", "contenders", "best won", "again", "measured")
    table = Table(*titles, box=None)
    cases = [(name, 10, 0.005) for name in GRIDS]
    cases += [("5 close, 15 far", repeats, 0.005) for repeats in (5, 20, 40)]
    cases += [(name, 10, dead) for name in list(GRIDS)[::3][:2] for dead in (0.0, 0.02)]
    for name, repeats, dead in cases:
        row = coverage(GRIDS[name], repeats, dead, arguments.draws, arguments.rank_by)
        shares = (row.won, row.wins_again, row.won_again)
        table.add_row(
            name, str(repeats), f"{dead:.1%}", f"{row.holds_best:.1%}", f"{row.contenders:.1f}",
            *(f"{share:.0%}" for share in shares),
        )  # fmt: skip
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
