"""A PostgreSQL server of our own, which tests may stop and start."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

SECRET = "canary-5ecret"


class Server:
    """A real server on loopback in a folder of its own; `start` it first."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # The server refuses to run as root, and the account it runs as cannot enter tmp_path.
        self._account = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        password = self._folder / "password"
        password.write_text(SECRET)
        if os.getuid() == 0:
            for path in (self._folder, password):
                shutil.chown(path, self._account)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        secret = f"--pwfile={password}"
        self._call(
            "initdb", "-U", "tester", "-A", "scram-sha-256", secret, "--no-sync", "-E", "UTF8"
        )

    @property
    def url(self) -> str:
        """Of a database on it."""
        return f"postgresql+psycopg://tester:{SECRET}@127.0.0.1:{self._port}/postgres"

    @property
    def log(self) -> Path:
        """What the server says, with every statement that writes."""
        return self._folder / "log"

    def start(self) -> None:
        options = (
            f"-p {self._port} -h 127.0.0.1 -k {self._folder} -c fsync=off -c log_statement=mod"
        )
        self._call("pg_ctl", "start", "-w", "-l", str(self.log), "-o", options)

    def stop(self) -> None:
        """At once, without a word to its clients."""
        self._call("pg_ctl", "stop", "-m", "immediate")

    def remove(self) -> None:
        shutil.rmtree(self._folder)

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, "-D", self._folder / "data", *arguments],
            user=self._account if os.getuid() == 0 else None,
            cwd=self._folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
