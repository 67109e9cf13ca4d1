"""A server of PostgreSQL for the tests, on loopback and in a folder of its own."""

from __future__ import annotations

import csv
import io
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

JAR = Path("/usr/share/java/postgresql.jar")
_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
PASSWORD = "se cret'\\ü"
_ACCESS = """
local all all trust
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
_SETTINGS = """
fsync = off
listen_addresses = '127.0.0.1'
logging_collector = off
max_connections = 60
timezone = 'Pacific/Chatham'
"""


def need_postgresql() -> None:
    """Skip the tests where it is not installed; fail where the environment says that it is."""
    missing = [] if JAR.exists() else ["libpostgresql-jdbc-java"]
    if _program("initdb") is None:
        missing.append("postgresql")
    if not missing:
        return
    why = f"PostgreSQL is not there for tests/jdbc: apt-get install {' '.join(missing)}"
    if os.environ.get("REQUIRE_POSTGRESQL") == "1":
        pytest.fail(why)
    pytest.skip(why)


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        port: Its port on 127.0.0.1.
        program: Where its client is.
    """

    port: int
    program: str

    def url(self, database: str = "postgres") -> str:
        return f"jdbc:postgresql://127.0.0.1:{self.port}/{database}"

    def sql(self, text: str, *, database: str = "postgres") -> list[tuple[str, ...]]:
        """Run statements as the superuser, and return the rows of the last as text."""
        arguments = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database]
        options = ["-X", "--csv", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-P", "null=NULL"]
        done = subprocess.run(
            [self.program, *arguments, *options, "-f", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PGCLIENTENCODING": "UTF8", "PGTZ": "UTC"},
        )
        assert done.returncode == 0, done.stderr
        return [tuple(row) for row in csv.reader(io.StringIO(done.stdout))]

    @contextmanager
    def holding(self, text: str) -> Iterator[Callable[[], None]]:
        """Run statements in a session that stays, with its locks; yield what ends it before."""
        arguments = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", "postgres"]
        with subprocess.Popen(
            [self.program, *arguments, "-X", "-A", "-t", "-q"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{text};\n\\echo held\n")
            process.stdin.flush()
            while process.stdout.readline() != "held\n":
                assert process.poll() is None

            def end() -> None:
                process.stdin.close()
                process.wait()

            try:
                yield end
            finally:
                end()


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server, and stop it at the end."""
    # Not below pytest's folder, which another user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="spark-infer-postgresql-"))
    user = None
    if os.geteuid() == 0:
        user = _user()
        found = pwd.getpwnam(user)
        os.chown(folder, found.pw_uid, found.pw_gid)
    data = folder / "data"
    try:
        _run(
            user,
            "initdb",
            "-D",
            str(data),
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--no-sync",
            "-A",
            "trust",
        )
        (data / "pg_hba.conf").write_text(_ACCESS)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(_SETTINGS)
            settings.write(f"port = {port}\nunix_socket_directories = '{folder}'\n")
        log = folder / "log"
        _run(user, "pg_ctl", "-D", str(data), "-l", str(log), "-w", "start")
        try:
            psql = _program("psql")
            assert psql is not None
            yield Server(port, psql)
        finally:
            _run(user, "pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> str:
    """Return who runs the server, which root may not."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _program(name: str) -> str | None:
    for folder in _FOLDERS:
        if (folder / name).exists():
            return str(folder / name)
    return shutil.which(name)


def _run(user: str | None, name: str, *arguments: str) -> None:
    program = _program(name)
    assert program is not None
    done = subprocess.run(
        [program, *arguments],
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
        cwd="/",
        # The server keeps what it inherits: not a pipe that somebody reads to its end.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, f"{name} failed"
