"""Tables in a terminal: in parts where they are wider than it, and nothing lost."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from storage.store import open_store
from studies.display.columns import aligned, paragraph
from tests.support.filled import PAPER, Filled, family

WORDS = [("model", ["MLP", "SiameseMLP"])]
NUMBERS = [
    [("rate", ["0.5", "0.25"])],
    [("accuracy", ["0.8", "0.9"]), ("published", ["0.7", ""])],
    [("seconds", ["8", "11"])],
]


def test_a_table_that_fits_is_one() -> None:
    one = ["model       rate  accuracy  published  seconds",
           "MLP          0.5       0.8        0.7        8",
           "SiameseMLP  0.25       0.9                  11"]  # fmt: skip
    assert list(aligned(WORDS, NUMBERS)) == one
    assert list(aligned(WORDS, NUMBERS, len(one[0]))) == one


def test_a_wide_table_has_parts_and_what_belongs_together_stays_so() -> None:
    assert list(aligned(WORDS, NUMBERS, 32)) == [
        "model       rate",
        "MLP          0.5",
        "SiameseMLP  0.25",
        "",
        "model       accuracy  published",
        "MLP              0.8        0.7",
        "SiameseMLP       0.9",
        "",
        "model       seconds",
        "MLP               8",
        "SiameseMLP       11",
    ]


@pytest.mark.parametrize("width", range(1, 60, 3))
def test_no_part_of_a_table_is_lost(width: int) -> None:
    titles = " ".join(aligned(WORDS, NUMBERS, width)).split()
    for column in (*WORDS, *(column for group in NUMBERS for column in group)):
        assert {column[0], *filter(None, column[1])} <= set(titles)


def test_a_paragraph_keeps_words_and_options_whole() -> None:
    lines = paragraph("A better one may lie beyond: give --extend 1, a-very-long-word-of-some", 20)
    assert lines == [
        "A better one may lie",
        "beyond: give",
        "--extend 1,",
        "a-very-long-word-of-some",
    ]


def in_a_terminal(width: int, *command: str) -> list[str]:
    """What a command prints in a terminal of this width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 12, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        output = b""
        while True:
            try:
                output += os.read(ours, 4096)
            except OSError:  # nothing holds the other end any more
                break
    os.close(ours)
    assert process.returncode == 0, output
    return output.decode().splitlines()


def test_results_break_no_word_at_60_columns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    with open_store(url) as store:
        family(Filled(store, PAPER))
    command = (sys.executable, "-m", "studies.best", "--storage", url)
    narrow, wide = in_a_terminal(60, *command), in_a_terminal(200, *command)
    # Commands stay whole, as people copy them.
    lines = [line for line in narrow if not line.startswith(("Watch:", "Query:"))]
    assert max(map(len, lines)) <= 60 < max(map(len, wide))
    assert set(" ".join(narrow).split()) == set(" ".join(wide).split())
    assert any(line.startswith("AuxsiameseMLP/lr-batch ") for line in narrow)
