"""How our results differ from the published ones, and which differences are more than noise."""

from collections.abc import Iterator, Mapping, Sequence

from studies.display.words import listed
from studies.report.gaps import Summary
from studies.report.runs import ModelRun
from studies.report.statistics import Estimate, unpaired

FAR = 0.03
"""Of an accuracy or another fraction: a difference beyond it needs an explanation."""


def published(run: ModelRun) -> Summary:
    """Return the published mean, standard deviation and number of trainings."""
    known = run.published
    return known["mean"], known["deviation"], known.get("trainings", 10)


def distance(run: ModelRun) -> float:
    """Return the mean of our reruns minus the published one."""
    return float(run.result.mean - run.published["mean"])


def against_published(runs: Sequence[ModelRun]) -> dict[str, Estimate]:
    """Return the means of our reruns minus the published ones, by model, where there are any.

    The intervals hold all at once: one of twelve models that do not differ may well lie two
    standard errors off.
    """
    known = [run for run in runs if run.published]
    differences = unpaired([(run.summary, published(run)) for run in known])
    return {run.model: gap for run, gap in zip(known, differences, strict=True)}


def is_far(run: ModelRun) -> bool:
    """Return whether our mean is further from a published fraction than can be left unexplained."""
    return bool(run.published) and run.is_fraction and abs(distance(run)) > FAR


def agreement(runs: Mapping[str, ModelRun]) -> Iterator[str]:
    """Yield a sentence on where our winners are not the published ones, where there are any."""
    known = against_published(list(runs.values()))
    if not known:
        return
    named = {model: f"{model} ({gap})" for model, gap in known.items()}
    marked = [model for model, gap in known.items() if gap.direction]
    verdict = f"{len(marked) or 'none'} of {len(known)} clearly differ{'s' * (len(marked) == 1)}"
    if single := [model for model, gap in known.items() if gap.low is None]:
        verdict = f"one rerun cannot tell noise from a difference in {listed(single)}"
    ways = [
        f"{listed(beyond)} {'is' if len(beyond) == 1 else 'are'} {word}"
        for word, sign in (("higher", 1), ("lower", -1))
        if (beyond := [named[model] for model in marked if sign * known[model].value > 0])
    ]
    if any(runs[model].is_fraction for model in known):
        far = [model if model in marked else named[model] for model in known if is_far(runs[model])]
        ways.append(f"by more than {FAR:g}: {listed(far) or 'none'}")
    text = "; ".join([verdict, *ways])
    yield f"**Beside what is published**, each at its own winner's parameters: {text}."
