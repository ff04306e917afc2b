"""Whatever happens to the standard streams, a command goes on, and ends with an exit code."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest

from storage.output import output


def ends(stdout: TextIO, code: int, monkeypatch: pytest.MonkeyPatch, own: int = 0) -> str:
    """Print more than a buffer holds, with a sign that ASCII lacks; what stderr then has."""
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    with pytest.raises(SystemExit) as ended, output():
        for _ in range(3):
            print("0.813 ± 0.006 " * 1000, flush=True)
        print("\udcff", "end")
        sys.exit(own)
    assert sys.stdout is stdout
    assert (ended.value.code or 0) == code
    return stderr.getvalue()


@pytest.mark.parametrize(("own", "code"), [(0, 1), (4, 4), (130, 130)])
def test_a_full_device_is_told_at_the_end(
    own: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w") as stdout:
        said = ends(stdout, code, monkeypatch, own)
    assert said == "error: the output could not be written (No space left on device)\n"


@pytest.mark.parametrize("own", [0, 3])
def test_a_reader_may_leave(own: int, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        assert ends(stdout, own, monkeypatch, own) == ""


def test_what_cannot_be_encoded_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as stdout:
        assert ends(stdout, 0, monkeypatch) == ""
    lines = (tmp_path / "out").read_text().splitlines()
    assert lines[0].startswith("0.813 ? 0.006 ")
    assert lines[-1] == "? end"


def test_stand_ins_and_closed_streams_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.StringIO()
    assert ends(stdout, 0, monkeypatch) == ""
    assert stdout.getvalue().endswith("end\n")
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as ended, output():
        print("nowhere")
    assert not ended.value.code


@pytest.mark.parametrize("module", ["storage.upgrade", "studies.best"])
def test_a_command_on_a_full_device(module: str) -> None:
    """Usage is printed by typer, before any code of a command."""
    with Path("/dev/full").open("w") as device:
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            stdout=device,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONIOENCODING": "ascii"},
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: the output could not be written (No space left on device)\n"
