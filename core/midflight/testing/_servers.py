"""Real servers that tests start, kill and start again, in folders of their own."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self

import pytest

from midflight.testing._system import wait_until

_PATIENCE = 60.0  # s, before a server counts as one that does not start
_PORTS = range(20_000, 32_000)  # below those that systems hand out by themselves

# Ends the server and removes its folder when the tests are gone, even by SIGKILL.
_GUARD = """
import contextlib, os, shutil, signal, sys
pid = 0
for line in sys.stdin:
    pid = int(line)
if pid:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""


def lacking(what: str, package: str) -> NoReturn:
    """Skip the test for want of a program, or fail it where servers are required.

    They are where the environment says `MIDFLIGHT_REQUIRE_SERVERS=1`.

    Args:
        what: the program.
        package: the Debian package that has it.
    """
    message = f"no {what} here: install the Debian package `{package}`"
    if os.environ.get("MIDFLIGHT_REQUIRE_SERVERS") == "1":
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    """Return a port of 127.0.0.1 nobody listens on, that no connection will take."""
    for port in random.SystemRandom().sample(_PORTS, 100):  # seeded alike elsewhere
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    msg = "no free port"
    raise RuntimeError(msg)


class Server:
    """A server in a folder and on a port of its own; override `command` and `answers`.

    Use it in `with`, mostly from a fixture of session scope. It ends with the tests,
    however they end.

    Attributes:
        program: its executable, sought in the path and in `/usr/sbin`.
        package: the Debian package that has it.
        farewell: the signal by which an operator ends it.
        port: where it listens on 127.0.0.1; stays the same over a restart.
        folder: for its data; stays the same as well.
        process: the running server, or `None`.
        identity: who runs it, as arguments of `subprocess.Popen`.

    Raises:
        Skipped: there is no such program; a failure where servers are required.
    """

    program = ""
    package = ""
    farewell: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self) -> None:
        self.path = self._found()
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.identity: dict[str, Any] = {}
        # As root, a folder that the server's own user can reach.
        root = hasattr(os, "getuid") and os.getuid() == 0
        self.folder = Path(tempfile.mkdtemp(dir="/tmp" if root else None))  # noqa: S108  # a new folder below it
        self._guard = subprocess.Popen(
            [sys.executable, "-Ic", _GUARD, str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    # -- what a kind of server overrides -----------------------------------------

    def command(self) -> Sequence[str | Path]:
        """Return the command line, made of `path`, `port` and `folder`."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Tell whether the server takes requests; called again and again."""
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    # -- what tests do -----------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.finish()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def start(self) -> None:
        """Start the server on its port and data, and wait until it answers."""
        if self.process is not None:
            return
        command = self.command()
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, **self.identity
            )
        self._tell_guard(self.process.pid)
        wait_until(self._has_started, f"the start of {command[0]}", _PATIENCE)

    def kill(self) -> None:
        """Kill the server with all of its processes; wait until they are gone."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGSTOP)  # it starts no more of them
        pids = self._pids()
        _send(pids, signal.SIGKILL)
        self._gone(pids)

    def stop(self) -> None:
        """Ask the server to end, as an operator does; wait until it has."""
        if self.process is None:
            return
        pids = self._pids()
        self.process.send_signal(self.farewell)
        self._gone(pids)

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """Hold its processes meanwhile: connections are taken, and nothing answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)  # it starts no more of them
        pids = self._pids()
        try:
            _send(pids, signal.SIGSTOP)
            yield
        finally:
            _send(pids, signal.SIGCONT)

    def finish(self) -> None:
        """End the server for good and remove its folder."""
        self.kill()
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(_PATIENCE)

    # -- inside ------------------------------------------------------------------

    def _pids(self) -> list[int]:
        assert self.process is not None
        return [self.process.pid, *_children_of(self.process.pid)]

    def _found(self) -> str:
        path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
        found = shutil.which(self.program, path=path) if self.program else ""
        return lacking(self.program, self.package) if found is None else found

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _has_started(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            msg = f"{self.command()[0]} ended:\n{self._log.read_text()}"
            raise RuntimeError(msg)
        return self.answers()

    def _gone(self, pids: Sequence[int]) -> None:
        if self.process is not None:
            self.process.wait(_PATIENCE)
        self.process = None
        self._tell_guard(0)
        wait_until(lambda: not any(map(_is_alive, pids)), "its end", _PATIENCE)

    def _tell_guard(self, pid: int) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.write(f"{pid}\n")
        self._guard.stdin.flush()


def _children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]
    return []


def _send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_alive(pid: int) -> bool:
    """Tell whether a process runs: one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
