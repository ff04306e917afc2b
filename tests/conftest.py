"""A real PostgreSQL server of our own, for the tests that need one."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

SECRET = "canary-5ecret"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server on loopback; the URL of a database on it."""
    found = [Path(which).parent for which in [shutil.which("initdb")] if which]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        reason = "no PostgreSQL server is installed (initdb)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    # The server refuses to run as root, and the account it runs as cannot enter tmp_path.
    account = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    (folder / "password").write_text(SECRET)
    if os.getuid() == 0:
        for path in (folder, folder / "password"):
            shutil.chown(path, account)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def call(program: str, *arguments: str) -> None:
        subprocess.run(
            [found[-1] / program, "-D", folder / "data", *arguments],
            user=account if os.getuid() == 0 else None,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
    secret = f"--pwfile={folder / 'password'}"
    call("initdb", "-U", "tester", "-A", "scram-sha-256", secret, "--no-sync", "-E", "UTF8")
    call("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
    try:
        yield f"postgresql+psycopg://tester:{SECRET}@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """An empty database."""
    server = postgres_server.replace("+psycopg", "")
    with psycopg.connect(server, autocommit=True) as connection:
        # Ten times as fast as a new database.
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")
    return postgres_server
