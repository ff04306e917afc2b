"""Optuna's own view of a store, for those who only watch."""

from optuna.storages import RDBStorage
from sqlalchemy import text

from storage.errors import explained
from storage.inspection import require_schema
from storage.reader import open_reader, read_only


def open_viewer(url: str) -> RDBStorage:
    """Return Optuna's storage of an existing store; every write to it fails.

    Any number of threads may use it, also while a driver writes the store. Raises `BadStoreURL`,
    and `StoreError` where there is no store that this Optuna can read.
    """
    reader = open_reader(url)
    with explained(reader.url):
        with reader.connect() as connection:
            # A database without it is no store, and Optuna would try to make it one.
            connection.execute(text("select version_num from alembic_version"))
            require_schema(connection, reader.url)
        reader.dispose()
        return RDBStorage(
            reader.url.render_as_string(hide_password=False),
            engine_kwargs=read_only(reader.url),
            skip_compatibility_check=True,
            skip_table_creation=True,
        )
