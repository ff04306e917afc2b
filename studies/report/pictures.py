"""The report's figures, by the names of their files."""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure

from studies.figures import (
    accuracy_against_seconds,
    accuracy_bars,
    accuracy_effects,
    alpha_curve,
    heat_map,
    seconds_bars,
    seconds_effects,
)
from studies.figures.effects import Row
from studies.report.effects import INTERACTION, Effect
from studies.report.results import ModelRun
from studies.report.statistics import Estimate

ACCURACY, SECONDS, BOTH = "figures/accuracy.png", "figures/seconds.png", "figures/both.png"
ACCURACY_EFFECTS = "figures/effects-on-accuracy.png"
SECONDS_EFFECTS = "figures/effects-on-seconds.png"


def pictures(
    runs: Mapping[str, ModelRun], effects: Sequence[Effect]
) -> Iterator[tuple[str, Figure]]:
    """Draw the results of `runs`, and their effects where there are any."""
    results = [run.result for run in runs.values()]
    yield ACCURACY, accuracy_bars(results)
    if any(each.mean_train_seconds is not None for each in results):
        yield SECONDS, seconds_bars(results)
        yield BOTH, accuracy_against_seconds(results)
    changes = [each for each in effects if each.name != INTERACTION]
    if changes:
        yield ACCURACY_EFFECTS, accuracy_effects(_rows(changes, "accuracy"))
    timed = [each for each in changes if each.seconds is not None]
    if timed:
        yield SECONDS_EFFECTS, seconds_effects(_rows(timed, "seconds"))
    for run in runs.values():
        for stage in run.searches:
            yield from _search(run, stage)


def search_name(run: ModelRun, stage: str) -> str:
    """The file of a search's figure."""
    return f"figures/{run.model}-{stage}.png"


def _search(run: ModelRun, stage: str) -> Iterator[tuple[str, Figure]]:
    cells, best, pairs = run.cells[stage], run.cells[stage][0], run.protocol["select_on"]
    if stage == "alpha":
        yield search_name(run, stage), alpha_curve(run.model, cells, best, pairs)
    else:
        # Of a joint search, the plane of the winner's alpha.
        plane = [each for each in cells if each.alpha == best.alpha]
        yield search_name(run, stage), heat_map(run.model, plane, best, pairs)


def _rows(effects: Sequence[Effect], measure: str) -> list[Row]:
    rows = []
    for each in effects:
        value: Estimate = getattr(each, measure)
        name = f"{each.architecture}: {each.name}"
        rows.append(Row(each.architecture, name, value.value, value.low, value.high))
    return rows
