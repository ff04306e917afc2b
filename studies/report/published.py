"""How our results differ from the published ones, and which differences are more than noise."""

from collections.abc import Iterator, Mapping, Sequence

from studies.display.words import fixed, listed
from studies.report.gaps import Gap, Summary, unpaired_gap
from studies.report.runs import ModelRun
from studies.report.statistics import SIGNIFICANT, holm, welch

FAR = 0.03
"""Of an accuracy or another fraction: a difference beyond it needs an explanation."""


def published(run: ModelRun) -> Summary:
    """Return the published mean, standard deviation and number of trainings."""
    known = run.published
    return known["mean"], known["deviation"], known.get("trainings", 10)


def against_published(run: ModelRun) -> Gap:
    """Return the mean of our reruns minus the published one."""
    return unpaired_gap(run.summary, published(run))


def beyond_noise(runs: Sequence[ModelRun]) -> set[str]:
    """Return the models whose objective differs from the published one by more than noise explains.

    The tests are corrected for their number, as one of twelve models that do not differ may well
    lie two standard errors off. A model with a single rerun is never among them.
    """
    tested = [run for run in runs if run.published]
    p_values = holm([welch(run.summary, published(run)) for run in tested])
    return {
        run.model
        for run, p in zip(tested, p_values, strict=True)
        if p is not None and p < SIGNIFICANT
    }


def is_far(run: ModelRun) -> bool:
    """Return whether our mean is further from a published fraction than can be left unexplained."""
    return is_fraction(run) and abs(against_published(run).value) > FAR


def is_fraction(run: ModelRun) -> bool:
    """Return whether what is published of a model looks like an accuracy."""
    return run.sign > 0 and 0 <= run.published.get("mean", -1) <= 1


def agreement(runs: Mapping[str, ModelRun]) -> Iterator[str]:
    """Yield a sentence on where our results are not the published ones, where there are any."""
    known = {model: against_published(run) for model, run in runs.items() if run.published}
    if not known:
        return
    marked = beyond_noise(list(runs.values()))
    parts = [
        f"{len(marked) or 'none'} of {len(known)} models differ{'s' * (len(marked) == 1)} by more "
        "than noise explains, with Holm's correction for their number"
    ]
    single = [model for model, gap in known.items() if gap.in_errors is None]
    if single:
        parts = [f"one rerun cannot tell noise from a difference in {listed(single)}"]
    named = {model: f"{model} ({fixed(gap.value, 3, '+')})" for model, gap in known.items()}
    for word, sign in (("higher", 1), ("lower", -1)):
        beyond = [named[m] for m, gap in known.items() if m in marked and sign * gap.value > 0]
        if beyond:
            parts.append(f"{word}: {listed(beyond)}")
    if any(is_fraction(runs[model]) for model in known):
        far = [named[model] for model in known if is_far(runs[model])]
        parts.append(f"further off than {FAR:g}: {listed(far) or 'none'}")
    yield f"**Against what is published**, {'; '.join(parts)}."
