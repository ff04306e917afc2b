"""Asking a store for its best parameters."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from runs import Runs
from standin import StandIn
from typer.testing import CliRunner

import studies
from storage.store import Store
from studies.best import app
from studies.chain import open_study, run_chain
from studies.cluster import Cluster
from studies.driver import Driver
from studies.protocol import Protocol
from studies.stages import make_stage

PROTOCOL = Protocol(epochs=2, repeats=2, reruns=2)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> str:
    """A store with MLP in two experiments, CNN without its reruns, and AuxMLP without a search."""

    def work(driver: Driver) -> None:
        run_chain(driver, "toy", "MLP", PROTOCOL)
        run_chain(driver, "other", "MLP", PROTOCOL)
        stage = make_stage("toy", "CNN", "lr-batch", PROTOCOL, None)
        driver.run(stage, open_study(driver, stage))
        published = Protocol(epochs=2, reruns=2, search="published")
        run_chain(driver, "table-1", "AuxMLP", published)

    folder = tmp_path_factory.mktemp("three")
    runs = Runs(f"sqlite:///{folder / 'studies.db'}", cluster)
    assert runs.drive(StandIn(folder, level=0.75), work) == []
    return runs.url


def ask(url: str, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["--storage", url, *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_table_has_ours_beside_the_papers(three: str) -> None:
    header, *rows = [" ".join(line.split()) for line in ask(three).splitlines()]
    assert header == (
        "experiment model learning rate batch alpha searched accuracy paper seconds paper"
    )
    mlp = "MLP 0.005 8 - 0.7500 0.750 ± 0.000 0.813 ± 0.006 11.50 ± 0.71 8.4 ± 0.4"
    cnn = "CNN 0.005 8 - 0.7500 0.822 ± 0.010 10.2 ± 0.5"
    # It was not searched.
    aux = "AuxMLP 0.005 16 0.9 0.750 ± 0.000 0.856 ± 0.011 11.50 ± 0.71 7.3 ± 0.4"
    assert rows[:4] == [f"other {mlp}", f"table-1 {aux}", f"toy {mlp}", f"toy {cnn}"]
    assert [row.split()[0] for row in rows[4:]] == ["Watch:", "Query:"]
    assert len(ask(three, "--experiment", "toy").splitlines()) == 1 + 2 + 2
    assert len(ask(three, "MLP").splitlines()) == 1 + 2 + 2
    assert len(ask(three, "ResNet").splitlines()) == 1 + 2


def test_json_has_winners_and_results(three: str) -> None:
    found = json.loads(ask(three, "--format", "json"))
    assert [(each["experiment"], each["model"]) for each in found] == [
        ("other", "MLP"), ("table-1", "AuxMLP"), ("toy", "MLP"), ("toy", "CNN"),
    ]  # fmt: skip
    assert (found[1]["mean_accuracy"], found[1]["runs"], found[1]["result"]["reruns"]) == (
        None,
        0,
        2,
    )
    found = json.loads(ask(three, "--format", "json", "--experiment", "toy"))
    by_model = {each["model"]: each for each in found}
    assert by_model.keys() == {"MLP", "CNN"}
    assert by_model["CNN"]["result"] is None
    assert by_model["MLP"]["result"]["reruns"] == 2
    assert by_model["MLP"]["mean_accuracy"] == 0.75
    assert by_model["MLP"]["alpha"] is None


def test_a_store_without_results_is_no_error(store: Store, url: str) -> None:
    assert json.loads(ask(url, "--format", "json")) == []


def test_neither_torch_nor_optuna_is_loaded(store: Store, url: str, tmp_path: Path) -> None:
    """They take seconds, and an answer takes none."""
    code = (
        "import sys; from studies.best import app; app(sys.argv[1:], standalone_mode=False); "
        "print({'torch', 'optuna', 'distributed'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--storage", url],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(studies.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"
