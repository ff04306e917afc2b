"""Every way a command can end."""

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

import studies
from digitcmp.data.idx import DataError
from storage.errors import BadStoreURL, BadTrainings, OlderSchema, StoreError, StoreInUse
from studies.display.errors import ClusterLost, Interrupted, Terminated, UsageError
from studies.display.exit_codes import (
    FAILED,
    exit_codes,
    interruptible,
    raise_postponed,
    signals_postponed,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ClusterLost("no scheduler"), 1),
        (UsageError("no sense"), 2),
        (DataError("no data"), 2),
        (BadStoreURL("no URL"), 2),
        (BadTrainings("no trainings"), 2),
        (StoreInUse("studies.db", "7", "there"), 3),
        (StoreError("no room"), 4),
        (OlderSchema("too old"), 4),
    ],
)
def test_an_error_with_a_code_is_one_sentence(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as left, exit_codes():
        raise error
    assert left.value.exit_code == code
    assert capsys.readouterr() == ("", f"error: {error}\n")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        OSError(12, "Cannot allocate memory"),
        ImportError("libtorch.so: failed to map segment from shared object"),
    ],
)
def test_too_little_memory_is_one_sentence(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as left, exit_codes():
        raise error
    assert left.value.exit_code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: too little memory, or too few processes, are left ({error!r}")
    assert said.count("\n") == 1


def test_a_mistake_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), exit_codes():
        1 / 0  # noqa: B018


def test_an_end_with_a_code_of_its_own_keeps_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left, exit_codes():
        raise typer.Exit(FAILED)
    assert left.value.exit_code == FAILED
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_a_command_after_its_cleaning_up(
    number: int, code: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(typer.Exit) as left, exit_codes(), interruptible():
        try:
            signal.raise_signal(number)
        finally:
            print("cleaned up")
    assert left.value.exit_code == code
    assert capsys.readouterr() == ("cleaned up\n", f"{word}: the same command goes on from here\n")
    assert signal.getsignal(number) is before


def test_what_fails_as_it_is_cut_short_does_not_hide_the_signal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as left, exit_codes(), interruptible():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            raise ValueError("cannot be undone")
    assert left.value.exit_code == 143
    assert capsys.readouterr().err == "terminated: the same command goes on from here\n"


def test_a_postponed_signal_ends_it_at_the_next_point_that_is_given(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as left, exit_codes(), interruptible():
        with signals_postponed():
            raise_postponed()
            signal.raise_signal(signal.SIGINT)
            print("written whole")
            raise_postponed()
            print("went on")
    assert left.value.exit_code == 130
    assert capsys.readouterr().out == "written whole\n"


def test_a_postponed_signal_ends_it_at_the_latest_with_the_block() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        with signals_postponed():
            signal.raise_signal(signal.SIGINT)
        print("went on")


def test_a_signal_inside_exec_ends_it_with_its_code(tmp_path: Path) -> None:
    """As one does that comes while a dataclass is made. Python would end by killing itself."""
    (tmp_path / "command.py").write_text(
        "import sys\n"
        "import typer\n"
        "from studies.display.exit_codes import exit_codes, interruptible\n"
        "try:\n"
        "    with exit_codes(), interruptible():\n"
        "        exec('import signal; signal.raise_signal(signal.SIGINT)')\n"
        "except typer.Exit as left:\n"
        "    sys.exit(left.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "command"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(studies.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130, done.stderr


@pytest.mark.parametrize(
    ("second", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")]
)
def test_a_second_signal_ends_it_at_once(second: int, word: str) -> None:
    code = (
        "import signal, sys\n"
        "from studies.display.exit_codes import exit_codes, interruptible\n"
        "with exit_codes(), interruptible():\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    finally:\n"
        "        signal.raise_signal(int(sys.argv[1]))\n"
        "        print('went on')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(int(second))],
        env=os.environ | {"PYTHONPATH": str(Path(studies.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (128 + second, "")
    assert done.stderr == f"\n{word}: the same command goes on from here\n"


def test_two_signals_that_come_as_one_end_it_at_once() -> None:
    """As they do while the main thread is in code that is not Python's."""
    code = (
        "import hashlib, os, subprocess\n"
        "from studies.display.exit_codes import exit_codes, interruptible\n"
        "with exit_codes(), interruptible():\n"
        "    try:\n"
        "        term = f'sleep 0.2; kill -TERM {os.getpid()};'\n"
        "        subprocess.Popen(['sh', '-c', term + term])\n"
        "        hashlib.pbkdf2_hmac('sha256', b'', b'', 20_000_000)\n"
        "    finally:\n"
        "        print('went on')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path(studies.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (143, ""), done


def test_a_command_that_cannot_end_in_good_order_ends_all_the_same() -> None:
    code = (
        "import signal, time\n"
        "from studies.display import exit_codes\n"
        "exit_codes.PATIENCE = 0.5\n"
        "with exit_codes.exit_codes(), exit_codes.interruptible():\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGTERM)\n"
        "    finally:\n"
        "        time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path(studies.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 143
    assert done.stderr == "\nterminated: the same command goes on from here\n"


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated)]
)
def test_a_signal_in_a_callback_of_the_garbage_collector_is_not_lost(
    number: int, kind: type[BaseException]
) -> None:
    """Dask has such a callback, and Python drops what is raised in one."""

    def callback(phase: str, info: dict[str, int]) -> None:
        gc.callbacks.remove(callback)
        os.kill(os.getpid(), number)
        for _ in range(1000):  # the handler runs in here
            pass

    with pytest.raises(kind) as raised:
        with interruptible():
            gc.callbacks.append(callback)
            gc.collect()
            time.sleep(10)
    assert raised.type is kind
