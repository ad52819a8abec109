"""Database servers that tests start and kill.

A server is started when a test first asks for it, once in each process that runs tests.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import ClassVar

import pytest

from midflight.testing import Server, lacking


class DatabaseServer(Server):
    """A database server, and what can be done to it."""

    scheme = user = password = catalogue = ""

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

    def _prepare(self, *command):
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, **self.identity
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


class Postgres(DatabaseServer):
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


class MariaDB(DatabaseServer):
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
        how = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        self._prepare(installer, *self._where(), *how)

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
            f"--socket={self.folder}/socket",
            f"--port={self.port}",
            f"--init-file={self.folder}/users.sql",
        ]
        return [self._program, *self._where(), *where, *options]

    def _where(self):
        """Return what keeps a server to its folder.

        One that starts removes all temporary tables of its `tmpdir`, also those that
        another is about to read.
        """
        own = [f"--datadir={self.folder}/data", f"--tmpdir={self.folder}"]
        return ["--no-defaults", *own, *self._as]

    def drop(self, database):
        """Remove a database, whoever is still connected."""
        self.run(f"DROP DATABASE {database}")


@pytest.fixture(scope="session")
def _postgres():
    with Postgres(Postgres.programs()) as server:
        yield server


@pytest.fixture(scope="session")
def _mariadb():
    with MariaDB(*MariaDB.programs()) as server:
        yield server


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
