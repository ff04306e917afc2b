"""Experiments side by side that differ in one setting: a way to choose, or how they train."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations

from studies.display.words import listed, plus_minus, seconds_text, value_text
from studies.report.choice import differences, other_way, trained_otherwise
from studies.report.contrasts import Contrast, estimated
from studies.report.effects import Effects
from studies.report.gaps import Gap
from studies.report.optimism import optimism_of_seeds
from studies.report.page import table
from studies.report.runs import PUBLISHED, USUAL, ModelRun
from studies.report.searches import winners_lead
from studies.report.statistics import Estimate

MEANING = {
    "select_on": "All is measured on test data: columns differ in the data that chose the winner. "
    "A winner that is worse where validation data chose it shows what choosing on test data was "
    "worth. Optimism is by how much the winner's cell is better in the search than in its reruns.",
    "search": "Regret: in the joint search, by how much the best cell's mean is better than that "
    "of the stages' winner, paired by seed: what searching in stages lost there.",
    "rank_by": "A lower bound prefers cells whose repeats agree; a median is decided by no single "
    "repeat, such as a dead network.",
    "racing": "Racing gives up cells that fall behind: it trains less.",
    "extend": "A stage whose winner lies on an edge of its grid goes on beyond it: it trains more.",
}


Counterparts = Sequence[tuple[ModelRun, ModelRun]]
"""The models that are complete in two experiments."""


def counterparts(runs: Sequence[ModelRun]) -> list[tuple[str, Counterparts]]:
    """Return all pairs of experiments that differ in one field of their protocols, with the field.

    How many reruns they have does not count, nor whether only one of them races, where a model has
    no closer counterpart. The one with the usual way comes first.
    """
    experiments: dict[str, dict[str, ModelRun]] = {}
    for run in runs:
        if not run.missing:
            experiments.setdefault(run.experiment, {})[run.model] = run
    names, order = list(experiments), list(USUAL)
    close, raced = list[tuple[str, Counterparts]](), list[tuple[str, Counterparts]]()
    for first, second in permutations(names, 2):
        usual, variant = experiments[first], experiments[second]
        pairs = [(run, variant[model]) for model, run in usual.items() if model in variant]
        # Reruns are paired by seed, so that one of them may have more.
        differing = [name for name in differences(*pairs[0]) if name != "reruns"] if pairs else []
        fields = [name for name in differing if name != "racing"] or differing
        if len(fields) == 1 and _is_usual(fields[0], *pairs[0], names):
            (close if fields == differing else raced).append((fields[0], pairs))
    compared = {(field, pair[0].model) for field, pairs in close for pair in pairs}
    for field, others in raced:
        if left := [pair for pair in others if (field, pair[0].model) not in compared]:
            close.append((field, left))
    return sorted(close, key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order))


def _is_usual(field: str, usual: ModelRun, variant: ModelRun, names: Sequence[str]) -> bool:
    """Return whether the first experiment is the usual one of two that can be compared."""
    values = usual.protocol.get(field), variant.protocol.get(field)
    if field == "search" and PUBLISHED in values:
        return False
    if field in USUAL:
        return bool(values[0] == USUAL[field])
    return names.index(usual.experiment) < names.index(variant.experiment)


def settings_section(runs: Sequence[ModelRun]) -> Iterator[str]:
    """Yield all pairs of experiments that can be set side by side; nothing where there are none."""
    known = counterparts(runs)
    if not known:
        return
    yield "## Other ways"
    yield (
        f"Experiments that differ in one setting only. {runs[0].objective.capitalize()} is the "
        "mean of the reruns ± their standard deviation. Differences are of the seeds that both "
        "have, which may be fewer than those of the means, with intervals that hold for all models "
        "of a table at once (95%); =: the reruns are the same trainings."
    )
    for field, pairs in known:
        usual, variant = pairs[0]
        yield f"### {variant.experiment} beside {usual.experiment}"
        meaning = MEANING.get(field, f"These experiments differ in {field} alone.")
        if _is_grid(variant, field):
            meaning = (
                f"These experiments differ in the values of {field[:-1]} alone. Their seconds were "
                "taken at different times."
            )
        racing = [run.experiment for run in (usual, variant) if run.protocol["racing"]]
        if field != "racing" and len(racing) == 1:
            meaning += f" {racing[0]} also gives up cells that fall behind, which trains less."
        yield meaning
        yield _table(field, pairs)


def effects_on_other_grids(
    runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun]
) -> Iterator[tuple[str, Effects]]:
    """Yield the effects in experiments with another grid, such as one of a single batch size.

    Groups that such an experiment lacks are those in `chosen` whose winners have these values
    anyway. Each comes with what differs there in words, such as `where depth is 4`; only effects
    that have some ratio of times.
    """
    for field, pairs in counterparts(runs):
        variant = pairs[0][1]
        if _is_grid(variant, field):
            there = {run.model: run for _, run in pairs}
            groups = {run.drawn.group for run in there.values()}
            name, values = field[:-1], variant.protocol[field]
            there |= {
                model: run
                for model, run in chosen.items()
                if run.drawn.group not in groups and run.result.parameters.get(name) in values
            }
            effects = Effects.of(there)
            if effects.estimates("seconds"):
                yield f"where {name} is {listed(list(map(value_text, values)))}", effects


def other_trainings(runs: Sequence[ModelRun]) -> Iterator[tuple[str, list[str], Estimate]]:
    """Yield what each other way of training does to the objective, over all models it changes.

    That is the way in words, the models that it changes, and the mean difference to the usual way.
    """
    ways, contrasts = list[tuple[str, list[str]]](), list[Contrast]()
    for field, pairs in counterparts(runs):
        usual, variant = pairs[0]
        if field not in trained_otherwise(variant, usual):
            continue
        differences = [Contrast(field, pair) for pair in pairs]
        changed = [contrast for contrast in differences if contrast.sample("objective").any()]
        if changed and (together := Contrast.mean(field, changed)).seeds > 1:
            ways.append(
                (other_way(field, variant, usual), [contrast.runs[0].model for contrast in changed])
            )
            contrasts.append(together)
    for (way, models), gain in zip(ways, estimated(contrasts), strict=True):
        if gain is not None:
            yield way, models, gain


def _is_grid(run: ModelRun, field: str) -> bool:
    return isinstance(run.protocol.get(field), list)


def _table(field: str, pairs: Counterparts) -> str:
    usual, variant = (_label(run, field) for run in pairs[0])
    columns: dict[str, Callable[[ModelRun], object]] = {
        "winner": lambda run: run.text(run.result.parameters),
        pairs[0][0].objective: lambda run: plus_minus(run.result.mean, run.result.deviation, 3),
    }
    if field == "select_on":
        columns["optimism"] = optimism_of_seeds
    if field in ("racing", "extend"):
        columns["trainings"] = lambda run: sum(
            cell.runs for stage in run.searches for cell in run.cells[stage]
        )
    if _is_grid(pairs[0][1], field):
        columns["seconds"] = lambda run: seconds_text(run.result) or "-"
    titles = ["model", *(f"{name}, {way}" for name in columns for way in (usual, variant))]
    titles.insert(5, f"{variant} - {usual}")
    rows: list[list[object]] = []
    gains = estimated([Contrast(field, pair) for pair in pairs])
    for pair, gain in zip(pairs, gains, strict=True):
        row = [pair[0].model, *(cell(run) for cell in columns.values() for run in pair)]
        row.insert(5, "=" if _are_the_same(*pair) else gain)
        if field == "search":
            row.append(regret(*pair))
        rows.append(row)
    return table(titles + ["regret"] * (field == "search"), rows)


def _are_the_same(run: ModelRun, other: ModelRun) -> bool:
    """Return whether reruns are the same trainings, on the seeds that both runs have."""
    ours, theirs = (
        {
            known.seed: (
                known.parameters,
                known.settings,
                known.data,
                known.numbers,
                known.loss_curve,
            )
            for known in of.rerun_trainings
        }
        for of in (run, other)
    )
    common = ours.keys() & theirs.keys()
    return bool(common) and all(ours[seed] == theirs[seed] for seed in common)


def _label(run: ModelRun, field: str) -> str:
    """Return what the title of a column calls an experiment."""
    value = run.protocol.get(field)
    if field == "select_on":
        return f"chosen on {value}"
    if field == "racing":
        return "racing" if value else "all repeats"
    if field == "extend":
        return "beyond the grid" if value else "grid"
    if value is None:
        return "the default"
    if isinstance(value, list):
        return run.experiment
    # A number alone would not say what it is.
    return value if isinstance(value, str) else f"{field} {value_text(value)}"


def regret(stages: ModelRun, joint: ModelRun) -> Gap | None:
    """Return what the stages' winner lacks of the best joint cell, in the joint search.

    None where its cell was given up there.
    """
    for cell in joint.cells[joint.searches[-1]]:
        if cell.parameters == stages.winner.parameters and cell.state == "COMPLETE":
            return winners_lead(joint, joint.winner, cell)
    return None
