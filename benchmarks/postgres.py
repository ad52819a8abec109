"""A PostgreSQL of our own in a temporary folder, for one benchmark."""

from __future__ import annotations

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

PATIENCE = 30.0  # s until it has to answer
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "fsync": "off",  # the way of a change is measured, not the disk
    "log_line_prefix": "%d ",
}


def programs() -> pathlib.Path | None:
    """Return the folder of the newest server that is installed."""
    found = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda path: int(path.parts[-3]), default=None)
    path = newest or shutil.which("initdb")
    return pathlib.Path(path).resolve().parent if path else None


class Postgres:
    """Runs while entered.

    Args:
        folder: where its programs are.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._programs = folder

    def __enter__(self):
        self._folder = pathlib.Path(tempfile.mkdtemp())
        who = {}
        if os.getuid() == 0:  # which it refuses to be run by
            names = {each.pw_name for each in pwd.getpwall()}
            user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        make = ["initdb", "--auth=trust", "--username=postgres", "--no-sync"]
        self._run(make, subprocess.run, check=True, **who)
        given = [f"--{name}={value}" for name, value in OPTIONS.items()]
        serve = ["postgres", "-p", str(self.port), "-k", self._folder, *given]
        self._server = self._run(serve, subprocess.Popen, **who)
        end = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > end or self._server.poll() is not None:
                self.__exit__()
                raise RuntimeError(self.log())
            time.sleep(0.05)
        return self

    def __exit__(self, *_exc):
        self._server.kill() if self._server.poll() is None else None
        self._server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def database(self, name: str) -> str:
        """Make a database and return its URL."""
        import psycopg

        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
            connection.execute(f"ALTER DATABASE {name} SET log_statement = 'all'")
        return self._url(name)

    def log(self) -> str:
        """Return what it has logged."""
        return (self._folder / "log").read_text("utf-8", "replace")

    def _url(self, name):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def _answers(self):
        import psycopg

        try:
            psycopg.connect(self._url("postgres"), connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, command, how, **options):
        program, *rest = command
        whole = [self._programs / program, "-D", self._folder / "data", *rest]
        with (self._folder / "log").open("ab") as log:
            return how(whole, stdout=log, stderr=log, cwd=self._folder, **options)
