"""Optimism: by how much a search overrates its winner, by the luck of seeds and of images."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from storage.queries import RankedCell
from studies.display.words import cell_text, listed, number_text
from studies.report.choice import trained_otherwise
from studies.report.contrasts import Contrast, estimated
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
    """Return by how much the data that chose overrate the winner, beyond all other cells.

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


def missed(
    runs: Iterable[ModelRun], chosen: Mapping[str, ModelRun]
) -> list[tuple[ModelRun, Estimate]]:
    """Return reruns with parameters that are clearly better than those of the model's winner.

    They are of other experiments that train alike, such as one at the published parameters; the
    best of each model, and the difference to the winner, by models. Intervals hold for all that
    were compared at once.
    """
    pairs = [
        (chosen[run.model], run)
        for run in runs
        if run.model in chosen and not run.missing
        and run.result.parameters != chosen[run.model].result.parameters
        and not trained_otherwise(run, chosen[run.model])
    ]  # fmt: skip
    contrasts = [contrast for pair in pairs if (contrast := Contrast("missed", pair)).seeds]
    better: dict[str, list[tuple[ModelRun, Estimate]]] = {}
    for contrast, gain in zip(contrasts, estimated(contrasts), strict=True):
        winner, run = contrast.runs
        if gain is not None and winner.sign * gain.direction > 0:
            better.setdefault(run.model, []).append((run, gain))
    return [max(known, key=lambda pair: abs(pair[1].value)) for known in better.values()]


def missed_parameters(better: Iterable[tuple[ModelRun, Estimate]]) -> Iterator[str]:
    """Yield a sentence on what `missed` returns, where that is something."""
    gains = [
        f"{run.model} is better by {gain} with {cell_text(run.result.parameters)} "
        f"({run.experiment}) than with its winner's parameters"
        for run, gain in better
    ]
    if gains:
        yield f"**The search missed better parameters**: {listed(gains)}."
