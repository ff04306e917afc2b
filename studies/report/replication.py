"""The section on the paper's own settings: what the same models gave us there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from studies.paper import PAPER
from studies.protocol import PUBLISHED
from studies.report.headline import FAR, PAPER_RERUNS, against_paper, is_far
from studies.report.markdown import gap, parameters, table
from studies.report.results import ModelRun
from studies.report.statistics import Gap, unpaired_gap
from studies.wording import plus_minus


@dataclass(frozen=True)
class Replication:
    """A model at the paper's learning rate and batch size, and at its alpha or the nearest to it.

    Accuracies are on test pairs.
    """

    run: ModelRun
    settings: str
    mean: float
    deviation: float | None
    count: int
    is_rerun: bool
    """Whether these are reruns of just the paper's settings; else it is the cell of a search."""

    @property
    def against_paper(self) -> Gap:
        """Our mean accuracy there minus the paper's, with the standard error of both."""
        published = PAPER[self.run.model]
        return unpaired_gap(
            (self.mean, self.deviation, self.count),
            (published.accuracy, published.accuracy_deviation, PAPER_RERUNS),
        )

    @property
    def source(self) -> str:
        """What was measured, in words."""
        kind = "reruns" if self.is_rerun else "repeats of a cell"
        if self.is_rerun and self.run.dead:
            kind += f" ({self.run.dead} no better than guessing)"
        auxiliary = f", {self.run.protocol['auxiliary']}" if self.run.has_alpha else ""
        return f"{self.count} {kind}{auxiliary}"


def replications(runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun]) -> Iterator[Replication]:
    """Yield one for each model that has one, in the paper's order.

    Reruns at the paper's settings come before the cells of the searches in `chosen`, and among them
    those under its own auxiliary loss.
    """
    usual = {run.comparable for run in chosen.values()}
    for model in PAPER:
        reruns = [
            run
            for run in runs
            if run.model == model and run.protocol["search"] == PUBLISHED
            and not run.missing and run.comparable in usual
        ]  # fmt: skip
        reruns.sort(key=lambda run: run.protocol["auxiliary"] != "softmax")
        if reruns:
            yield _of_reruns(reruns[0])
        elif model in chosen:
            yield from _of_nearest_cell(chosen[model])


def _of_reruns(run: ModelRun) -> Replication:
    result = run.result
    settings = parameters(result.learning_rate, result.batch_size, result.alpha)
    measured = result.mean_accuracy, result.std_accuracy, result.reruns
    return Replication(run, settings, *measured, is_rerun=True)


def _of_nearest_cell(run: ModelRun) -> Iterator[Replication]:
    published = PAPER[run.model]
    place = published.learning_rate, published.batch_size
    there = [
        cell
        for cells in run.cells.values()
        for cell in cells
        if cell.state == "COMPLETE" and (cell.learning_rate, cell.batch_size) == place
    ]
    if there and run.protocol["select_on"] == "test":
        wanted = published.alpha or 0.0
        cell = min(there, key=lambda cell: abs((cell.alpha or 0.0) - wanted))
        settings = parameters(cell.learning_rate, cell.batch_size, cell.alpha)
        measured = cell.mean_accuracy or 0.0, cell.std_accuracy, cell.runs
        yield Replication(run, settings, *measured, is_rerun=False)


def replication_section(runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun]) -> str:
    """A table of all models, and a sentence on each whose winner is far from the paper's."""
    found = list(replications(runs, chosen))
    if not found:
        return (
            "No training was at the paper's learning rates and batch sizes: "
            "`python -m studies.run all --search published` does them."
        )
    titles = (
        "model", "its settings", "ours nearest", "measured", "ours", "the paper's", "difference",
        "in s.e.",
    )  # fmt: skip
    winners = {model: run for model, run in chosen.items() if run.searches and is_far(run.result)}
    return "\n\n".join(
        [
            "What our trainings gave at the paper's learning rate, batch size and alpha: in reruns "
            "of just these settings (`--search published`), or else in the cell of our search that "
            "is nearest to them. ± is the standard deviation, for the difference the standard "
            "error (s.e.).",
            table(titles, map(_row, found)),
            *(_explained(each, winners[m]) for each in found if (m := each.run.model) in winners),
        ]
    )


def _row(each: Replication) -> Sequence[str]:
    published, difference = PAPER[each.run.model], each.against_paper
    errors = difference.in_errors
    return (
        each.run.model,
        parameters(published.learning_rate, published.batch_size, published.alpha),
        each.settings,
        each.source,
        plus_minus(each.mean, each.deviation, 3),
        plus_minus(published.accuracy, published.accuracy_deviation, 3),
        gap(difference),
        "-" if errors is None else f"{errors:+.1f}",
    )


def _explained(there: Replication, winner: ModelRun) -> str:
    """Say how far a winner is from the paper's accuracy, and how far its settings are."""
    result, difference = winner.result, there.against_paper.value
    ours = parameters(result.learning_rate, result.batch_size, result.alpha)
    verdict = "within" if abs(difference) <= FAR else "not within"
    where = "At the paper's settings" if there.is_rerun else f"In the cell {there.settings}"
    loss = there.run.protocol["auxiliary"]
    under = "" if loss == winner.protocol["auxiliary"] else f", under its auxiliary loss {loss},"
    return (
        f"**{result.model}**: our winner, {ours}, is {against_paper(result).value:+.3f} from the "
        f"paper's accuracy. {where}{under} ours is {difference:+.3f} from it, {verdict} {FAR:g}."
    )
