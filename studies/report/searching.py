"""The section on the searches: winners, how certain they are, and what they promised."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from storage.measurements import RankedCell
from studies.edges import edges
from studies.paper import GUESSING
from studies.report.markdown import gap, parameters, table
from studies.report.results import KEY, ModelRun
from studies.report.statistics import Gap, paired_gap, unpaired_gap

Rows = Sequence[Mapping[str, Any]]
"""Of `training_runs`."""


def searches_section(runs: Iterable[ModelRun], rows: Rows) -> str:
    """Each search's winner and runner-up, and how the winners fared on fresh seeds."""
    runs = [run for run in runs if run.searches]
    if not runs:
        return "Nothing was searched: these models were trained at the paper's settings."
    stages = [_stage_row(run, stage) for run in runs for stage in run.searches]
    titles = (
        "study",
        "winner",
        "accuracy",
        "runner-up",
        "gap",
        "in s.e.",
        "diverged",
        "dead",
        "edge",
    )
    promises = [
        (run.model, f"{before:.4f}", f"{run.result.mean_accuracy:.4f}", gap(optimism(run, rows)))
        for run in runs
        if (before := _mean(accuracies_on_test(run, rows))) is not None
    ]
    parts = [
        "Cells are learning rate, batch size, alpha. The gap is the winner's mean minus the "
        "runner-up's, paired by seed, ± its standard error (s.e.): below 2 the winner is hardly "
        "more than one of several. One repeat has no standard error. Dead trainings ended no "
        f"better than guessing (accuracy up to {GUESSING:g}); they count, and one can decide a "
        "cell's mean: the table has their number in all cells, and in the winner's and the "
        "runner-up's where there are any.",
        table(titles, stages),
    ]
    if any(run.protocol["select_on"] != "test" for run in runs):
        parts.append("Accuracies of searches that select on validation are validation accuracies.")
    if promises:
        parts += [
            "Optimism: test accuracy of the winner's cell in the search minus that of its reruns, "
            "± the standard error. A winner that was chosen for its luck falls back.",
            table(("model", "search", "reruns", "optimism"), promises),
        ]
    return "\n\n".join(parts)


def _stage_row(run: ModelRun, stage: str) -> tuple[str, ...]:
    cells = run.cells[stage]
    ranked = [each for each in cells if each.state == "COMPLETE" and each.accuracies]
    winner = ranked[0]
    second = ranked[1] if len(ranked) > 1 else None
    lead = None if second is None else winners_lead(winner, second)
    errors = None if lead is None else lead.in_errors
    return (
        f"{run.model}/{stage}",
        _cell(winner),
        "-" if winner.mean_accuracy is None else f"{winner.mean_accuracy:.4f}",
        "-" if second is None else _cell(second),
        "-" if lead is None else gap(lead),
        "-" if errors is None else f"{errors:.1f}",
        str(sum(each.state == "DIVERGED" for each in cells)),
        dead_trainings(cells, ranked[:2]),
        "; ".join(edges(run.space(stage), winner)) or "-",
    )


def dead_trainings(cells: Sequence[RankedCell], leaders: Sequence[RankedCell]) -> str:
    """Return how many trainings of all cells learned nothing, and how many of the first two."""
    total, leading = (
        sum(accuracy <= GUESSING for cell in group for accuracy in cell.accuracies)
        for group in (cells, leaders)
    )
    return f"{total} ({leading} in the first two)" if leading else str(total)


def _cell(cell: RankedCell) -> str:
    return parameters(cell.learning_rate, cell.batch_size, cell.alpha)


def winners_lead(winner: RankedCell, second: RankedCell) -> Gap:
    """The gap between two cells over the seeds that both have."""
    common = min(len(winner.accuracies), len(second.accuracies))
    return paired_gap(winner.accuracies[:common], second.accuracies[:common])


def accuracies_on_test(run: ModelRun, rows: Rows) -> list[float]:
    """Test accuracies of the winner's cell in the search, also where that chose by validation."""
    winner = run.winner
    if run.protocol["select_on"] == "test":
        return list(winner.accuracies)
    keys = set(run.rows_of(winner))
    by_seed = {
        row["seed"]: row["accuracy"]
        for row in rows
        if tuple(row[name] for name in KEY) in keys
        and row["rerun_of"] is None
        and row["seed"] < run.protocol["repeats"]
    }
    return [accuracy for accuracy in by_seed.values() if accuracy is not None]


def optimism(run: ModelRun, rows: Rows) -> Gap:
    """The winner's test accuracy in the search minus that of its reruns, on other seeds."""
    before = accuracies_on_test(run, rows)
    after = run.result
    return unpaired_gap(
        (fmean(before), stdev(before) if len(before) > 1 else None, len(before)),
        (after.mean_accuracy, after.std_accuracy, after.reruns),
    )


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
