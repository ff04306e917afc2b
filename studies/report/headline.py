"""The section on results and settings of all models, ours beside what is published."""

from collections.abc import Iterator, Mapping

from studies.display.words import (
    fixed,
    listed,
    plus_minus,
    seconds_text,
    timing_remarks,
    value_text,
)
from studies.figures import model_figures
from studies.report.choice import differences, other_way
from studies.report.page import Pictures, table_of_known
from studies.report.published import FAR, against_published, distance, is_far
from studies.report.runs import RESTLESS, ModelRun

METHOD = (
    "± is the standard deviation (n-1) over reruns, on seeds that no search used. A seed fixes all "
    "that is random in a training, so models are compared by seed: intervals, in brackets, are "
    "Student's, of the differences by seed, or of the logarithms of ratios, and hold for all that "
    "a table shows at once with a probability of 95% (Šidák). They cover the luck of the seed, "
    "not which cell won a search, nor, where all seeds share the test data, the choice of these."
)


def headline_section(
    runs: Mapping[str, ModelRun], objective: str, pictures: Pictures
) -> Iterator[str]:
    """Yield tables and figures of all models, and what the marks mean."""
    yield f"## {objective.capitalize()} and time"
    yield headline_table(runs)
    if remarks := f"{_marks(runs)}{_mixture(runs)}".strip():
        yield remarks
    yield METHOD
    yield from timing_remarks([run.result for run in runs.values()])
    texts = (
        f"Test {objective} of each model",
        "Seconds per training",
        f"Test {objective} against seconds per training",
    )
    figures = model_figures([run.drawn for run in runs.values()])
    for text, (name, figure) in zip(texts, figures, strict=False):
        yield pictures.shown(text, name, figure)
    yield "Their settings:"
    yield _settings_table(runs)


def headline_table(runs: Mapping[str, ModelRun]) -> str:
    """Return objective and seconds of the reruns, what is published beside them."""
    differences = against_published(list(runs.values()))
    marked = {model for model, difference in differences.items() if difference.direction}
    objective = next(iter(runs.values())).objective
    is_mixed = len({run.experiment for run in runs.values()}) > 1
    titles = ("model", objective, "published", "difference", "", "seconds", "", "published")
    rows = [
        (*_result_row(run, run.model in marked), run.experiment if is_mixed else None)
        for run in runs.values()
    ]
    return table_of_known((*titles, "experiment"), rows)


def _result_row(run: ModelRun, is_beyond_noise: bool) -> tuple[str | None, ...]:
    result, known = run.result, run.published
    theirs = known.get("seconds")
    return (
        run.model,
        plus_minus(result.mean, result.deviation, 3),
        plus_minus(known["mean"], known["deviation"], 3) if known else None,
        fixed(distance(run), 3, "+") if known else None,
        "†" * is_beyond_noise + "‡" * is_far(run) + "¶" * bool(run.dead),
        seconds_text(result) or None,
        "§" * run.is_restless,
        plus_minus(theirs, known.get("seconds_deviation"), 1) if theirs else None,
    )


def _marks(runs: Mapping[str, ModelRun]) -> str:
    """Return what the marks in the table mean."""
    parts = []
    if any(run.published for run in runs.values()):
        parts += [
            "† differs from what is published by more than noise explains: Welch's interval of the "
            "difference, which holds for all models of the table at once (95%), leaves out 0"
        ]
        unknown = [run.model for run in runs.values() if not run.published]
        if unknown:
            parts.append(f"nothing is published of {listed(unknown)}")
    if any(map(is_far, runs.values())):
        parts.append(f"‡ differs by more than {FAR:g}")
    if any(run.is_restless for run in runs.values()):
        parts.append(
            f"§ seconds whose standard deviation is over {RESTLESS:.0%} of the mean: other work "
            "slowed the machine down, so they do not measure the model"
        )
    if any(run.dead for run in runs.values()):
        parts.append("¶ some reruns ended no better than guessing, and count")
    has_seconds = any(run.published.get("seconds") for run in runs.values())
    elsewhere = " Published seconds were taken on another machine." * has_seconds
    return f"{'; '.join(parts)}{'.' * bool(parts)}{elsewhere}"


def _mixture(chosen: Mapping[str, ModelRun]) -> str:
    """Return what differs between the experiments that the rows of a table come from."""
    first, *others = {run.experiment: run for run in chosen.values()}.values()
    text = ""
    for run in others:
        differing = [other_way(name, run, first) for name in differences(run, first)]
        text += (
            f" Experiment {run.experiment} differs from {first.experiment} in "
            f"{', '.join(differing) or 'name'}."
        )
    return text


def _settings_table(runs: Mapping[str, ModelRun]) -> str:
    """Return the parameters of the reruns, the published ones beside them."""
    names = list(dict.fromkeys(name for run in runs.values() for name in run.result.parameters))
    rows = [
        (
            run.model,
            *(value_text(run.result.parameters.get(name, "-")) for name in names),
            run.text(run.published.get("parameters", {})),
            None if (count := run.result.parameter_count) is None else f"{count:,}",
            run.result.reruns,
        )
        for run in runs.values()
    ]
    return table_of_known(["model", *names, "published", "trainable parameters", "reruns"], rows)
