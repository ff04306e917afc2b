"""What a run will do is told before, by what this machine was measured to do."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from storage.store import Store
from studies.experiment.definition import Experiment
from studies.paper import experiment as paper
from studies.search.announce import announced, planned
from studies.search.durations import Durations
from studies.search.forecast import Forecast
from studies.search.speed import Probe, Speed, keep, kept
from studies.workers.cluster import Cluster
from tests.support.runs import DATA
from tests.support.standin import StandIn, narrow
from tests.support.terminal import Terminal

SPEED = Speed("2026-11-29", ((1.125, 0.0, 1.0), (3.0, 0.0, 2.0)), ((3.0, 0.5, 1.0),), 4.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITCMP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def terminal(tmp_path: Path, cache: Path) -> Iterator[Terminal]:
    """With a cache of its own, so that nothing was measured before."""
    folder = tmp_path / "typed"
    folder.mkdir()
    shutil.copytree(cache, tmp_path / "own")
    with closing(Terminal(folder, tmp_path / "own")) as opened:
        yield opened


def typed(terminal: Terminal, standin: StandIn, *words: str) -> str:
    process = terminal.start_standin(standin, *words)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    return str(said)


def test_a_plan_makes_no_store(terminal: Terminal, standin: StandIn) -> None:
    slow = replace(standin, seconds=0.6)
    words = ("MLP", "CNN", "--repeats", "2", "--reruns", "2", "--grid", "batch_size=16,64")
    said = typed(terminal, slow, *words, "--plan")
    assert list(terminal.folder.iterdir()) == []
    assert "Measuring how fast this machine trains 2 models" in said
    assert "2 models, 4 studies, 36 trainings. 36 are left to run, in about" in said
    assert "measured here on" in said
    assert "recorded" not in said
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line}
    assert rows["MLP"][1:4] == ["2", "18", "18"]
    # Stacks of two on two workers take a second and more, reruns as long each.
    assert 3 <= int(rows["MLP"][4]) <= 30
    assert rows["total"][1:4] == ["4", "36", "36"]


def test_a_plan_reads_the_store(terminal: Terminal, standin: StandIn) -> None:
    words = ("MLP", "--repeats", "2", "--reruns", "2", "--grid", "batch_size=16,64")
    typed(terminal, standin, *words)
    before = terminal.store.read_bytes()
    said = typed(terminal, standin, "CNN", *words, "--plan")
    assert "18 of them are recorded already and 18 are left to run" in said
    assert terminal.store.read_bytes() == before


def test_a_training_is_told_by_those_nearest(store: Store) -> None:
    """And by its epochs, where one was measured."""
    experiment = paper(epochs=2)
    durations = Durations(store.engine, experiment, 2, {"MLP": SPEED})
    cells = {size: {"learning_rate": 1e-3, "batch_size": size} for size in (8, 16, 128)}
    assert durations.of("MLP", cells[8]) == pytest.approx(4.0)
    assert durations.of("MLP", cells[128]) == pytest.approx(2.0)
    assert durations.of("MLP", cells[16]) == pytest.approx(2.0 + 2.0 * 0.875 / 1.875)
    # A rerun has all cores, and what is beside its epochs counts once.
    assert durations.of("MLP", cells[8], is_timed=True) == pytest.approx(2.5)
    assert durations.of("CNN", cells[8]) is None


def test_what_is_kept_is_of_the_same_training(tmp_path: Path) -> None:
    experiment = paper(epochs=2)
    file = Probe(experiment, "MLP").file(DATA.sha256, 2)
    keep(file, SPEED)
    assert kept(experiment, ["MLP", "CNN"], DATA.sha256, 2) == {"MLP": SPEED}
    assert kept(paper(epochs=25), ["MLP"], DATA.sha256, 2) == {"MLP": SPEED}
    assert kept(experiment, ["MLP"], DATA.sha256, 1) == {}
    assert kept(paper(auxiliary="logits"), ["AuxMLP"], DATA.sha256, 2) == {}
    file.write_text('{"measured_on": "yesterday"}')
    assert kept(experiment, ["MLP"], DATA.sha256, 2) == {}


def forecast_of(store: Store, experiment: Experiment) -> Forecast:
    keep(Probe(experiment, "MLP").file(DATA.sha256, 2), SPEED)
    with Cluster(None, 2, {}) as cluster:
        return Forecast(store.engine, experiment, ["MLP"], DATA.sha256, cluster)


def test_a_race_is_told_from_the_least_to_the_most(store: Store, standin: StandIn) -> None:
    forecast = forecast_of(store, narrow(standin.experiment(racing=True)))
    said = announced(forecast)
    assert "up to 50 are left to run, in about" in said
    lines = list(planned(forecast))
    # Three of each of four cells, the other seven of a leader, and the reruns.
    assert any("29 to 50" in line for line in lines)
    assert "from least to most" in lines[-1]


def test_further_studies_are_not_counted(store: Store, standin: StandIn) -> None:
    forecast = forecast_of(store, narrow(standin.experiment(extend=2)))
    assert "goes on, in up to 2 further studies" in announced(forecast)
    assert "at least the trainings and times above" in list(planned(forecast))[-1]
    forecast = forecast_of(store, narrow(standin.experiment(repeats=1, settle=8)))
    assert "get up to 8 repeats." in announced(forecast)
    assert "at least the trainings and times above" in list(planned(forecast))[-1]


def test_a_run_measures_what_is_short_beside_it(store: Store, standin: StandIn) -> None:
    """Trainings of which no shorter form is known tell their time as they are done."""
    asked = []
    for experiment in (paper(epochs=2), paper(epochs=2, repeats=1, reruns=1), standin.experiment()):
        with Cluster(None, 2, {}) as cluster:
            forecast = Forecast(store.engine, experiment, ["MLP"], DATA.sha256, cluster)
            forecast._measure = lambda _, models: asked.append(models)  # type: ignore[method-assign]
            forecast.measure_short(Console())
            assert "in a time that is not known yet." in announced(forecast)
    assert asked == [["MLP"], [], []]
