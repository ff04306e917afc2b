"""A dashboard that starts before there is a store, and goes on without one."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from storage.errors import BadStoreURL, StoreError
from storage.store import open_store
from studies.dashboard.__main__ import HOST, make
from tests.support.filled import BEST_TREE, FOREST, Filled, around

WAITS = "Waiting for a store at"


@contextmanager
def served(url: str, folder: Path) -> Iterator[str]:
    """The address of a dashboard that runs."""
    with make(url, 0, folder / "figures") as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


def get(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def fill(url: str, model: str) -> None:
    with open_store(url) as store:
        Filled(store, FOREST, BEST_TREE).model(model, around(0.3), stop="rate")


def test_it_waits_for_a_store_shows_it_and_waits_again(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with served(url, tmp_path) as address:
        status, page = get(address)
        assert status == 200
        assert f"{WAITS} {tmp_path / 'studies.db'}." in page
        assert f"python -m studies.run all --storage {url}" in page
        assert WAITS in get(f"{address}/dashboard")[1]
        status, answer = get(f"{address}/api/studies")
        assert (status, list(json.loads(answer))) == (503, ["reason"])
        assert list(tmp_path.iterdir()) == []
        for model in ("Forest", "Boost"):
            fill(url, model)
            status, page = get(address)
            assert (status, model in page) == (200, True)
            assert f"forest/{model}/shape" in get(f"{address}/api/studies")[1]
            assert get(f"{address}/dashboard")[1] != page
            # Deleted while it is open, then made anew.
            (tmp_path / "studies.db").unlink()
            status, page = get(address)
            assert (status, WAITS in page, model in page) == (200, True, False)
            assert get(f"{address}/api/studies")[0] == 503
    assert capfd.readouterr() == ("", "")


def test_a_store_in_another_ones_place_is_shown(url: str, tmp_path: Path) -> None:
    fill(url, "Forest")
    with served(url, tmp_path) as address:
        assert "Forest" in get(address)[1]
        other = tmp_path / "other.db"
        fill(f"sqlite:///{other}", "Boost")
        other.replace(tmp_path / "studies.db")
        page = get(address)[1]
        assert "Boost" in page
        assert "Forest" not in page


@pytest.mark.parametrize("server", ["url", "postgres_url"])
def test_a_store_is_waited_for_while_a_run_makes_it(
    server: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A run makes the file first, then each table, then the views."""
    url = request.getfixturevalue(server)
    answers = []

    def execute(_0: object, _1: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith(("CREATE", "INSERT")):
            answers.append((*get(address), *get(f"{address}/api/studies")))

    with served(url, tmp_path) as address:
        event.listen(Engine, "before_cursor_execute", execute)
        try:
            with open_store(url):
                pass
        finally:
            event.remove(Engine, "before_cursor_execute", execute)
        assert "No study has begun yet." in get(address)[1]
    assert len(answers) > 20
    for status, page, status_of_program, reason in answers:
        assert (status, WAITS in page) == (200, True)
        assert (status_of_program, list(json.loads(reason))) == (503, ["reason"])


def test_what_turns_out_to_be_no_store_is_said(url: str, tmp_path: Path) -> None:
    with served(url, tmp_path) as address:
        assert WAITS in get(address)[1]
        (tmp_path / "studies.db").write_text("no database, but a text that is long enough" * 100)
        status, page = get(address)
        assert status == 503
        assert "is not an SQLite database" in page
        assert "Traceback" not in page
        (tmp_path / "studies.db").unlink()
        assert WAITS in get(address)[1]


def test_an_empty_database_of_a_server_is_waited_for(postgres_url: str, tmp_path: Path) -> None:
    with served(postgres_url, tmp_path) as address:
        assert WAITS in get(address)[1]
        fill(postgres_url, "Forest")
        assert "Forest" in get(address)[1]


@pytest.mark.parametrize(
    ("url", "code", "sentence"),
    [
        ("mysql://host/database", 2, "give sqlite:///PATH"),
        ("sqlite:///missing/studies.db", 2, "no folder"),
        ("sqlite:///.", 2, "is not a file"),
        ("sqlite:///text.db", 4, "is not an SQLite database"),
    ],
)
def test_what_can_be_no_store_ends_it(
    url: str, code: int, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.db").write_text("no database, but a text that is long enough" * 100)
    with pytest.raises((BadStoreURL, StoreError), match=sentence) as ended:
        make(url, 0, tmp_path).server_close()
    assert ended.value.exit_code == code


def test_where_no_run_could_make_a_store_it_ends(small_disk: Callable[[str], Path]) -> None:
    small_disk("size=1m")
    disk = small_disk("ro")
    with pytest.raises(StoreError, match="is read-only"):
        make(f"sqlite:///{disk}/studies.db", 0, disk).server_close()
