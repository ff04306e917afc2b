"""What settling a search takes, and how often it finds the best cell, beside racing.

    python -m tests.benchmarks.settle [--draws 100] [--csv docs/results/training_runs.csv]

From the published trainings, of all searches that are recorded whole, with ten repeats a cell:
in each draw the repeats are drawn with replacement, the same for all cells, so that the best cell
is known: it is that of the best recorded mean. Nothing is trained.
"""

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata

from studies.certainty import contenders, largest_gap, luck
from studies.experiment.checks import FIRST_REPEATS
from studies.experiment.definition import Experiment
from studies.experiment.study import chain, grid_study
from studies.experiment.training import Parameters
from studies.paper import experiment
from studies.search.racing import P_THRESHOLD

Values = NDArray[np.float64]
"""By cell and repeat."""

REPEATS = 10


def full_grids(path: Path) -> Iterator[tuple[str, Values]]:
    """Yield the searches that are recorded whole, by name; a second stage at its first's winner.

    Models with the same first stage, such as SiameseMLP and AuxsiameseMLP at alpha 0, have it once.
    """
    csv.field_size_limit(sys.maxsize)
    chosen, by_cell = experiment(), defaultdict[object, dict[int, float]](dict)
    with path.open() as file:
        for row in csv.DictReader(file):
            if not row["rerun_of"] and row["status"] == "ok" and row["auxiliary"] != "logits":
                parameters = {name: float(row[name]) for name in chosen.grid if row[name]}
                by_cell[_key(row["model"], parameters)][int(row["seed"])] = float(row["accuracy"])
    done = set[tuple[object, ...]]()
    for model in chosen.models:
        won: Parameters | None = None
        for stage in chain(chosen, model)[:-1]:
            study = grid_study(chosen, model, stage, won)
            cells = [cell.parameters for cell in study.cells()]
            keys = tuple(_key(*study.recorded_as(parameters)) for parameters in cells)
            if any(set(range(REPEATS)) - by_cell[key].keys() for key in keys):
                break
            values = np.array([[by_cell[key][seed] for seed in range(REPEATS)] for key in keys])
            won = cells[int(np.argmax(np.mean(values, axis=1)))]
            if keys not in done:
                yield f"{model}/{stage}", values
            done.add(keys)


def _key(model: str, parameters: Parameters) -> object:
    return model, frozenset(parameters.items())


def raced(values: Values) -> tuple[list[int], int]:
    """Return the cells that a race leaves, and how many trainings it took: `studies.search.racing`.

    The test is that of Optuna's WilcoxonPruner.
    """
    repeats = values.shape[1]
    leader = int(np.argmax(np.mean(values[:, :FIRST_REPEATS], axis=1)))
    left = [row for row in range(len(values)) if row != leader]
    trainings = repeats + FIRST_REPEATS * len(left)
    for n in range(FIRST_REPEATS, repeats):
        gaps = values[left, :n] - values[leader, :n]
        p = _p_values(gaps)
        is_beaten = (p < P_THRESHOLD) & (
            np.mean(values[left, :n], axis=1) < np.mean(values[leader])
        )
        left = [row for row, beaten in zip(left, is_beaten, strict=True) if not beaten]
        trainings += len(left)
        if not left:
            break
    return sorted([leader, *left]), trainings


def _p_values(gaps: Values) -> Values:
    """Return the one-sided p-values of signed-rank tests, by row: from all signs of the ranks.

    So does SciPy, a thousand times slower.
    """
    ranks = rankdata(np.round(np.abs(gaps), 6), axis=1) * (np.abs(gaps) > 1e-6)
    repeats = gaps.shape[1]
    signs = np.arange(2**repeats)[:, None] >> np.arange(repeats) & 1
    observed = np.sum(ranks * (gaps > 0), axis=1)
    return np.asarray(np.mean(signs @ ranks.T <= observed + 1e-9, axis=0))


def settled(values: Values, left: list[int], chosen: Experiment) -> tuple[list[int], int, int]:
    """Return the last contenders, the winner first, the trainings and studies beyond the first.

    `left` are the cells of the search that are complete, `values` those of all repeats.
    """
    rows, trainings, studies, repeats = left, 0, 0, chosen.repeats
    for following in (*chosen.rounds, None):
        known = values[rows, :repeats]
        order = np.argsort(-np.mean(known, axis=1), kind="stable")
        rows, known = [rows[i] for i in order], known[order]
        kept = contenders(known, chosen.looks)
        rows, known = [rows[i] for i in kept], known[kept]
        if following is None or len(rows) < 2 or _is_alike(known, chosen):
            break
        trainings += len(rows) * (following - repeats)
        studies, repeats = studies + 1, following
    return rows, trainings, studies


def _is_alike(known: Values, chosen: Experiment) -> bool:
    """Return whether contenders, the winner first, are shown to differ by less than the margin."""
    if np.mean(known[0] - known[-1]) >= chosen.margin:
        # The bound is more than that, and takes a while.
        return False
    gap = largest_gap(known, luck(known, "mean"), "mean", range(len(known)), chosen.looks)
    return gap is not None and gap < chosen.margin


def main() -> None:
    """Print a row for each search, and the means of all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.settle")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--csv", type=Path, default=Path("docs/results/training_runs.csv"))
    parser.add_argument("--settle", type=int, default=40)
    arguments = parser.parse_args()
    chosen = experiment(settle=arguments.settle)
    ways = ("grid", "racing", "settle", "both")
    table = Table("search", *ways, *(f"{way} best" for way in ways), "held", "studies", box=None)
    means = []
    for name, recorded in full_grids(arguments.csv):
        random, rows = np.random.default_rng(0), []
        truth = np.mean(recorded, axis=1)
        is_best = truth > np.max(truth) - 1e-9
        for _ in range(arguments.draws):
            values = recorded[:, random.integers(REPEATS, size=arguments.settle)]
            first = values[:, :REPEATS]
            race, of_race = raced(first)
            grid = list(range(len(first)))
            whole, more, studies = settled(values, grid, chosen)
            both, more_of_race, _ = settled(values, race, chosen)
            scores = np.mean(first, axis=1)
            winners = (int(np.argmax(scores)), max(race, key=lambda row: scores[row]))
            winners = (*winners, whole[0], both[0])
            rows.append((
                first.size, of_race, first.size + more, of_race + more_of_race,
                *(is_best[winner] for winner in winners), np.any(is_best[whole]), studies,
            ))  # fmt: skip
        means.append(np.mean(np.array(rows, float), axis=0))
        _add(table, name, means[-1])
    _add(table, "mean", np.mean(means, axis=0))
    Console(width=120).print(table)


def _add(table: Table, name: str, row: Values) -> None:
    counts, shares, studies = row[:4], row[4:-1], row[-1]
    table.add_row(
        name, *(f"{n:.0f}" for n in counts), *(f"{s:.0%}" for s in shares), f"{studies:.1f}"
    )


if __name__ == "__main__":
    main()
