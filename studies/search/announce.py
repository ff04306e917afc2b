"""What a run will do, or has left to do, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from studies.display.columns import aligned
from studies.display.words import duration, listed
from studies.search.deadline import Deadline
from studies.search.forecast import Forecast
from studies.search.plan import StudyPlan
from studies.search.speed import measured_on


@dataclass(frozen=True)
class _Time:
    """The seconds of some studies, from the least to the most."""

    least: float
    most: float
    is_known: bool

    def __str__(self) -> str:
        shortest, longest = duration(self.least), duration(self.most)
        if not self.is_known:
            return f"at least {shortest}" if self.least >= 1 else "not known yet"
        return longest if shortest == longest else f"{shortest} to {longest}"


def _time(plans: Sequence[StudyPlan], start: float = 0.0) -> _Time:
    known = [(p.least or 0.0, p.seconds) for p in plans if p.seconds is not None]
    more = start if any(p.left for p in plans) else 0.0
    return _Time(
        more + sum(least for least, _ in known),
        more + sum(most for _, most in known),
        len(known) == len(plans),
    )


def announced(forecast: Forecast) -> str:
    """Return what a run will do, in sentences."""
    plans = forecast.plans
    trainings = sum(of_study.trainings for of_study in plans)
    shared = sum(of_study.shared for of_study in plans)
    recorded = trainings - shared - forecast.left
    models = len(forecast.models)
    sentences = [
        f"Experiment {forecast.experiment.name}: {models} model{'s' * (models > 1)}, "
        f"{len(plans)} {'studies' if len(plans) > 1 else 'study'}, "
        f"{trainings} training{'s' * (trainings > 1)}."
    ]
    if not forecast.left:
        sentences.append("All of them are recorded: nothing is left to train.")
        return " ".join([*sentences, *_further(forecast)])
    parts = []
    if recorded:
        parts.append(f"{recorded} of them are recorded already")
    if shared:
        parts.append(f"{shared} are shared by two studies")
    race = "up to " if forecast.experiment.racing else ""
    parts.append(f"{race}{forecast.left} are left to run")
    time = _time(plans, forecast.durations.start)
    takes, source = f"in about {time}", _source(forecast)
    if not time.is_known:
        takes, source = "in a time that is not known yet", ""
    sentences.append(f"{listed(parts)}, {takes}{source and f' ({source})'}.")
    return " ".join([*sentences, *_further(forecast)])


def _further(forecast: Forecast) -> Iterator[str]:
    experiment = forecast.experiment
    if all(of_study.study.is_rerun for of_study in forecast.plans):
        return
    if experiment.extend:
        more = (
            f"{experiment.extend} further studies" if experiment.extend > 1 else "one further study"
        )
        yield f"A stage whose winner lies on an edge goes on, in up to {more}."
    if experiment.settle:
        repeats = experiment.settle
        yield f"Cells that cannot be told from a winner get up to {repeats} repeats."


def _source(forecast: Forecast) -> str:
    """Return where the times are from, in words; empty where nothing is left or known."""
    durations = forecast.durations
    left = [model for model in forecast.models if any(p.left for p in forecast.of(model))]
    recorded = [model for model in left if model in durations.recorded]
    speeds = {m: durations.measured[m] for m in left if m in durations.measured}
    parts = []
    if recorded:
        here = "here" if forecast.cluster.is_local else "in this store"
        whose = "" if len(recorded) == len(left) else f" of {listed(recorded)}"
        parts.append(f"by trainings{whose} recorded {here}")
    if speeds:
        whose = " too" if recorded else ""
        parts.append(f"measured here{whose} on {measured_on(speeds)}")
    return ", ".join(parts)


def planned(forecast: Forecast) -> Iterator[str]:
    """Yield the lines of a plan: a table of the models, and what is not known yet."""
    yield announced(forecast)
    yield ""
    yield from _table(forecast, forecast.models)
    experiment = forecast.experiment
    source = _source(forecast)
    if source:
        yield ""
        start = f", {duration(forecast.durations.start)} for the start included in the total"
        searches = forecast.durations.workers
        workers = f"{searches} worker{'s' * (searches > 1)}"
        yield f"Times: {source}; searches on {workers}, reruns one after the other{start}."
    unknown = [model for model in forecast.models if forecast.seconds(model) is None]
    if unknown:
        reason = "no training of them is recorded"
        if forecast.cluster.is_local:
            reason = "their trainings take long, or fail"
        yield (
            f"The time of {listed(unknown)} is not known yet, as {reason}: a run shows it after "
            "its first trainings."
        )
    if experiment.racing and any(p.study.is_race and p.left for p in forecast.plans):
        yield "Racing gives cells up as it goes: trainings and times are shown from least to most."
    if experiment.extend or experiment.settle:
        yield "Further studies are not counted: at least the trainings and times above are left."


def _table(forecast: Forecast, models: Sequence[str]) -> Iterator[str]:
    rows = [(model, forecast.of(model)) for model in models]
    if len(rows) > 1:
        rows.append(("total", forecast.plans))
    columns = {
        "studies": [str(len(plans)) for _, plans in rows],
        "trainings": [str(sum(p.trainings for p in plans)) for _, plans in rows],
    }
    recorded = [sum(p.recorded - p.shared for p in plans) for _, plans in rows]
    shared = [sum(p.shared for p in plans) for _, plans in rows]
    if any(recorded):
        columns["recorded"] = list(map(str, recorded))
    if any(shared):
        columns["shared"] = list(map(str, shared))
    columns["left"] = [_left(plans) for _, plans in rows]
    start = forecast.durations.start
    columns["time"] = [
        str(_time(plans, start if plans is forecast.plans else 0.0)) for _, plans in rows
    ]
    yield from aligned(
        [("model", [name for name, _ in rows])], ([column] for column in columns.items())
    )


def _left(plans: Sequence[StudyPlan]) -> str:
    least, most = sum(p.sure for p in plans), sum(p.left for p in plans)
    return str(most) if least == most else f"{least} to {most}"


def promised(forecast: Forecast, deadline: Deadline) -> str:
    """Return what a run can do before a deadline, in a sentence."""
    in_time = forecast.in_time(deadline)
    text = f"This run ends by {deadline}: whole models first, in the order of the command."
    if len(in_time) == len(forecast.models):
        return f"{text} All of them can end by then."
    unknown = [model for model in forecast.models if forecast.seconds(model) is None]
    late = [model for model in forecast.models if model not in (*in_time, *unknown)]
    if late:
        text += f" As far as is known, {listed(late)} cannot end by then, and go last."
    if unknown:
        text += f" It is not known yet how long {listed(unknown)} take."
    return text


def left_over(forecast: Forecast) -> list[str]:
    """Return what a deadline has left to do, in lines."""
    models = [model for model in forecast.models if any(p.left for p in forecast.of(model))]
    return ["Out of time. What is left:", *_table(forecast, models or forecast.models)]
