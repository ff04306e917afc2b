"""Runs on one PostgreSQL store, which people share."""

import subprocess
import sys
from collections.abc import Sequence

import psycopg
import pytest

SMALL = ["--epochs", "1", "--repeats", "2", "--reruns", "2", "--experiment", "small"]

pytestmark = pytest.mark.slow


def start(url: str, *arguments: str, module: str = "studies.run") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments, "--storage", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


@pytest.fixture
def rows(postgres_url: str) -> Sequence[tuple[object, ...]]:
    """What two runs, started together on different models, leave in `model_results`."""
    runs = [start(postgres_url, model, *SMALL) for model in ("SiameseMLP", "AuxsiameseMLP")]
    for code, output in map(end, runs):
        assert code == 0, output
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        return connection.execute("select model, reruns from model_results order by 1").fetchall()


def test_different_models_share_a_store(
    rows: Sequence[tuple[object, ...]], postgres_url: str
) -> None:
    assert rows == [("AuxsiameseMLP", 2), ("SiameseMLP", 2)]
    password = postgres_url.partition("tester:")[2].partition("@")[0]
    code, best = end(start(postgres_url, module="studies.best"))
    assert code == 0, best
    assert "AuxsiameseMLP" in best and "SiameseMLP" in best
    again = start(postgres_url, "SiameseMLP", *SMALL)
    code, output = end(again)
    assert code == 0, output
    assert "nothing is left to train" in output
    assert password not in best + output


def test_the_same_model_is_refused(postgres_url: str) -> None:
    """Of two runs started together one wins, and the other names it."""
    runs = [start(postgres_url, "SiameseMLP", *SMALL) for _ in range(2)]
    ended = sorted(map(end, runs))
    assert [code for code, _ in ended] == [0, 3], ended
    assert "small/SiameseMLP in postgresql" in ended[1][1]
    assert any(f"process {run.pid}" in ended[1][1] for run in runs)
