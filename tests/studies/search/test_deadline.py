"""A deadline: whole models first, nothing is begun that cannot end, and the next run goes on."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from storage.reader import open_reader
from storage.trainings import training_runs
from studies.display.errors import UsageError
from studies.experiment.definition import Experiment
from studies.search import service
from studies.search.chain import run_chains
from studies.search.deadline import Deadline, OutOfTime, deadline
from studies.search.driver import Driver
from tests.support.runs import Runs
from tests.support.standin import StandIn, narrow
from tests.support.terminal import Terminal

Limited = Callable[[Experiment, float, dict[str, float]], Driver]


@pytest.fixture
def slow(standin: StandIn) -> StandIn:
    return replace(standin, seconds=0.25)


@pytest.fixture
def limited(runs: Runs) -> Limited:
    """Run MLP and CNN for some seconds, where trainings are known to take `known` seconds."""

    def run(experiment: Experiment, seconds: float, known: dict[str, float]) -> Driver:
        with runs.driver(experiment) as driver:
            for model, of_training in known.items():
                cell = {"learning_rate": 5e-3, "batch_size": 8}
                for is_timed in (False, True):
                    driver.durations.learn(model, cell, of_training, is_timed=is_timed)
            driver.first_jobs = known
            driver.deadline = Deadline(time.time() + seconds)
            run_chains(driver, experiment, ["MLP", "CNN"])
        return driver

    return run


def models_of(jobs: list[list[object]]) -> list[object]:
    return [job[1] for job in jobs]


def small(standin: StandIn) -> Experiment:
    return narrow(standin.experiment(repeats=2, reruns=2))


def test_whole_models_go_first(limited: Limited, slow: StandIn, runs: Runs) -> None:
    """The reruns of the first model end before all searches of the second one are begun."""
    # More cells than the workers have at a time: those that wait for a worker are begun already.
    wide = replace(small(slow).with_grid("batch_size", (8, 16, 32, 64, 128)), name="toy")
    driver = limited(wide, 600.0, {"MLP": 0.2, "CNN": 0.2})
    assert not driver.is_out_of_time
    began = slow.jobs("begin")
    last_rerun = max(place for place, job in enumerate(began) if job[1] == "MLP" and job[0] != 1)
    assert models_of(began[last_rerun + 1 :]).count("CNN") >= 10 - 4 + 2
    with_deadline = outcome(runs.url)
    runs.url = runs.url.replace("studies", "other")
    runs.run(wide, "MLP", "CNN")
    assert outcome(runs.url) == with_deadline


def outcome(url: str) -> dict[str, object]:
    reader = open_reader(url)
    runs = {run.fingerprint: run.numbers for run in training_runs(reader)}
    reader.dispose()
    return runs


def test_nothing_is_begun_that_cannot_end(limited: Limited, slow: StandIn, runs: Runs) -> None:
    """Of a model whose trainings take longer than what is left, not even a study is made."""
    driver = limited(small(slow), 30.0, {"MLP": 0.2, "CNN": 60.0})
    assert driver.is_out_of_time
    assert set(models_of(slow.jobs())) == {"MLP"}
    assert len(slow.trained()) == 4 * 2 + 2
    reader = open_reader(runs.url)
    with reader.connect() as connection:
        names = connection.exec_driver_sql("select study_name from studies").scalars().all()
    reader.dispose()
    assert sorted(names) == ["toy/MLP/lr-batch", "toy/MLP/rerun"]


def test_the_next_run_goes_on(limited: Limited, slow: StandIn, runs: Runs) -> None:
    """What was in flight is recorded, no trial is left running, and nothing is trained twice."""
    driver = limited(small(slow), 1.2, {"MLP": 0.2, "CNN": 0.2})
    assert driver.is_out_of_time
    assert driver.failed == []
    before = slow.trained()
    assert sorted(slow.jobs("begin"), key=str) == sorted(slow.jobs(), key=str)
    assert len(outcome(runs.url)) == len(before) < 2 * (4 * 2 + 2)
    reader = open_reader(runs.url)
    with reader.connect() as connection:
        states = connection.exec_driver_sql("select state from trials").scalars().all()
    reader.dispose()
    assert "RUNNING" not in states
    assert limited(small(slow), 600.0, {}).is_out_of_time is False
    assert len(slow.trained()) == len(set(slow.trained())) == 2 * (4 * 2 + 2)
    assert slow.trained()[: len(before)] == before


@pytest.mark.parametrize("models", [["MLP"], ["MLP", "CNN"]])
def test_a_run_that_left_nothing_to_train_is_not_out_of_time(
    models: list[str], standin: StandIn, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its deadline comes after the MLP is done, before the CNN's chain is begun."""

    def run_all(driver: Driver, experiment: Experiment, _: object) -> None:
        run_chains(driver, experiment, ["MLP"])
        driver.is_out_of_time = True

    monkeypatch.setattr(service, "run_chains", run_all)
    settings = service.Settings(
        runs.url, cluster=runs.address, deadline=Deadline(time.time() + 600)
    )
    console = Console(file=io.StringIO())
    if models == ["MLP"]:
        assert service.run_models(small(standin), models, settings, console) == []
    else:
        with pytest.raises(OutOfTime, match="CNN"):
            service.run_models(small(standin), models, settings, console)


def test_times_that_people_give() -> None:
    now = datetime.now()
    soon = now + timedelta(minutes=2)
    assert deadline(None, None) is None
    for text in (f"{soon:%H:%M}", f"{soon:%Y-%m-%dT%H:%M}", f"{soon:%Y-%m-%d %H:%M:00}"):
        given = deadline(text, None)
        assert given is not None and 55 < given.left <= 121, text
    past = deadline(f"{now:%H:%M}", None)
    assert past is not None and 86300 < past.left <= 86400
    for text, seconds in {"90m": 5400, "2h": 7200, "1h30m": 5400, "45s": 45}.items():
        given = deadline(None, text)
        assert given is not None and given.left == pytest.approx(seconds, abs=1)


@pytest.mark.parametrize(
    ("until", "span", "said"),
    [
        ("07:00", "90m", "--until and --for both say when to end: give one of them"),
        ("2020-01-31T07:00", None, "--until 2020-01-31T07:00 is past"),
        ("3020-01-31T07:00", None, "more than a year away"),
        ("25:00", None, "--until 25:00 is no time: give one such as 07:00"),
        ("7", None, "is no time"),
        ("soon", None, "is no time"),
        ("2030-01-31", None, "is no time"),
        ("", None, "is no time"),
        (None, "90", "--for 90 is no time span: give one such as 90m"),
        (None, "0s", "is no time span"),
        (None, "-5m", "is no time span"),
        (None, "1m30", "is no time span"),
        (None, "", "is no time span"),
        (None, "999999h", "more than a year"),
    ],
)
def test_what_is_no_time(until: str | None, span: str | None, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        deadline(until, span)
    assert said in str(raised.value)


@pytest.fixture
def terminal(tmp_path: Path, cache: Path) -> Iterator[Terminal]:
    folder = tmp_path / "typed"
    folder.mkdir()
    with closing(Terminal(folder, cache)) as opened:
        yield opened


def test_the_command_says_what_is_left(terminal: Terminal, standin: StandIn) -> None:
    words = ["MLP", "CNN", "--repeats", "2", "--reruns", "2", "--grid", "batch_size=16,64"]
    process = terminal.start_standin(standin, *words, "--for", "1s")
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 5, said
    assert "Traceback" not in said
    assert "Out of time. What is left:" in said
    lines = [line.split()[:4] for line in said.splitlines()]
    assert ["MLP", "2", "18", "18"] in lines
    assert ["total", "4", "36", "36"] in lines
    assert "The same command goes on: python -m studies.run --define" in said
    process = terminal.start_standin(standin, *words, "--for", "1h")
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert "This run ends by" in said
    assert len(standin.trained()) == 36
