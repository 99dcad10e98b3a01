"""A PostgreSQL server of the tests' own: a temporary folder, a unix socket, nothing else.

PostgreSQL refuses to run as root: it then runs as `postgres`, or `nobody` where there is no such user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

import psycopg


class PostgresServer:
    """Running between `__enter__` and `__exit__`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="isocenter-pg-"))
        self.user = _user()
        self.process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str:
        """Why there can be no server here; empty when there can."""
        if _binary("initdb") is None or _binary("postgres") is None:
            return "PostgreSQL's server binaries are not installed (Debian: postgresql)"
        return ""

    def __enter__(self) -> PostgresServer:
        os.chmod(self.folder, 0o700)
        if self.user is not None:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        data = self.folder / "data"
        subprocess.run(
            [_binary("initdb"), "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._identity(),
        )
        self.process = subprocess.Popen(
            [_binary("postgres"), "-D", data, "-k", self.folder, "-h", "", "-c", "fsync=off"],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._identity(),
        )
        self._wait()
        return self

    def _identity(self) -> dict[str, object]:
        if self.user is None:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def url(self, database: str) -> str:
        return f"postgresql://tester@/{database}?host={self.folder}"

    def new_database(self, name: str) -> str:
        """Create an empty database; its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # names come from the tests
        return self.url(name)

    def end_sessions(self, database: str) -> None:
        """End every session of a database, as a restart of the server does."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
                (database,),
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)  # at once: what it would write is thrown away
            self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


def _binary(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def _user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("no user to run PostgreSQL as")
