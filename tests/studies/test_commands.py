"""All commands under one name, each with its version; the shell completes their words."""

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

from studies.__main__ import COMMANDS, main
from studies.bound import FOLDER
from tests.studies.test_run import FOREST, defined


def typed(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *words],
        env=os.environ | {"PYTHONPATH": str(FOLDER)} | more,
        capture_output=True,
        text=True,
        check=False,
    )


VERSION = f"digit-studies {version('digit-studies')}\n"


@pytest.mark.parametrize("words", ["", *COMMANDS])
def test_each_command_has_a_version(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--version", "--help"):
        with pytest.raises(SystemExit) as ended:
            main([*words.split(), option])
        assert not ended.value.code
    said = capsys.readouterr().out
    assert said.startswith(VERSION)
    assert "  --version" in said


@pytest.mark.parametrize("module", ["studies.run", "storage.export", "studies"])
def test_modules_have_it_too(module: str) -> None:
    done = typed(module, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, VERSION, "")


def test_the_script_is_the_module(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["digit-studies"].partition(":")
    assert getattr(import_module(module), function) is main
    assert project["version"] == version("digit-studies")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("best --storage sqlite:///missing.db", 4, "no store at"),
        ("report --storage sqlite:///missing.db", 4, "no store at"),
        ("dashboard --storage mysql://host/database", 2, "no store can be kept in mysql"),
        ("run MLPP", 2, "no model is called 'MLPP': did you mean MLP?"),
        ("run --define missing.py all", 2, "no file missing.py"),
        ("export trainings.txt", 2, "ends in neither"),
        ("copy sqlite:///missing.db sqlite:///b.db", 4, "no store at"),
        ("bets", 2, "No such command 'bets'. Did you mean 'best'?"),
    ],
)
def test_commands_end_as_they_do_alone(
    words: str, code: int, said: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == code
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_options_of_a_file_are_those_of_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["run", *defined(tmp_path, FOREST), "--help"])
    said = capsys.readouterr().out
    assert "digit-studies run" in said
    assert "--repeats" in said
    assert "--epochs" not in said


def test_the_list_of_commands_loads_none_of_them() -> None:
    code = (
        "import sys; sys.argv = ['digit-studies', '--help']\n"
        "from studies.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print({'torch', 'optuna', 'matplotlib'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("re", ["report"]),
        ("run AuxsiameseC", ["AuxsiameseCNN"]),
        ("run --ep", ["--epochs"]),
        ("run --define nowhere.py MLP --auxi", ["--auxiliary"]),
        ("best --form", ["--format"]),
        ("--inst", ["--install-completion"]),
    ],
)
def test_the_shell_completes_words(words: str, completed: list[str], tmp_path: Path) -> None:
    typing = {
        "_DIGIT_STUDIES_COMPLETE": "complete_bash", "COMP_WORDS": f"digit-studies {words}",
        "COMP_CWORD": str(len(words.split())),
    }  # fmt: skip
    done = typed("studies", **typing)
    assert (done.stdout.split(), done.stderr) == (completed, "")


@pytest.mark.slow
def test_completion_is_installed_for_bash(tmp_path: Path) -> None:
    """As the manual says, in a bash, which is told by the process that starts the command."""
    # With a second command after it, bash does not let the first take its place.
    typed_in_bash = f"{sys.executable} -m studies --install-completion bash; exit $?"
    shown = subprocess.run(
        ["bash", "-c", typed_in_bash],
        env=os.environ | {"PYTHONPATH": str(FOLDER), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stdout
    assert "digit-studies" in (tmp_path / ".bashrc").read_text() + "".join(
        path.read_text() for path in tmp_path.rglob("*digit-studies*") if path.is_file()
    )
