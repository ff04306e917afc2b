"""Which URLs are taken; the others are refused and leave no file."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from storage.backup import backup
from storage.errors import BadStoreURL, StoreError, explained
from storage.lock import store_lock
from storage.reader import open_reader
from storage.store import open_store
from storage.urls import parse, sqlite_path

BAD = [
    "",
    "studies.db",
    "/data/studies.db",
    "sqlite://",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite:///file:studies.db?mode=ro&uri=true",
    "sqlite:///studies.db?timeout=5",
    "sqlite:///studies.db?y",
    "sqlite://data/studies.db",
    "sqlite://me:canary@data/studies.db",
    "sqlite://me:can@ary@data/studies.db",
    "sqlite:///missing/studies.db",
    "sqlite:///folder",
    "sqlite:///file/studies.db",
    "sqlite:///nul\0byte",
    f"sqlite:///{'x' * 300}",
    "sqlite+aiosqlite:///studies.db",
    "mysql://me:canary@db/studies",
    "postgresql+psycopg2://me:canary@db/studies",
    "postgresql://me:canary@canary@db/studies",
    "postgresql://me:canary@db:port/studies",
    "postgresql://me:?canary@db/studies",
    "postgresql://me:?a=canary@db/studies",
    "postgresql://db/studies?bogus=1",
    "postgresql://db/studies?y",
    "http://me:canary@db/",
]


@pytest.mark.parametrize("url", BAD)
@pytest.mark.parametrize(
    "use", [open_reader, backup, open_store, lambda url: store_lock(url, ["a/b"])]
)
def test_bad_urls_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, use: Callable[[str], Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(BadStoreURL) as caught:
        use(url).__enter__()
    message = str(caught.value)
    assert "\n" not in message and "canary" not in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_paths_are_absolute_and_free_of_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that one store has one lock, whatever it is called."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.db").symlink_to(tmp_path / "studies.db")
    for name in ("studies.db", "link.db", f"{tmp_path}/./studies.db"):
        assert sqlite_path(parse(f"sqlite:///{name}")) == tmp_path / "studies.db"


def test_servers_get_their_driver() -> None:
    for name in ("postgresql", "postgresql+psycopg"):
        parsed = parse(f"{name}://me:pass%40word@db/studies")
        assert (parsed.drivername, parsed.password) == ("postgresql+psycopg", "pass@word")
        assert sqlite_path(parsed) is None


def test_a_server_without_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg.pq", None)
    with pytest.raises(BadStoreURL, match="pip install"):
        parse("postgresql://db/studies")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://data/studies.db", "did you mean sqlite:///data/studies.db?"),
        ("sqlite://studies.db", "did you mean sqlite:///studies.db?"),
        ("sqlite:///x.db?y", "a file has no options such as y: give sqlite:///PATH"),
        ("postgresql://db/a?ssl_mode=no", "no option 'ssl_mode': did you mean sslmode?"),
        ("postgresql://db/a?bogus", "PostgreSQL has no option 'bogus': did you mean "),
    ],
)
def test_typos_are_told(url: str, said: str) -> None:
    with pytest.raises(BadStoreURL, match=re.escape(said)):
        parse(url)


def test_a_current_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(BadStoreURL, match=r"studies.db cannot be a store \(No such file"):
        parse("sqlite:///studies.db")
    assert sqlite_path(parse(f"sqlite:///{tmp_path}/studies.db")) == tmp_path / "studies.db"


def test_a_reader_needs_a_store(tmp_path: Path, sqlite_url: str) -> None:
    with pytest.raises(StoreError, match="no store at"):
        open_reader(sqlite_url)
    assert not list(tmp_path.iterdir())


def test_a_reader_cannot_write(url: str) -> None:
    with open_store(url):
        pass
    reader = open_reader(url)
    with pytest.raises(StoreError, match="is read-only"), explained(url), reader.begin() as begun:
        begun.execute(text("delete from training_runs"))
    reader.dispose()


def test_options_of_a_server_are_kept(postgres_url: str) -> None:
    reader = open_reader(f"{postgres_url}?options=-c%20work_mem%3D7MB")
    with reader.connect() as connection:
        for name, value in (("work_mem", "7MB"), ("jit", "off")):
            assert connection.scalar(text(f"show {name}")) == value
    reader.dispose()


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "%41#.db", "ü&=.db"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/{quote(name)}"
    with store_lock(url, []), open_store(url):
        assert backup(url) == tmp_path / f"{name}.bak"
    open_reader(url).dispose()
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, f"{name}.bak"]


def test_reading_loads_neither_optuna_nor_torch() -> None:
    code = (
        "import sys, storage.queries, storage.reader; print({'optuna', 'torch'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
