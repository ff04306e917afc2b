"""The section on the paper's own settings: what our searches gave there."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from storage.measurements import RankedCell
from studies.paper import PAPER
from studies.report.headline import FAR, PAPER_RERUNS, against_paper, is_far
from studies.report.markdown import gap, parameters, table
from studies.report.results import ModelRun
from studies.report.statistics import Gap, unpaired_gap
from studies.wording import plus_minus


@dataclass(frozen=True)
class Replication:
    """A model at the paper's learning rate and batch size, and the alpha nearest to the paper's."""

    run: ModelRun
    cell: RankedCell

    @property
    def against_paper(self) -> Gap:
        """Our mean accuracy there minus the paper's, with the standard error of both."""
        published = PAPER[self.run.model]
        return unpaired_gap(
            (self.cell.mean_accuracy or 0.0, self.cell.std_accuracy, self.cell.runs),
            (published.accuracy, published.accuracy_deviation, PAPER_RERUNS),
        )


def replications(runs: Iterable[ModelRun]) -> Iterator[Replication]:
    """Yield what searches on test pairs measured where the paper's winners are."""
    for run in runs:
        published = PAPER[run.model]
        there = [
            cell
            for cells in run.cells.values()
            for cell in cells
            if cell.state == "COMPLETE"
            and (cell.learning_rate, cell.batch_size)
            == (published.learning_rate, published.batch_size)
        ]
        if there and run.protocol["select_on"] == "test":
            wanted = published.alpha or 0.0
            yield Replication(run, min(there, key=lambda cell: abs((cell.alpha or 0.0) - wanted)))


def replication_section(runs: Mapping[str, ModelRun]) -> str:
    """A table of all models, and a sentence on each whose winner is far from the paper's."""
    found = list(replications(runs.values()))
    if not found:
        return "No search on test pairs went to the paper's learning rates and batch sizes."
    rows = []
    for each in found:
        published, cell = PAPER[each.run.model], each.cell
        rows.append(
            (
                each.run.model,
                parameters(published.learning_rate, published.batch_size, published.alpha),
                parameters(cell.learning_rate, cell.batch_size, cell.alpha),
                plus_minus(cell.mean_accuracy or 0.0, cell.std_accuracy, 3),
                str(cell.runs),
                plus_minus(published.accuracy, published.accuracy_deviation, 3),
                gap(each.against_paper),
            )
        )
    titles = ("model", "its settings", "nearest cell", "ours", "runs", "the paper's", "difference")
    return "\n\n".join(
        [
            "What our searches gave where the paper's winners are: at its learning rate and batch "
            "size, and at the alpha nearest to its own that was searched there; ± the standard "
            "error for the difference.",
            table(titles, rows),
            *(_explained(each) for each in found if is_far(each.run.result)),
        ]
    )


def _explained(each: Replication) -> str:
    """How much of a large difference our choice of other settings accounts for."""
    result, there = each.run.result, each.against_paper.value
    whole = against_paper(result).value
    ours = parameters(result.learning_rate, result.batch_size, result.alpha)
    verdict = "within" if abs(there) <= FAR else "not within"
    return (
        f"**{result.model}** is {whole:+.3f} from the paper's accuracy. In the paper's cell it is "
        f"{there:+.3f}, {verdict} {FAR:g}; the other {whole - there:+.3f} come with our winner, "
        f"{ours}. What is left may lie in the pairs of digits: ours, from "
        f"{each.run.protocol.get('data')}, are not the paper's."
    )
