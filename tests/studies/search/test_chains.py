"""Chains of several models side by side, on one machine and on several hosts."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.reader import open_reader
from studies.experiment.definition import Experiment
from studies.workers import cluster
from tests.faults.dask_processes import scheduler, worker
from tests.support.diary import Entry, Sleep, entries, sleeping
from tests.support.runs import Runs
from tests.support.terminal import wait_for

THREE = {"a": 0.02, "b": 0.01, "c": 0.01}

CONTENT = (
    """select model, x, y, seed, status, accuracy from training_runs
        order by model, x, y, seed, fingerprint""",
    """select experiment, model, stage, x, y, mean_accuracy, std_accuracy, runs, state
        from grid_cells order by experiment, model, stage, x, y""",
    "select experiment, model, x, y, mean_accuracy, runs from best_params order by model",
    "select model, x, y, mean_accuracy, std_accuracy, reruns from model_results order by model",
    """select study_name, state, count(*) from trials natural join studies
        group by 1, 2 order by 1, 2""",
)


def content(url: str) -> list[list[tuple[object, ...]]]:
    """All results of a store."""
    engine = open_reader(url)
    with engine.connect() as connection:
        rows = [[tuple(row) for row in connection.execute(text(query))] for query in CONTENT]
    engine.dispose()
    return rows


@pytest.mark.parametrize("racing", [False, True])
def test_models_side_by_side_give_what_they_give_one_after_the_other(
    racing: bool, workers: str, tmp_path: Path
) -> None:
    experiment = sleeping(tmp_path, THREE, racing=racing, repeats=6 if racing else 2)
    apart = Runs(f"sqlite:///{tmp_path / 'apart.db'}", workers)
    for model in experiment.models:
        assert apart.run(experiment, model) == []
    done = len(entries(tmp_path))
    together = Runs(f"sqlite:///{tmp_path / 'together.db'}", workers)
    assert together.run(experiment, *experiment.models) == []
    assert content(together.url) == content(apart.url)
    assert len(entries(tmp_path)) == 2 * done
    assert together.run(experiment, *experiment.models) == []
    assert len(entries(tmp_path)) == 2 * done, "trained again"


def test_trainings_of_other_models_fill_the_end_of_a_stage(runs: Runs, tmp_path: Path) -> None:
    """Its last training leaves one of two workers free."""
    experiment = sleeping(tmp_path, {"slow": 1.0, "quick": 0.1}, repeats=1, reruns=1)
    assert runs.run(experiment, "slow", "quick") == []
    searches = [entry for entry in entries(tmp_path) if not entry.is_rerun]
    slow = [entry for entry in searches if entry.model == "slow"]
    beside = [
        entry for entry in searches
        if entry.model == "quick" and entry.end < max(entry.end for entry in slow)
    ]  # fmt: skip
    assert len(beside) >= 3, searches
    assert min(entry.begin for entry in slow) < min(entry.begin for entry in beside)


def test_reruns_come_after_all_searches_and_the_models_take_turns(
    runs: Runs, tmp_path: Path
) -> None:
    assert runs.run(sleeping(tmp_path, THREE, reruns=3), "b", "a", "c") == []
    done = sorted(entries(tmp_path))
    reruns = [entry for entry in done if entry.is_rerun]
    assert done[-len(reruns) :] == reruns
    order = [(entry.model, entry.seed) for entry in reruns]
    assert order == [(model, seed) for seed in (10, 11, 12) for model in ("b", "a", "c")]
    assert all(before.end <= after.begin for before, after in pairwise(reruns))


@pytest.mark.parametrize("racing", [False, True])
def test_a_training_that_two_models_share_is_done_once(
    racing: bool, runs: Runs, tmp_path: Path
) -> None:
    twin = {"twin": Sleep(tmp_path, "twin", 0.05, shares="a")}
    experiment = sleeping(tmp_path, {"a": 0.05}, more=twin, racing=racing, repeats=6)
    assert runs.run(experiment, "a", "twin") == []
    searches = Counter((e.begin, e.seed) for e in entries(tmp_path) if not e.is_rerun)
    recorded = content(runs.url)[0]
    assert sum(searches.values()) == sum(seed < 10 for *_, seed, _, _ in recorded)
    cells = content(runs.url)[1]
    alike = {model: [row[2:] for row in cells if row[1] == model] for model in ("a", "twin")}
    assert alike["a"] == alike["twin"]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[str]:
    """The address of a cluster of two hosts with two workers each."""
    with ExitStack() as started:
        address, _ = started.enter_context(scheduler(tmp_path))
        for host in ("127.0.0.2", "127.0.0.3"):
            started.enter_context(worker(address, tmp_path, count=2, host=host))
        yield address


def beside_reruns(done: list[Entry]) -> list[tuple[Entry, Entry]]:
    """Trainings that went on while another one was timed on the same host."""
    return [
        (rerun, other)
        for rerun in done if rerun.is_rerun
        for other in done
        if other is not rerun and other.host == rerun.host
        and other.begin < rerun.end and rerun.begin < other.end
    ]  # fmt: skip


def reruns(done: list[Entry], model: str) -> set[tuple[str, int, str]]:
    """Model, seed and host of reruns: on a busy machine one may be timed up to three times."""
    return {(e.model, e.seed, e.host) for e in done if e.is_rerun and e.model == model}


@pytest.mark.slow
def test_reruns_have_a_host_for_themselves_while_searches_go_on(
    hosts: str, url: str, tmp_path: Path
) -> None:
    experiment = sleeping(tmp_path, {"quick": 0.1, "slow": 0.5}, repeats=9, reruns=4)
    assert Runs(url, hosts).run(experiment, "quick", "slow") == []
    done = entries(tmp_path)
    assert beside_reruns(done) == []
    for model in experiment.models:
        assert Counter(host for _, _, host in reruns(done, model)) == {
            "127.0.0.2": 2, "127.0.0.3": 2,
        }  # fmt: skip
    quick = max(entry.end for entry in done if entry.is_rerun and entry.model == "quick")
    slow = max(entry.end for entry in done if not entry.is_rerun)
    assert quick < slow, "searches went on"
    first = min(entry.begin for entry in done if entry.is_rerun)
    elsewhere = [e for e in done if not e.is_rerun and e.begin < quick and e.end > first]
    assert elsewhere


@pytest.mark.slow
def test_jobs_of_a_host_that_goes_away_are_done_on_another(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "GONE", 2.0)
    both = {"127.0.0.2", "127.0.0.3"}
    (tmp_path / "diary").touch()
    experiment = sleeping(tmp_path, {"slow": 0.5}, repeats=4)
    with scheduler(tmp_path) as (address, _), ExitStack() as leaving:
        leaving.enter_context(worker(address, tmp_path, count=2, host="127.0.0.2"))
        with worker(address, tmp_path, host="127.0.0.3"):
            failed: list[str] = []
            run = threading.Thread(
                target=lambda: failed.extend(Runs(url, address).run(experiment, "slow"))
            )
            run.start()
            wait_for(lambda: {e.host for e in entries(tmp_path)} == both, "trainings on both hosts")
            left = time.time()
            leaving.close()
            run.join(60)
            assert not run.is_alive()
    assert failed == []
    assert {e.host for e in entries(tmp_path) if e.begin > left + 1} == {"127.0.0.3"}
    (result,) = content(url)[3]
    assert result[-1] == 2


@pytest.mark.slow
def test_two_drivers_leave_each_others_reruns_alone(
    hosts: str, postgres_url: str, tmp_path: Path
) -> None:
    experiments = []
    # While one has its reruns, the other has yet to search for long.
    for name, seconds, repeats in (("one", 0.1, 2), ("two", 0.4, 10)):
        (tmp_path / name).mkdir()
        # Models of different names: else one would find the other's trainings in the store.
        experiment = sleeping(tmp_path / name, {name: seconds}, repeats=repeats, reruns=6)
        experiments.append(replace(experiment, name=name))
    failed: list[str] = []

    def run(experiment: Experiment) -> None:
        failed.extend(
            Runs(postgres_url, hosts, locked=experiment.name).run(experiment, experiment.name)
        )

    drivers = [threading.Thread(target=run, args=(experiment,)) for experiment in experiments]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join(120)
    assert failed == []
    done = [entry for name in ("one", "two") for entry in entries(tmp_path / name)]
    assert len(reruns(done, "one")) == len(reruns(done, "two")) == 6
    searches = [entry for entry in done if not entry.is_rerun and entry.model == "two"]
    first = min(entry.begin for entry in done if entry.is_rerun)
    assert any(entry.end > first for entry in searches), "else there was nothing to disturb it"
    assert beside_reruns(done) == []


def test_a_run_has_its_priority_on_the_cluster(workers: str, url: str, tmp_path: Path) -> None:
    experiment = sleeping(tmp_path, {"a": 0.01}, repeats=1, reruns=1)
    assert Runs(url, workers, priority=7).run(experiment, "a") == []
    assert {entry.priority for entry in entries(tmp_path)} == {7}
