"""What the dashboard says of a study: its note, in Markdown."""

import math
from collections.abc import Iterable, Sequence

from storage.cells import DECIDED
from storage.queries import GridCell, ModelResult
from studies.edges import edges
from studies.paper import GUESSING, PAPER
from studies.protocol import PUBLISHED
from studies.stages import Stage, chain
from studies.wording import plus_minus

GAP = " | \u2003"
"""An em space between columns, as the dashboard draws none."""

TITLES = ("ours", "the paper's")


def search_note(
    stage: Stage, cells: Sequence[GridCell], best: GridCell | None, trial: str, start: str
) -> str:
    """The note of a search: `trial` names that of the best cell, `start` where all comes from."""
    published = PAPER[stage.model]
    total = math.prod(len(values) for values in stage.search_space.values())
    done = sum(cell.state in DECIDED for cell in cells)
    parts = [
        f"Searches {_space(stage)}. A cell is {stage.trainings_per_cell} trainings: their mean "
        f"{stage.protocol.select_on} accuracy{_less(stage)} decides.{start}",
        f"**{done} of {total} cells done**{_of_them(cells)}.{_dead(cells)} {_next(stage)}",
    ]
    if best is not None and best.mean_accuracy is not None:
        rows = [
            ("learning rate", f"{best.learning_rate:g}", f"{published.learning_rate:g}"),
            ("batch size", str(best.batch_size), str(published.batch_size)),
            ("alpha", _alpha(best.alpha), _alpha(published.alpha)),
            (
                f"{stage.protocol.select_on} accuracy",
                plus_minus(best.mean_accuracy, best.std_accuracy, 3),
                plus_minus(published.accuracy, published.accuracy_deviation, 3),
            ),
        ]
        if best.dead:
            rows.append(("no better than guessing", f"{best.dead} of {best.runs} runs", ""))
        title = "winner" if done == total else "best so far"
        parts.append(_table((f"{title}: {trial}", *TITLES), rows))
        last = list(edges(stage.search_space, best))
        if last:
            parts.append(
                f"⚠ **This cell lies on the grid's edge** ({', '.join(last)} that was tried): "
                "a better one may lie beyond."
            )
    return "\n\n".join(parts)


def rerun_note(stage: Stage, results: Sequence[ModelResult], dead: int, start: str) -> str:
    """The note of reruns, with the results of all models of the experiment so far.

    `dead` of them ended no better than guessing.
    """
    published = PAPER[stage.model]
    seeds = stage.search_space["seed"]
    result = next((each for each in results if each.model == stage.model), None)
    done = result.reruns if result else 0
    parts = [
        f"Trains {_rerun_what(stage)} afresh on seeds {seeds[0]} to {seeds[-1]}, one at a time "
        f"with all cores, to measure its accuracy and its training time.{start}",
        f"**{done} of {len(seeds)} reruns done.** {_next(stage)}",
    ]
    if dead:
        parts.append(f"⚠ {_no_better(dead)}: the mean accuracy and its spread are of those, too.")
    if result is not None:
        rows = [
            ("learning rate", f"{result.learning_rate:g}", f"{published.learning_rate:g}"),
            ("batch size", str(result.batch_size), str(published.batch_size)),
            ("alpha", _alpha(result.alpha), _alpha(published.alpha)),
            ("test accuracy", *_accuracies(result)),
            ("seconds per training", *_seconds(result)),
            ("parameters", str(result.parameters), str(result.parameters)),
        ]
        parts.append(_table(("result", *TITLES), rows))
    order = list(PAPER)
    others = sorted(results, key=lambda each: order.index(each.model))
    if len(others) > 1:
        titles = ("model", "test accuracy", "the paper's", "seconds", "the paper's")
        rows_of_all = [(each.model, *_accuracies(each), *_seconds(each)) for each in others]
        parts += [f"Models of experiment {stage.experiment} so far:", _table(titles, rows_of_all)]
    return "\n\n".join(parts)


def _rerun_what(stage: Stage) -> str:
    searched = stage.protocol.search != PUBLISHED
    return "the winner" if searched else "this model at the settings of the paper's Table I"


def _less(stage: Stage) -> str:
    return ", less one standard error," * (stage.protocol.rank_by == "lower-bound")


def _of_them(cells: Sequence[GridCell]) -> str:
    states = {"DIVERGED": "diverged", "PRUNED": "given up in the race"}
    counts = {state: sum(cell.state == state for cell in cells) for state in states}
    parts = [f"{count} of them {states[state]}" for state, count in counts.items() if count]
    return "".join(f", {part}" for part in parts)


def _dead(cells: Sequence[GridCell]) -> str:
    """Return a sentence on trainings that learned nothing; nothing where there are none."""
    dead = sum(cell.dead or 0 for cell in cells)
    if not dead:
        return ""
    where = sum(bool(cell.dead) for cell in cells)
    in_cells = f" in {where} cell{'s' * (where > 1)}"
    return f" {_no_better(dead, in_cells)}, and count{'s' * (dead == 1)} like any other."


def _no_better(dead: int, where: str = "") -> str:
    return (
        f"{dead} training{'s' * (dead > 1)}{where} ended no better than guessing "
        f"(accuracy up to {GUESSING:g})"
    )


def _space(stage: Stage) -> str:
    varied = [
        f"{name} {{{', '.join(f'{value:g}' for value in values)}}}"
        for name, values in stage.search_space.items()
        if len(values) > 1
    ]
    fixed = [
        f"{name} {values[0]:g}" for name, values in stage.search_space.items() if len(values) == 1
    ]
    return " x ".join(varied) + (f" at {', '.join(fixed)}" if fixed else "")


def _next(stage: Stage) -> str:
    names = chain(stage.model, stage.protocol)
    following = names[names.index(stage.name) + 1 :]
    return f"Next stage: {following[0]}." if following else "This is the last stage."


def _alpha(alpha: float | None) -> str:
    return "-" if alpha is None else f"{alpha:g}"


def _accuracies(result: ModelResult) -> tuple[str, str]:
    published = PAPER[result.model]
    return (
        plus_minus(result.mean_accuracy, result.std_accuracy, 3),
        plus_minus(published.accuracy, published.accuracy_deviation, 3),
    )


def _seconds(result: ModelResult) -> tuple[str, str]:
    published = PAPER[result.model]
    ours = result.mean_train_seconds
    return (
        "-" if ours is None else plus_minus(ours, result.std_train_seconds, 2),
        plus_minus(published.seconds, published.seconds_deviation, 1),
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {GAP.join(cells)} |" for cells in (titles, *rows)]
    lines.insert(1, f"|---{'|---:' * (len(titles) - 1)}|")
    return "\n".join(lines)
