"""Bring a store of an older version up to date: `python -m storage.upgrade URL`.

`optuna storage upgrade` alone fails over our views: it rebuilds the tables below them.
"""

from typing import Annotated

import typer
from optuna.storages import RDBStorage
from sqlalchemy import URL

from storage.backup import backup
from storage.commands import exit_codes, new_app, run_app
from storage.errors import OlderSchema, explained
from storage.inspection import require_usable
from storage.layout import bring_up_to_date
from storage.lock import store_lock
from storage.reader import open_reader
from storage.store import open_store
from storage.urls import connect_args, parse
from storage.views import drop_views

app = new_app()


@app.command()
def command(
    url: Annotated[str, typer.Argument(metavar="URL", help="The store.")],
) -> None:
    """Bring a store of an older version up to date, in place.

    Of a SQLite store PATH, PATH.bak keeps what was before.
    """
    with exit_codes():
        upgrade(url)


def upgrade(url: str) -> None:
    """Upgrade the store in place; of a SQLite store, PATH.bak keeps what it was before.

    Raises `BadStoreURL`, `StoreInUse`, and `StoreError`, also where there is no store.
    """
    parsed = parse(url)
    with store_lock(url, ["upgrade"]), explained(parsed):
        if _is_older(parsed):
            backup(url)
            _migrate(parsed)
        with open_store(url):
            pass


def _is_older(url: URL) -> bool:
    try:
        open_reader(url.render_as_string(hide_password=False)).dispose()
        require_usable(url)
    except OlderSchema:
        return True
    return False


def _migrate(url: URL) -> None:
    optuna = RDBStorage(
        url.render_as_string(hide_password=False),
        engine_kwargs={"connect_args": connect_args(url)},
        skip_compatibility_check=True,
    )
    try:
        with optuna.engine.begin() as connection:
            drop_views(connection)
        optuna.upgrade()
        with optuna.engine.begin() as connection:
            bring_up_to_date(connection)
    finally:
        optuna.engine.dispose()


if __name__ == "__main__":
    run_app(app, "storage.upgrade")
