"""Files that define experiments: what they may hold, and what is said of those that hold none."""

import pickle
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest

from studies import Experiment
from studies.display.errors import UsageError
from studies.experiment.file import load
from studies.experiment.options import ExperimentFunction
from tests.studies.experiment.conftest import Define

FOREST = """
    from studies import Experiment, Stage

    def train(parameters, seed):
        return {"accuracy": 0.5}

    experiment = Experiment("forest", {"Forest": train}, [Stage("size", depth=[4, 8])])
"""


def test_a_file_defines_an_experiment(define: Define) -> None:
    experiment = define(FOREST)
    assert isinstance(experiment, Experiment)
    assert (experiment.name, list(experiment.models)) == ("forest", ["Forest"])


def test_a_file_defines_a_function_that_makes_experiments(define: Define) -> None:
    made = define(
        """
        from __future__ import annotations
        from dataclasses import dataclass
        from studies import Experiment, Stage

        @dataclass
        class Result:
            accuracy: float

        def experiment(epochs: int = 5):
            def train(parameters, seed):
                return vars(Result(epochs / 10))

            return Experiment("forest", {"Forest": train}, [Stage("size", depth=[4, 8])])
        """
    )
    assert isinstance(made, ExperimentFunction)
    assert made(epochs=3).training("Forest").train({}, [0], None) == [{"accuracy": 0.3}]


def test_a_file_may_have_any_name_and_lie_anywhere(
    define: Define, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("my-forest", "json", "numpy", "1"):
        assert isinstance(define(FOREST, name), Experiment)
        assert isinstance(load(f"{name}.py"), Experiment)
    assert "loads" in dir(sys.modules["json"])


def test_a_file_imports_what_lies_beside_it(define: Define) -> None:
    experiment = define(
        "from helpers import experiment",
        helpers=FOREST.replace("0.5", "VALUE") + "\n    from pack.deep import VALUE",
        pack____init__="",
        pack__deep="VALUE = 0.25",
    )
    assert isinstance(experiment, Experiment)
    assert experiment.training("Forest").train({}, [0], None) == [{"accuracy": 0.25}]


WORKER = """
import pickle, sys
trainings = pickle.loads(sys.stdin.buffer.read())
print(trainings["Forest"].train({"depth": 4}, [1], None))
"""


def test_a_function_travels_by_value_with_all_it_uses(define: Define, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    experiment = define(
        """
        import math
        from helpers import half
        from pack.deep import Third
        from studies import Experiment, Stage

        FACTOR = 3

        class Model:
            def score(self, depth):
                return math.floor(half(FACTOR * depth)) + Third().value

        def train(parameters, seed):
            return {"accuracy": Model().score(parameters["depth"]) + seed}

        experiment = Experiment("forest", {"Forest": train}, [Stage("size", depth=[4, 8])])
        """,
        helpers="import other\n\ndef half(number):\n    return number / other.TWO",
        other="TWO = 2",
        pack____init__="",
        pack__deep="class Third:\n    value = 30",
    )
    assert isinstance(experiment, Experiment)
    content = cloudpickle.dumps(dict(experiment.models))
    assert pickle.loads(content)["Forest"].train({"depth": 4}, [1], None) == [{"accuracy": 37}]
    # A worker has this program, and neither file nor folder of the user.
    done = subprocess.run(
        [sys.executable, "-c", WORKER], input=content, cwd=folder, capture_output=True, check=False
    )
    assert done.stdout == b"[{'accuracy': 37}]\n", done.stderr.decode()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("experiment = Experiment(", "{file}, line 1: '(' was never closed"),
        ("x = 1\n  y = 2", "{file}, line 2: unexpected indent"),
        ("x = 'ä\0'", "{file}: source code string cannot contain null bytes"),
        ("x = 1", "{file} defines no `experiment`"),
        ("experiment = 5", "`experiment` in {file} is 5, no Experiment"),
        ("x = 1\nimport nowhere", "{file}, line 2: ModuleNotFoundError: No module named 'nowhere'"),
        ("raise SystemExit('no')", "{file}, line 1: SystemExit: no"),
        ("raise ValueError('one\\nmore')", "{file}, line 1: ValueError: one"),
        ("from studies import Stage\n\nStage('size')", "{file}, line 3: stage size has no values"),
        ("def experiment(epochs):\n    pass", "parameter epochs of the experiment function needs"),
        ("from studies import Experiment as experiment", "function needs a default"),
    ],
)
def test_a_file_that_defines_none_is_refused(
    define: Define, tmp_path: Path, source: str, said: str
) -> None:
    with pytest.raises(UsageError) as error:
        define(source)
    assert str(error.value).startswith(said.format(file=tmp_path / "mine.py")) or (
        "{file}" not in said and said in str(error.value)
    )
    assert "\n" not in str(error.value)


def test_a_mistake_beside_the_file_is_told_where_it_is(define: Define, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        define("import helpers", helpers="\n\nx = (")
    assert str(error.value) == f"{tmp_path / 'helpers.py'}, line 3: '(' was never closed"
    with pytest.raises(UsageError, match=r"mine.py, line 1: ZeroDivisionError: division by zero"):
        define("import helpers", helpers="\n\n1 / 0")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    for path, said in {
        tmp_path / "missing.py": f"no file {tmp_path / 'missing.py'}: give the Python file",
        tmp_path: f"no file {tmp_path}",
        tmp_path / "mine.txt": "is no Python file: give one whose name ends in .py",
    }.items():
        with pytest.raises(UsageError, match=said):
            load(str(path))
