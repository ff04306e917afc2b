"""Table I and Fig. 3, ours beside the paper's."""

from collections.abc import Mapping, Sequence

from storage.queries import ModelResult
from studies.paper import PAPER
from studies.report.markdown import listed, parameters, table
from studies.report.results import ModelRun
from studies.report.statistics import SIGNIFICANT, Gap, holm, unpaired_gap, welch
from studies.wording import plus_minus

PAPER_RERUNS = 10

FAR = 0.03
"""Of accuracy: a difference beyond it needs an explanation."""

RESTLESS = 0.25
"""Of the mean: seconds that spread further were not taken on a machine at rest."""

MARKS = (
    "† differs from the paper's by more than noise explains, by Welch's test on both means, with "
    f"Holm's correction for all models of the table, p < {SIGNIFICANT:g}; ‡ differs by more than "
    f"{FAR:g}; § seconds "
    f"whose standard deviation is over {RESTLESS:.0%} of the mean: other work slowed the machine "
    "down, and they tell little; ¶ some reruns ended no better than guessing, and count."
)


def against_paper(result: ModelResult) -> Gap:
    """Our mean accuracy minus the paper's, with the standard error of both."""
    return unpaired_gap(*_both(result))


def _both(
    result: ModelResult,
) -> tuple[tuple[float, float | None, int], tuple[float, float | None, int]]:
    """Return mean accuracy, standard deviation and number of trainings: ours, and the paper's."""
    published = PAPER[result.model]
    return (
        (result.mean_accuracy, result.std_accuracy, result.reruns),
        (published.accuracy, published.accuracy_deviation, PAPER_RERUNS),
    )


def beyond_noise(results: Sequence[ModelResult]) -> set[str]:
    """Return the models whose accuracy differs from the paper's by more than noise explains.

    The tests are corrected for their number, as one of twelve models that do not differ may well
    lie two standard errors off. A model with a single rerun is never among them.
    """
    p_values = [welch(*_both(result)) for result in results]
    return {
        result.model
        for result, p in zip(results, holm(p_values), strict=True)
        if p is not None and p < SIGNIFICANT
    }


def is_far(result: ModelResult) -> bool:
    """Whether our mean accuracy is further from the paper's than can be left unexplained."""
    return abs(against_paper(result).value) > FAR


def is_restless(result: ModelResult) -> bool:
    """Whether the seconds spread too far to tell of the model."""
    mean, deviation = result.mean_train_seconds, result.std_train_seconds
    return mean is not None and deviation is not None and deviation > RESTLESS * mean


def agreement(runs: Mapping[str, ModelRun]) -> str:
    """Say in a sentence where our accuracies are not the paper's."""
    results = [run.result for run in runs.values()]
    marked = beyond_noise(results)
    beyond = [each for each in results if each.model in marked]
    far = [each for each in results if is_far(each)]
    parts = [
        f"{len(beyond) or 'none'} of {len(results)} accuracies differ{'s' * (len(beyond) == 1)} by "
        "more than noise explains, with Holm's correction for their number"
    ]
    single = [each.model for each in results if against_paper(each).in_errors is None]
    if single:
        parts = [f"one rerun cannot tell noise from a difference in {listed(single)}"]
    for word, sign in (("higher", 1), ("lower", -1)):
        named = [each for each in beyond if sign * against_paper(each).value > 0]
        if named:
            parts.append(f"{word}: {_named(named)}")
    parts.append(f"further off than {FAR:g}: {_named(far) if far else 'none'}")
    return f"**Against the paper**, {'; '.join(parts)}."


def _named(results: Sequence[ModelResult]) -> str:
    return listed([f"{each.model} ({against_paper(each).value:+.3f})" for each in results])


def headline_table(runs: Mapping[str, ModelRun]) -> str:
    """Fig. 3: accuracy and seconds of the reruns, the paper's beside them."""
    marked = beyond_noise([run.result for run in runs.values()])
    mixed = len({run.experiment for run in runs.values()}) > 1
    titles = ("model", "accuracy", "the paper's", "difference", "", "seconds", "", "the paper's")
    rows = [
        (*_result_row(run, run.model in marked), *([run.experiment] if mixed else []))
        for run in runs.values()
    ]
    return table((*titles, *["experiment"] * mixed), rows)


def _result_row(run: ModelRun, is_beyond_noise: bool) -> tuple[str, ...]:
    result, published = run.result, PAPER[run.model]
    seconds = result.mean_train_seconds
    return (
        result.model,
        plus_minus(result.mean_accuracy, result.std_accuracy, 3),
        plus_minus(published.accuracy, published.accuracy_deviation, 3),
        f"{against_paper(result).value:+.3f}",
        "†" * is_beyond_noise + "‡" * is_far(result) + "¶" * bool(run.dead),
        "-" if seconds is None else plus_minus(seconds, result.std_train_seconds, 2),
        "§" * is_restless(result),
        plus_minus(published.seconds, published.seconds_deviation, 1),
    )


def settings_table(runs: Mapping[str, ModelRun]) -> str:
    """Table I: the winners' parameters, the paper's beside them."""
    titles = ("model", "learning rate, batch size, alpha", "the paper's", "parameters", "reruns")
    rows = []
    for result in (run.result for run in runs.values()):
        published = PAPER[result.model]
        rows.append(
            (
                result.model,
                parameters(result.learning_rate, result.batch_size, result.alpha),
                parameters(published.learning_rate, published.batch_size, published.alpha),
                f"{result.parameters:,}",
                str(result.reruns),
            )
        )
    return table(titles, rows)
