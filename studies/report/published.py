"""How our results differ from the published ones, and which differences are more than noise."""

from collections.abc import Mapping, Sequence

from studies.display.words import listed
from studies.report.runs import ModelRun
from studies.report.statistics import SIGNIFICANT, Gap, Summary, holm, unpaired_gap, welch

FAR = 0.03
"""Of an accuracy or another fraction: a difference beyond it needs an explanation."""


def published(run: ModelRun) -> Summary:
    """Return the published mean, standard deviation and number of trainings."""
    known = run.published
    return known["mean"], known["deviation"], known.get("trainings", 10)


def against_published(run: ModelRun, ours: Summary | None = None) -> Gap:
    """Return a mean of ours, by default that of the reruns, minus the published one."""
    return unpaired_gap(ours or reruns(run), published(run))


def reruns(run: ModelRun) -> Summary:
    """Return the mean, the standard deviation and the number of the reruns."""
    return run.result.mean, run.result.deviation, run.result.reruns


def beyond_noise(runs: Sequence[ModelRun]) -> set[str]:
    """Return the models whose objective differs from the published one by more than noise explains.

    The tests are corrected for their number, as one of twelve models that do not differ may well
    lie two standard errors off. A model with a single rerun is never among them.
    """
    tested = [run for run in runs if run.published]
    p_values = holm([welch(reruns(run), published(run)) for run in tested])
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


def agreement(runs: Mapping[str, ModelRun]) -> str | None:
    """Return a sentence on where our results are not the published ones; None if there are none."""
    known = [run for run in runs.values() if run.published]
    if not known:
        return None
    marked = beyond_noise(known)
    beyond = [run for run in known if run.model in marked]
    far = [run for run in known if is_far(run)]
    parts = [
        f"{len(beyond) or 'none'} of {len(known)} models differ{'s' * (len(beyond) == 1)} by more "
        "than noise explains, with Holm's correction for their number"
    ]
    single = [run.model for run in known if against_published(run).in_errors is None]
    if single:
        parts = [f"one rerun cannot tell noise from a difference in {listed(single)}"]
    for word, sign in (("higher", 1), ("lower", -1)):
        named = [run for run in beyond if sign * against_published(run).value > 0]
        if named:
            parts.append(f"{word}: {_named(named)}")
    if any(is_fraction(run) for run in known):
        parts.append(f"further off than {FAR:g}: {_named(far) if far else 'none'}")
    return f"**Against what is published**, {'; '.join(parts)}."


def _named(runs: Sequence[ModelRun]) -> str:
    return listed([f"{run.model} ({against_published(run).value:+.3f})" for run in runs])
