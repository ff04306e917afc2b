"""A password stays where it was given, and nobody but this machine is listened to."""

import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.faults.stores.small_searches import SMALL, Record
from tests.support.postgres import SECRET
from tests.support.terminal import Terminal

LOOPBACK = {"127.0.0.1", "::1"}


@pytest.fixture
def terminal(tmp_path: Path, cache: Path) -> Iterator[Terminal]:
    with closing(Terminal(tmp_path, cache)) as opened:
        yield opened


def listeners(terminal: Terminal) -> set[str]:
    """The addresses on which processes of a terminal listen."""
    found = set()
    for pid in terminal.processes():
        try:
            connections = psutil.Process(pid).net_connections()
        except psutil.Error:  # gone meanwhile
            continue
        found |= {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}
    return found


def workers_say(terminal: Terminal, typed: Sequence[str]) -> set[str]:
    """The command lines of all processes, but the one that the user typed: the driver has it, and
    so has each of its children until it runs a program of its own."""
    lines = set()
    for pid in terminal.processes():
        with suppress(OSError):  # gone meanwhile
            lines.add(Path(f"/proc/{pid}/cmdline").read_bytes().decode())
    return lines - {"\0".join([*typed, ""])}


def stored(url: str) -> str:
    """Everything in the database, as text."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'public'"
        ).fetchall()
        assert len(tables) > 10
        rows = [
            connection.execute(SQL("select t::text from {} t").format(Identifier(table))).fetchall()
            for (table,) in tables
        ]
    return "\n".join(text for of_table in rows for (text,) in of_table)


@pytest.mark.slow
def test_a_password_is_nowhere_and_only_loopback_is_listened_on(
    terminal: Terminal, postgres_url: str, record_property: Record
) -> None:
    seen: set[str] = set()
    lines: set[str] = set()
    process = terminal.start("studies.run", "MLP", *SMALL, "--storage", postgres_url)
    while process.poll() is None:
        seen |= listeners(terminal)
        lines |= workers_say(terminal, process.args)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    said = "\n".join([*lines, output])
    assert "--storage postgresql+psycopg://tester@" in said, "how to see more"
    assert "multiprocessing" in said, "how workers are started"

    dashboard = terminal.start("studies.dashboard", "--port", "0", "--storage", postgres_url)
    assert dashboard.stdout is not None
    line = dashboard.stdout.readline()
    address = line.split()[-1].removesuffix("/dashboard")
    seen |= listeners(terminal)
    for page in ("dashboard", "api/studies", "api/studies/1", "api/studies/2"):
        with urllib.request.urlopen(f"{address}/{page}") as answer:
            said += answer.read().decode()
    dashboard.terminate()
    said += dashboard.communicate()[0]
    said += terminal.run("studies.best", "--storage", postgres_url)

    assert seen, "nothing listened"
    held = {
        "said": said,
        "store": stored(postgres_url),
        "files": b"\n".join(
            path.read_bytes() for path in terminal.folder.rglob("*") if path.is_file()
        ).decode(errors="replace"),
    }
    assert "studies.run MLP" in held["store"], "the command is kept"
    wrong = [where for where, text in held.items() if SECRET in text]
    wrong += sorted(seen - LOOPBACK)
    record_property("fault", f"a password in the URL, listeners: 1 run, {len(wrong)} violations")
    assert wrong == []
