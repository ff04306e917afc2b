"""The section on the published settings: what the same models gave us there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from storage.queries import RankedCell
from storage.trainings import Value
from studies.display.words import plus_minus
from studies.report.choice import model_order
from studies.report.page import gap, table
from studies.report.published import FAR, against_published, is_far, published, reruns
from studies.report.runs import PUBLISHED, ModelRun
from studies.report.statistics import Gap, Summary

NOT_NUMBERS = 1.0
"""Distance of two values that are not both numbers."""


@dataclass(frozen=True)
class Replication:
    """A model at the published parameters, or at the nearest to them."""

    run: ModelRun
    parameters: str
    summary: Summary
    """Of the objective."""
    is_rerun: bool
    """Whether these are reruns of just the published parameters; else it is a search's cell."""

    @property
    def difference(self) -> Gap:
        """Our mean there minus the published one, with the standard error of both."""
        return against_published(self.run, self.summary)

    @property
    def source(self) -> str:
        """What was measured, in words."""
        kind = "reruns" if self.is_rerun else "repeats of a cell"
        if self.is_rerun and self.run.dead:
            kind += f" ({self.run.dead} no better than guessing)"
        return f"{self.summary[2]} {kind}"


def replications(runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun]) -> Iterator[Replication]:
    """Yield one for each model of which something is published, if it was trained there.

    Reruns at the published parameters come before the cells of the searches in `chosen`.
    """
    usual = next(iter(chosen.values()))
    for model in model_order(runs):
        there = [
            run
            for run in runs
            if run.model == model and run.protocol["search"] == PUBLISHED
            and not run.missing and run.published and not run.trained_otherwise(usual)
        ]  # fmt: skip
        if there:
            parameters = there[0].text(there[0].result.parameters)
            yield Replication(there[0], parameters, reruns(there[0]), is_rerun=True)
        elif model in chosen and chosen[model].published:
            yield from _of_nearest_cell(chosen[model])


def _of_nearest_cell(run: ModelRun) -> Iterator[Replication]:
    """Yield the cell with most published values, of these the one with the smallest difference.

    At most one value may differ.
    """
    wanted: Mapping[str, Value] = run.published["parameters"]

    def distances(cell: RankedCell) -> tuple[float, ...]:
        return tuple(_distance(cell.parameters.get(name), wanted[name]) for name in wanted)

    def place(cell: RankedCell) -> tuple[int, tuple[float, ...]]:
        return sum(distance > 0 for distance in distances(cell)), distances(cell)

    cells = [
        cell
        for group in run.cells.values()
        for cell in group
        if cell.state == "COMPLETE" and cell.mean is not None and place(cell)[0] <= 1
    ]
    if cells and run.protocol["select_on"] == "test":
        cell = min(cells, key=place)
        summary = cell.mean or 0.0, cell.deviation, cell.runs
        yield Replication(run, run.text(cell.parameters), summary, is_rerun=False)


def _distance(value: Value | None, wanted: Value) -> float:
    if value == wanted:
        return 0.0
    if value is None or isinstance(value, str) or isinstance(wanted, str):
        return NOT_NUMBERS
    return abs(value - wanted)


def replication_section(runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun]) -> str:
    """Return a table, and a sentence on each model whose winner is far from what is published."""
    known = list(replications(runs, chosen))
    if not known:
        return (
            "No training was at published parameters: an experiment with `--search published` "
            "reruns them."
        )
    names = ", ".join(known[0].run.names)
    titles = (
        "model", f"published {names}", "ours nearest", "measured", "ours", "published",
        "difference", "in s.e.",
    )  # fmt: skip
    winners = {model: run for model, run in chosen.items() if run.searches and is_far(run)}
    explained = [(there, winners[m]) for there in known if (m := there.run.model) in winners]
    return "\n\n".join(
        [
            "What our trainings gave at the published parameters: in reruns of just these "
            "(`--search published`), or else in the cell of our search that is nearest to them. "
            "± is the standard deviation, for the difference the standard error (s.e.).",
            table(titles, map(_row, known)),
            *(_explained(*pair) for pair in explained),
        ]
    )


def _row(there: Replication) -> Sequence[str]:
    mean, deviation, _ = published(there.run)
    errors = there.difference.in_errors
    return (
        there.run.model,
        there.run.text(there.run.published["parameters"]),
        there.parameters,
        there.source,
        plus_minus(*there.summary[:2], 3),
        plus_minus(mean, deviation, 3),
        gap(there.difference),
        "-" if errors is None else f"{errors:+.1f}",
    )


def _explained(there: Replication, winner: ModelRun) -> str:
    """Return how far a winner is from the published objective, and what its settings give."""
    difference = there.difference.value
    verdict = "within" if abs(difference) <= FAR else "not within"
    where = "At the published settings" if there.is_rerun else f"In the cell {there.parameters}"
    return (
        f"**{winner.model}**: our winner, {winner.text(winner.result.parameters)}, is "
        f"{against_published(winner).value:+.3f} from what is published. {where} ours is "
        f"{difference:+.3f} from it, {verdict} {FAR:g}."
    )
