"""What may have happened to a SQLite store between two runs."""

import sqlite3
from contextlib import closing
from pathlib import Path


def other_text(path: Path) -> None:
    path.write_text("this is not a database, and longer than one header of SQLite" * 100)


def other_program(path: Path) -> None:
    path.unlink()
    execute(path, "create table bookmarks (url)")


def header(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[:16] = bytes(16)
    path.write_bytes(content)


def middle_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8 * 4096 : 10 * 4096] = b"\xff" * (2 * 4096)
    path.write_bytes(content)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 5 * 4096 + 100])


def newer(path: Path) -> None:
    execute(path, "update alembic_version set version_num = 'v9.0.0.a'")


def older(path: Path) -> None:
    execute(path, "update alembic_version set version_num = 'v3.0.0.d'")


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


DAMAGES = [
    (other_text, "not an SQLite database"),
    (other_program, "database of another program.*bookmarks"),
    (header, "not an SQLite database"),
    (middle_page, "is damaged"),
    (truncated, "is damaged"),
    (newer, r"newer Optuna \(schema v9\.0\.0\.a"),
    (older, r"older Optuna \(schema v3\.0\.0\.d.*python -m storage.upgrade"),
]
"""Each with what is said of it, as a regular expression."""
