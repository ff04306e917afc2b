"""The section on the published settings: what the same models gave us there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from storage.queries import RankedCell
from storage.trainings import Value
from studies.display.words import fixed, listed, plus_minus
from studies.report.choice import model_order, trained_otherwise
from studies.report.gaps import Gap, Summary, unpaired_gap
from studies.report.page import table
from studies.report.published import FAR, against_published, distance, is_far, published
from studies.report.runs import PUBLISHED, ModelRun
from studies.report.statistics import Estimate, unpaired

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
        return unpaired_gap(self.summary, published(self.run))

    @property
    def source(self) -> str:
        """What was measured, in words."""
        kind = "reruns" if self.is_rerun else "repeats of a cell"
        if self.is_rerun and self.run.dead:
            kind += f" ({self.run.dead} no better than guessing)"
        return f"{self.summary[2]} {kind}"


def replications(runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun]) -> Iterator[Replication]:
    """Yield the replication of each model that was trained at its published parameters, or near.

    Reruns at the published parameters come before the cells of the searches in `chosen`.
    """
    usual = next(iter(chosen.values()))
    reruns: dict[str, ModelRun] = {}
    for run in runs:
        is_there = run.protocol["search"] == PUBLISHED and run.published and not run.missing
        if is_there and not trained_otherwise(run, usual):
            reruns.setdefault(run.model, run)
    for model in model_order(runs):
        if model in reruns:
            run = reruns[model]
            yield Replication(run, run.text(run.result.parameters), run.summary, is_rerun=True)
        elif model in chosen and chosen[model].published:
            yield from _of_nearest_cell(chosen[model])


def _of_nearest_cell(run: ModelRun) -> Iterator[Replication]:
    """Yield the cell with most published values, of these the one with the smallest difference.

    At most one value may differ.
    """
    wanted: Mapping[str, Value] = run.published["parameters"]

    def place(cell: RankedCell) -> tuple[int, list[float]]:
        distances = [_distance(cell.parameters.get(name), value) for name, value in wanted.items()]
        return sum(distance > 0 for distance in distances), distances

    cells = [cell for group in run.cells.values() for cell in group if cell.state == "COMPLETE"]
    near = [cell for cell in cells if cell.mean is not None and place(cell)[0] <= 1]
    if near and run.protocol["select_on"] == "test":
        cell = min(near, key=place)
        summary = cell.mean or 0.0, cell.deviation, cell.runs
        yield Replication(run, run.text(cell.parameters), summary, is_rerun=False)


def _distance(value: Value | None, wanted: Value) -> float:
    if value == wanted:
        return 0.0
    if value is None or isinstance(value, str) or isinstance(wanted, str):
        return NOT_NUMBERS
    return abs(value - wanted)


def replication_section(runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun]) -> Iterator[str]:
    """Yield a table, and a sentence on each model whose winner is far from what is published."""
    if not any(run.published for run in runs):
        return
    yield "## At the published settings"
    known = list(replications(runs, chosen))
    if not known:
        yield (
            "No training was at published parameters: an experiment with --search published "
            "reruns them."
        )
        return
    yield (
        "What our trainings gave at the published parameters: in reruns of just these "
        "(--search published), or else in the cell of our search that is nearest to them. "
        "± is the standard deviation. Differences have Welch's intervals, which hold for all "
        "models of the table at once (95%), and are given in standard errors (s.e.) as well."
    )
    titles = (
        "model", f"published {', '.join(known[0].run.names)}", "ours nearest", "measured", "ours",
        "published", "difference", "in s.e.",
    )  # fmt: skip
    gaps = unpaired([(there.summary, published(there.run)) for there in known])
    yield table(titles, map(_row, known, gaps))
    for there in known:
        winner = chosen.get(there.run.model)
        if winner and winner.searches and is_far(winner):
            yield _explained(there, winner)


def replication(runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun]) -> Iterator[str]:
    """Yield a sentence on reruns at the published parameters, where there are any."""
    there = [known for known in replications(runs, chosen) if known.is_rerun]
    if not there:
        return
    by_model = against_published([known.run for known in there])
    marked = [f"{model} ({gap})" for model, gap in by_model.items() if gap.direction]
    single = [model for model, gap in by_model.items() if gap.low is None]
    furthest = max(by_model, key=lambda model: abs(by_model[model].value))
    verdict = f"{listed(marked)} clearly differ{'s' * (len(marked) == 1)} from what is published"
    if not marked:
        verdict = f"no model of {len(there)} clearly differs from what is published"
    if single:
        alone = f"one rerun cannot tell noise from a difference in {listed(single)}"
        verdict = f"{verdict}; {alone}" if len(single) < len(there) else alone
    (run,) = (known.run for known in there if known.run.model == furthest)
    dead = f"; {run.dead} of its {run.result.reruns} reruns ended no better than guessing"
    yield (
        f"**At the published parameters** {verdict}; the largest difference is {furthest}'s "
        f"({by_model[furthest]}{dead * bool(run.dead)})."
    )


def _row(there: Replication, difference: Estimate) -> Sequence[object]:
    errors = there.difference.in_errors
    return (
        there.run.model,
        there.run.text(there.run.published["parameters"]),
        there.parameters,
        there.source,
        plus_minus(*there.summary[:2], 3),
        plus_minus(*published(there.run)[:2], 3),
        difference,
        None if errors is None else fixed(errors, 1, "+"),
    )


def _explained(there: Replication, winner: ModelRun) -> str:
    """Return how far a winner is from the published objective, and what its settings give."""
    difference = there.difference.value
    verdict = "within" if abs(difference) <= FAR else "not within"
    where = "At the published settings" if there.is_rerun else f"In the cell {there.parameters}"
    return (
        f"**{winner.model}**: our winner, {winner.text(winner.result.parameters)}, is "
        f"{fixed(distance(winner), 3, '+')} from what is published. {where} ours is "
        f"{fixed(difference, 3, '+')} from it, {verdict} {FAR:g}."
    )
