"""The dashboard command, and optuna-dashboard as it comes, beside a run."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from storage.store import open_store
from storage.urls import artifact_folder
from studies.dashboard.__main__ import HOST, app
from studies.display.table import show_results


def end(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stderr


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store without a study."""
    url = f"sqlite:///{tmp_path / 'my.db'}"
    with open_store(url):
        return url


def test_a_port_in_use_is_bad_usage(url: str) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        code, error = end("--storage", url, "--port", str(port))
    assert code == 2
    assert error == f"error: port {port} is in use: give another with --port\n"


def test_what_is_no_store_is_bad_usage() -> None:
    code, error = end("--storage", "mysql://host/database")
    assert code == 2
    assert "give sqlite:///PATH" in error


def test_figures_lie_beside_the_store(tmp_path: Path) -> None:
    assert artifact_folder(f"sqlite:///{tmp_path}/my.db") == tmp_path / "my-artifacts"
    assert artifact_folder("postgresql+psycopg://u:p@h/d") == Path("studies-artifacts")


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ([], "python -m studies.dashboard"),
        (["my.db"], "python -m studies.dashboard --storage sqlite:///my.db"),
        (["my.db", "my figures"], "--storage sqlite:///my.db --artifact-dir 'my figures'"),
    ],
)
def test_results_end_with_the_command_to_watch_them(
    options: list[str],
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{options[0] if options else 'studies.db'}"
    with open_store(url):
        pass
    show_results(url, artifact_dir=Path(options[1]) if len(options) > 1 else None)
    (watch,) = [line for line in capsys.readouterr().out.splitlines() if "Watch" in line]
    assert watch.endswith(command)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_plain_optuna_dashboard_does_not_disturb_a_run(tmp_path: Path) -> None:
    """It may write, so it is the harder one."""
    with open_store(f"sqlite:///{tmp_path / 'studies.db'}"):
        pass
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    program = shutil.which("optuna-dashboard", path=Path(sys.executable).parent)
    assert program is not None
    address = ["--host", HOST, "--port", str(port), "--server", "wsgiref"]
    artifacts = ["--artifact-dir", "studies-artifacts"]
    run = [sys.executable, "-m", "studies.run", "SiameseMLP", "--epochs", "1", "--repeats", "1"]
    with subprocess.Popen(
        [program, "sqlite:///studies.db", *address, *artifacts],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as server, contextlib.ExitStack() as ends:  # fmt: skip
        ends.callback(server.kill)
        with subprocess.Popen(
            [*run, "--reruns", "2"], cwd=tmp_path, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        ) as running:  # fmt: skip
            answers = 0
            while running.poll() is None:
                for path in ("api/studies", "api/studies/1", "api/studies/2"):
                    answers += _answers(f"http://{HOST}:{port}/{path}")
                time.sleep(0.05)
            assert running.stderr is not None
            assert (running.returncode, running.stderr.read()) == (0, "")
    assert answers > 10


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return bool(answer.read())
    except OSError:  # not up yet, or the study is still to come
        return False
