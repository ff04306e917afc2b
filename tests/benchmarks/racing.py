"""What racing saves, and how often it finds the winner of the full grid.

    python -m tests.benchmarks.racing [--storage URL] [--experiment NAME] [--orders 200]

Runs the product's race over the searches of a store that are complete, with what is recorded in
place of trainings. In each bootstrap order the repeats are drawn with replacement, the same for all
cells. A race has found the winner where its own is that of the full grid on the same draws, or
where the recorded repeats can't tell the two apart (Wilcoxon signed-rank, p > 0.05).
"""

import argparse
import random
import statistics
from collections.abc import Sequence
from functools import partial

import optuna
from optuna.trial import TrialState
from rich.console import Console
from rich.table import Table
from scipy.stats import wilcoxon

from storage.trainings import TrainingRun
from storage.trials import OpenTrial, begin_trial
from storage.urls import DEFAULT_STORAGE
from studies.experiment.study import GridStudy, grid_study
from studies.paper import experiment
from studies.search.grid_sampler import Grid
from studies.search.racing import race
from studies.search.trial import RunningTrial

Recorded = list[list[float]]
"""The accuracies of each cell, by repeat."""


def full_grids(storage: str, experiment: str) -> dict[str, Recorded]:
    """The complete searches of an experiment, by name."""
    found = {}
    store = optuna.storages.RDBStorage(storage)
    for study in optuna.get_all_study_summaries(store):
        its_experiment, _, stage = study.study_name.split("/")
        if its_experiment != experiment or stage == "rerun":
            continue
        trials = optuna.load_study(study_name=study.study_name, storage=store).get_trials()
        complete = [each for each in trials if each.state is TrialState.COMPLETE]
        cells = [list(each.intermediate_values.values()) for each in complete]
        whole = complete and len(cells) == len(Grid(complete[0].system_attrs["search_space"]))
        if whole and all(len(each) == 10 for each in cells):
            found[study.study_name] = cells
    return found


def raced(cells: Recorded, order: Sequence[int]) -> tuple[int, int]:
    """The winner of a race over repeats in this order, and the trainings it took."""
    raced = grid_study(experiment(racing=True), "MLP", "lr-batch", None)
    store = optuna.storages.RDBStorage("sqlite://")
    study = optuna.create_study(direction="maximize", storage=store)
    seeds = dict.fromkeys(range(len(order)), "")

    def ask(place: int) -> OpenTrial:
        return begin_trial(store.engine, study._study_id, {}, {}, {}, {"place": place})

    running = [
        RunningTrial(raced, ask(place), seeds, {}, partial(ask, place))
        for place in range(len(cells))
    ]
    for round in race(study, running, RunningTrial.tell):
        for each, places in round:
            recorded = cells[each.trial.number]
            for place in places:
                each.runs[place] = _run(raced, place, recorded[order[place]])
    return study.best_trial.number, sum(len(each.runs) for each in running)


def _run(study: GridStudy, seed: int, accuracy: float) -> TrainingRun:
    numbers = {"accuracy": accuracy}
    return TrainingRun("", study.model, {}, seed, {}, None, "ok", numbers, 0, 0, 0, (), "", "")


def alike(cells: Recorded, one: int, other: int) -> bool:
    """Whether the recorded repeats can't tell two cells apart."""
    pairs = list(zip(cells[one], cells[other], strict=True))
    return all(a == b for a, b in pairs) or wilcoxon(*zip(*pairs, strict=True)).pvalue > 0.05


def main() -> None:
    """Race over every complete search, and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.racing")
    parser.add_argument("--storage", default=DEFAULT_STORAGE)
    parser.add_argument("--experiment", default="paper")
    parser.add_argument("--orders", type=int, default=200)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    table = Table("search", "cells", "saved", "same winner", "same or equal", box=None)
    for name, cells in full_grids(arguments.storage, arguments.experiment).items():
        draw = random.Random(0)
        saved, same, equal = [], 0, 0
        for _ in range(arguments.orders):
            order = [draw.randrange(10) for _ in range(10)]
            found, trainings = raced(cells, order)
            best = max(
                range(len(cells)), key=lambda i: statistics.fmean(cells[i][r] for r in order)
            )
            saved.append(1 - trainings / (10 * len(cells)))
            same += found == best
            equal += found == best or alike(cells, found, best)
        shares = (statistics.fmean(saved), same / arguments.orders, equal / arguments.orders)
        table.add_row(name, str(len(cells)), *(f"{share:.0%}" for share in shares))
    Console().print(table)


if __name__ == "__main__":
    main()
