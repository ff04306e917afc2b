"""Models are run from scripts and notebooks as from the command line, with its sentences."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import studies
from studies.bound import FOLDER
from studies.display.errors import UsageError
from studies.search import service
from tests.studies.test_run import FOREST, defined

TWO_MODELS = """
import studies

print("runs")
results = studies.run_models(
    ["SiameseMLP", "MLP"], "sqlite:///own.db", workers=1, epochs=1, repeats=1, reruns=1,
    grid={"learning_rate": [0.001], "batch_size": [64, 128]},
)
for result in results:
    print(result.model, result.parameters["batch_size"], result.reruns)
print(len(studies.results("sqlite:///own.db").trainings))
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What the service is asked for; it trains nothing."""
    monkeypatch.chdir(tmp_path)
    calls: list[Any] = []
    monkeypatch.setattr(service, "run_models", lambda *given: calls.append(given) or [])
    result = SimpleNamespace(mean=0.5)

    def rows(storage: str, name: str, models: list[str]) -> Any:
        known = [SimpleNamespace(best=SimpleNamespace(model=m), result=result) for m in models]
        return [], known[::-1]

    monkeypatch.setattr("studies.scripts.results", rows)
    return calls


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        ("MLPP", {}, "no model is called 'MLPP': did you mean MLP?"),
        (["MLP", "auxsiamesecnn"], {}, "did you mean AuxsiameseCNN?"),
        ([5], {}, "no model is called '5'"),
        ("MLP", {"epoch": 5}, "there is no option 'epoch': did you mean epochs?"),
        ("MLP", {"worker": 1}, "there is no option 'worker': did you mean workers?"),
        ("MLP", {"epochs": 0}, "epochs must be from 1 to 10000, not 0"),
        ("MLP", {"epochs": "5"}, "epochs must be a whole number, not '5'"),
        ("MLP", {"workers": 0}, "workers must be at least 1, not 0"),
        ("MLP", {"workers": "two"}, "workers must be a whole number, not 'two'"),
        ("MLP", {"workers": True}, "workers must be a whole number, not True"),
        ("MLP", {"workers": 1, "cluster": "tcp://127.0.0.1:9"}, "a cluster has its own"),
        ("MLP", {"data": "mnits"}, "data must be mnist-sample or mnist, not mnits"),
        ("MLP", {"grid": {"batch_sizes": [8]}}, "'batch_sizes': did you mean batch_size?"),
        ("MLP", {"grid": {"batch_size": []}}, "batch_size has no values: give at least one"),
        ("MLP", {"storage": "studies.db"}, "not a storage URL"),
        ("MLP", {"define": "missing.py"}, "no file missing.py: give the Python file"),
        ("MLP", {"experiment": "my/own"}, "'my/own' names no experiment"),
    ],
)
def test_what_makes_no_sense_gets_the_sentence_of_the_command(
    names: Any, options: dict[str, Any], said: str, asked: list[Any], tmp_path: Path
) -> None:
    with pytest.raises(UsageError if "storage" not in options else ValueError) as raised:
        studies.run_models(names, **options)
    assert said in str(raised.value)
    assert asked == []
    assert not list(tmp_path.iterdir())


def test_arguments_reach_the_run(asked: list[Any], tmp_path: Path) -> None:
    grid = {"batch_size": [8]}
    results = studies.run_models(["CNN", "MLP", "CNN"], grid=grid, workers=1, epochs=5)
    assert len(results) == 2
    ((experiment, models, settings, _),) = asked
    assert models == ["CNN", "MLP"]
    assert experiment.name == "paper+epochs=5+batch_size=8"
    assert settings == service.Settings(workers=1)


def test_one_name_all_names_and_a_file(asked: list[Any], tmp_path: Path) -> None:
    assert len(studies.run_models("all")) == 15
    define = defined(tmp_path, FOREST)[1]
    assert len(studies.run_models("Tree", define=define, artifact_dir="figures")) == 1
    experiment, models, settings, _ = asked[1]
    assert (experiment.name, models) == ("forest", ["Tree"])
    assert settings.artifact_dir == tmp_path / "figures"
    with pytest.raises(UsageError, match="run_model runs one model"):
        studies.run_model("all")


def test_failed_cells_are_an_error(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "run_models", lambda *_: ["paper/MLP/alpha: no luck", "x"])
    with pytest.raises(RuntimeError, match=r"^paper/MLP/alpha: no luck; x$"):
        studies.run_model("MLP")


@pytest.mark.slow
def test_a_script_runs_two_models_on_one_worker(tmp_path: Path, cache: Path) -> None:
    """At its top level, from a file and from standard input."""
    (tmp_path / "script.py").write_text(TWO_MODELS)
    for words, script in ((["script.py"], None), (["-"], TWO_MODELS)):
        done = subprocess.run(
            [sys.executable, *words],
            input=script,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(FOLDER), "DIGITCMP_CACHE": str(cache)},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = [line.split() for line in done.stdout.splitlines()]
        assert [line[0] for line in lines] == ["runs", "SiameseMLP", "MLP", "6"]
        assert [line[2] for line in lines[1:3]] == ["1", "1"]
        assert "Traceback" not in done.stderr
