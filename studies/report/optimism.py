"""What winners promised: a search chooses by chance as well, in the seeds and in the images."""

from collections.abc import Iterable, Iterator

import numpy as np

from storage.queries import RankedCell
from studies.display.words import number_text
from studies.report.gaps import Gap, summarized, unpaired_gap
from studies.report.page import table_of_known
from studies.report.runs import ModelRun
from studies.report.statistics import Estimate, estimates

OTHER = {"test": "validation", "validation": "test"}


def optimism_section(runs: Iterable[ModelRun]) -> Iterator[str]:
    """Yield by how much winners are better in their search than elsewhere, where that is known."""
    known = [(run, before) for run in runs if (before := values_on_test(run))]
    if not known:
        return
    objective = known[0][0].objective
    yield (
        f"Optimism of seeds: by how much test {objective} of the winner's cell in the search is "
        "better than that of its reruns, ± the standard error: a winner that was chosen for its "
        f"luck falls back. Optimism of images: {objective} on the data by which cells compete, "
        "minus that on the data by which they do not, of the winner beside the mean of all other "
        "cells. It contains the luck of the pairs that were drawn; its interval (95%, each by "
        "itself) is over the seeds of the search, on the same images."
    )
    yield table_of_known(
        ("model", "search", "reruns", "of seeds", "of images"),
        [
            (
                run.model,
                number_text(summarized(before)[0], 4),
                number_text(run.result.mean, 4),
                optimism_of_seeds(run),
                optimism_of_images(run),
            )
            for run, before in known
        ],
    )


def values_on_test(run: ModelRun) -> list[float]:
    """Return the objective of the winner's cell in the search, on test data.

    Empty where the search chose by validation data and its trainings are not known.
    """
    if run.chosen_by == "test":
        return list(run.winner.values)
    return run.values(run.winner.fingerprints, "test")


def optimism_of_seeds(run: ModelRun) -> Gap | None:
    """Return by how much the winner is better in the search than in its reruns, where known."""
    before = values_on_test(run)
    return run.gain(unpaired_gap(summarized(before), run.summary)) if before else None


def optimism_of_images(run: ModelRun) -> Estimate | None:
    """Return by how much the data that chose flatter the winner more than they do other cells.

    None where trainings are not known on both kinds of data. Cells with a dead network are left
    aside: these guess on any image.
    """
    flattered = {
        cell.name: known
        for cells in run.cells.values()
        for cell in cells
        if cell.state == "COMPLETE" and not cell.dead and (known := _flattered(run, cell))
    }
    winners = flattered.pop(run.winner.name, None)
    if winners is None:
        return None
    others = [known for known in flattered.values() if len(known) == len(winners)]
    if not others:
        return None
    (estimate,) = estimates([run.sign * (np.array(winners) - np.mean(others, axis=0))])
    return estimate


def _flattered(run: ModelRun, cell: RankedCell) -> list[float]:
    """Return by how much a cell's trainings are higher on the data that chose, by seed."""
    both = (run.chosen_by, OTHER[run.chosen_by])
    chosen, other = (run.values(cell.fingerprints, data) for data in both)
    return list(np.subtract(chosen, other)) if len(chosen) == len(other) else []
