"""Database servers that tests start and kill.

A server is started when a test first asks for it, once in each process that runs tests.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any, ClassVar

import pytest

from midflight.testing import wait_until

PATIENCE = 60  # s, before a server counts as one that does not start
PORTS = range(20_000, 32_000)  # below those that systems hand out by themselves

# Ends the server and removes its folder when the tests are gone, even by SIGKILL.
GUARD = """
import contextlib, os, shutil, signal, sys
pid = 0
for line in sys.stdin:
    pid = int(line)
if pid:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""


def lacking(what, package):
    """Skip the test for want of a program, or fail it where servers are required."""
    message = f"no {what} here: install the Debian package `{package}`"
    if os.environ.get("MIDFLIGHT_REQUIRE_SERVERS") == "1":
        pytest.fail(message)
    pytest.skip(message)


def free_port():
    """Return a port nobody listens on, that no outgoing connection will take."""
    for port in random.SystemRandom().sample(PORTS, 100):  # seeded alike elsewhere
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


def children_of(pid):
    """Return the processes that a process has started."""
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]
    return []


def is_alive(pid):
    """Tell whether a process runs: one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Server:
    """One server in a folder and on a port of its own.

    Attributes:
        port: where it listens on 127.0.0.1; stays the same over a restart.
        process: the running server, or None.
    """

    scheme = user = password = catalogue = ""
    farewell = signal.SIGTERM

    def __init__(self):
        self.port = free_port()
        self.process: Any = None
        self.identity: dict = {}  # who runs the server, for `subprocess`
        # As root, a folder that the server's own user can reach.
        self.folder = Path(tempfile.mkdtemp(dir="/tmp" if os.getuid() == 0 else None))
        self._guard: Any = subprocess.Popen(
            [sys.executable, "-Ic", GUARD, self.folder],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def start(self):
        """Start the server on its port and data, and wait until it answers."""
        if self.process is not None:
            return
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, cwd=self.folder, **self.identity
            )
        self._tell_guard(self.process.pid)
        wait_until(self._has_started, f"the start of {self.command()[0]}", PATIENCE)

    def kill(self):
        """Kill the server with all of its processes; wait until they are gone."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGSTOP)  # it starts no more of them
        pids = [self.process.pid, *children_of(self.process.pid)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._gone(pids)

    def stop(self):
        """Ask the server to end, as an operator does."""
        if self.process is None:
            return
        pids = [self.process.pid, *children_of(self.process.pid)]
        self.process.send_signal(self.farewell)
        self._gone(pids)

    def finish(self):
        """End the server for good and remove its folder."""
        self.kill()
        self._guard.stdin.close()
        self._guard.wait(PATIENCE)

    def url(self, database, *, port=None, user=None, password=None):
        """Return SQLAlchemy's address of a database, perhaps through another port."""
        who = f"{user or self.user}:{password or self.password}"
        return f"{self.scheme}://{who}@127.0.0.1:{port or self.port}/{database}"

    def create(self):
        """Create an empty database and return its name."""
        name = f"t{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name}")
        return name

    def run(self, statement, database=None):
        """Execute one statement by itself, as one who may do everything."""
        from sqlalchemy import NullPool, create_engine, text

        url = self.url(database or self.catalogue)
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(statement))

    def answers(self):
        """Tell whether the server takes connections."""
        from sqlalchemy.exc import OperationalError

        with contextlib.suppress(OperationalError):
            self.run("SELECT 1")
            return True
        return False

    def command(self):
        """Return the command line of the server."""
        raise NotImplementedError

    @property
    def _log(self):
        return self.folder / "log"

    def _has_started(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.command()[0]} ended:\n{self._log.read_text()}")
        return self.answers()

    def _gone(self, pids):
        self.process.wait(PATIENCE)
        self.process = None
        self._tell_guard(0)
        wait_until(lambda: not any(map(is_alive, pids)), "its end", PATIENCE)

    def _tell_guard(self, pid):
        self._guard.stdin.write(f"{pid}\n")
        self._guard.stdin.flush()

    def _prepare(self, *command):
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, **self.identity
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


class Postgres(Server):
    """PostgreSQL, which refuses to run as root; any password will do."""

    scheme, catalogue = "postgresql+psycopg", "postgres"
    user = password = "postgres"
    farewell = signal.SIGINT  # its fast shutdown: SIGTERM waits for the clients
    options: ClassVar = {
        "listen_addresses": "127.0.0.1",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "fsync": "off",  # what a killed process has written stays written
    }

    def __init__(self, programs):
        super().__init__()
        self._programs = programs
        if os.getuid() == 0:
            names = {each.pw_name for each in pwd.getpwall()}
            user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.identity = {
                "user": user.pw_uid,
                "group": user.pw_gid,
                "extra_groups": [],
            }
        how = ["--auth=trust", "--username=postgres", "--no-locale", "--encoding=UTF8"]
        data = self.folder / "data"
        self._prepare(programs / "initdb", "--no-sync", "-D", data, *how)

    @classmethod
    def programs(cls):
        """Return the folder of the newest PostgreSQL, or skip."""
        found = {
            int(each.parts[-3]): each.parent
            for each in Path("/usr/lib/postgresql").glob("*/bin/initdb")
            if re.fullmatch(r"\d+", each.parts[-3])
        }
        if found:
            return found[max(found)]
        if path := shutil.which("initdb"):
            return Path(path).resolve().parent
        return lacking("initdb", "postgresql")

    def command(self):
        """Return the command line of the server."""
        options = [f"--{name}={value}" for name, value in self.options.items()]
        where = ["-D", self.folder / "data", "-k", self.folder, "-p", str(self.port)]
        return [self._programs / "postgres", *where, *options]

    def drop(self, database):
        """Remove a database, whoever is still connected."""
        self.run(f"DROP DATABASE {database} WITH (FORCE)")


class MariaDB(Server):
    """MariaDB, with one user who needs a password."""

    scheme, catalogue = "mysql+pymysql", "mysql"
    user = password = "midflight"
    options: ClassVar = {
        "bind-address": "127.0.0.1",
        "max-connections": "200",
        "innodb-buffer-pool-size": "32M",
        "innodb-flush-log-at-trx-commit": "2",  # as PostgreSQL's fsync=off
        "performance-schema": "OFF",
        "skip-name-resolve": "ON",
    }

    def __init__(self, server, installer):
        super().__init__()
        self._program = server
        self._as = ["--user=root"] if os.getuid() == 0 else []
        who = f"'{self.user}'@'%'"
        (self.folder / "users.sql").write_text(
            f"CREATE USER IF NOT EXISTS {who} IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {who} WITH GRANT OPTION;\n"
        )
        how = ["--auth-root-authentication-method=normal", "--skip-test-db", *self._as]
        self._prepare(installer, "--no-defaults", f"--datadir={self.folder}/data", *how)

    @classmethod
    def programs(cls):
        """Return the server's program and the one that makes its folder, or skip."""
        path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
        names = ("mariadbd", "mariadb-install-db")
        found = [shutil.which(name, path=path) for name in names]
        for name, place in zip(names, found, strict=True):
            if place is None:
                lacking(name, "mariadb-server-core")
        return found

    def command(self):
        """Return the command line of the server."""
        options = [f"--{name}={value}" for name, value in self.options.items()]
        where = [
            f"--datadir={self.folder}/data",
            f"--socket={self.folder}/socket",
            f"--port={self.port}",
            f"--init-file={self.folder}/users.sql",
        ]
        return [self._program, "--no-defaults", *where, *options, *self._as]

    def drop(self, database):
        """Remove a database, whoever is still connected."""
        self.run(f"DROP DATABASE {database}")


@pytest.fixture(scope="session")
def _postgres():
    server = Postgres(Postgres.programs())
    try:
        server.start()
        yield server
    finally:
        server.finish()


@pytest.fixture(scope="session")
def _mariadb():
    server = MariaDB(*MariaDB.programs())
    try:
        server.start()
        yield server
    finally:
        server.finish()


@pytest.fixture
def postgres_server(_postgres):
    """A running PostgreSQL; see `Server` for what can be done to it."""
    yield _postgres
    _postgres.start()


@pytest.fixture
def mariadb_server(_mariadb):
    """A running MariaDB; see `Server` for what can be done to it."""
    yield _mariadb
    _mariadb.start()
