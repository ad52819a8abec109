"""Throws bytes at the admin of a running service, and looks at what becomes of it.

No test by itself, since it takes minutes: `python tests/admin/fuzz_socket.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

CANARY = "canary-5b1fbb3c"
APP = f"""\
modules:
  log:
    type: logging
    config: {{level: INFO}}
service:
  password: {CANARY}
  dsn: "postgresql://app:{CANARY}@db.example.org/app"
"""
TARGETS = [
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/",
    "/login",
    "/modules/log",
    "/page/static/app.js",
    *(
        f"/api/v1/{each}"
        for each in (
            "status",
            "config",
            "modules?limit=1",
            "modules/log?probe=true",
            "modules/log/config",
            "modules/log/config?dry_run=true",
            "explain?all=true",
            "history",
            "versions",
            "overrides?path=modules.log.config.level",
            "plan",
            "apply",
            "rollback",
            "reload",
        )
    ),
]
METHODS = ["GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
BODIES = [
    b'{"level": "DEBUG"}',
    b'{"level": "\\ud800"}',
    b'{"level": 1e999}',
    b'{"value": "INFO"}',
    b'{"generation": 1}',
    b'{"token": "x"}',
    b"{}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"\xff\xfe\x00",
    b'{"level": ' + b"9" * 5_000 + b"}",
    b"token=x&next=//example.org",
]
HEADERS = [
    "Content-Type: application/json",
    "Content-Type: application/x-www-form-urlencoded",
    "Content-Encoding: gzip",
    "Expect: 100-continue",
    "If-Match: *",
    'If-None-Match: "x", *',
    "Idempotency-Key: fuzz",
    "Last-Event-ID: 99999999999999999999",
    "Connection: close",
    "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13",
    "Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AA",
    "Origin: null",
    "Sec-Fetch-Site: cross-site",
    "Host: evil.example",
    "Cookie: midflight=x; a=\xff",
    "X-Forwarded-For: 1.2.3.4",
    "X-Long: " + "x" * 70_000,
    " folded: x",
    "Authorization: Bearer mf_00000000_" + "A" * 43,
]
LENGTHS = ["-1", "0", "5", "1000000000000", "5, 5", "0x10", "\u00b2", "1" * 400, ""]
CHUNKS = [
    b"5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"FFFFFFFFFFFFFFFFFFFF\r\nx",
    b"5;" + b"x" * 10_000 + b"\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"0\r\nX: y\r\n\r\n",
]
FORBIDDEN = re.compile(rb"Traceback|File \"|" + CANARY.encode() + rb"|/midflight")
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
DECLARED = {503}  # of those from 500 on, what a sound service may answer


def request(dice: random.Random, host: str, token: str) -> bytes:
    """Make a request, sound in most of its parts."""
    lines = [
        f"{dice.choice(METHODS)} {dice.choice(TARGETS)} HTTP/1.{dice.choice('01')}"
    ]
    if dice.random() < 0.9:
        lines.append(f"Host: {host}")
    if dice.random() < 0.8:
        lines.append(f"Authorization: Bearer {token}")
    lines += dice.sample(HEADERS, dice.choice([0, 0, 1, 2, 4]))
    body = dice.choice([b"", b"", *BODIES])
    if dice.random() < 0.6 and body:
        lines.append("Content-Type: application/json")
    how = dice.random()
    if how < 0.7:
        lines.append(f"Content-Length: {len(body)}")
    elif how < 0.8:
        lines.append(f"Content-Length: {dice.choice(LENGTHS)}")
    elif how < 0.95:
        lines.append("Transfer-Encoding: chunked")
        body = dice.choice([*CHUNKS, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)])
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def mutated(dice: random.Random, data: bytes) -> bytes:
    """Break it in one way or another, or in none."""
    at = dice.randrange(len(data) + 1)
    byte = bytes([dice.randrange(256)])
    ways: list[Callable[[], bytes]] = [
        lambda: data,
        lambda: data[:at],
        lambda: data[:at] + byte + data[at:],
        lambda: data[:at] + byte + data[at + 1 :],
        lambda: data[:at] + b"\0" * dice.choice([1, 9]) + data[at:],
        lambda: data[:at] + data[: dice.randrange(2_000)] + data[at:],
        lambda: data.replace(b"\r\n", b"\n"),
        lambda: data.replace(b" ", b"\t"),
        lambda: data * dice.choice([2, 3, 20]),
        lambda: dice.randbytes(dice.choice([1, 50, 5_000])),
        lambda: b"\r\n" * 500 + data,
    ]
    return dice.choice(ways)()


class Target:
    """A service in a process of its own, in development mode.

    Args:
        folder: where it keeps its files.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "app.yaml").write_text(APP)
        self._log = folder / "log"
        words = ["run", "app.yaml", "--admin", "127.0.0.1:0", "--state-dir", "state"]
        command = [sys.executable, "-X", "dev", "-m", "midflight", *words]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, stderr=log)
        self._wait("ready:")
        self.port = int(self._wait(r"admin is at http://127\.0\.0\.1:(\d+)"))
        self.token = (folder / "state/admin.token").read_text().strip()
        self._wait("ready:")
        self._let_in()

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text(errors="replace")

    def _wait(self, pattern: str) -> str:
        due = time.monotonic() + 30
        while not (found := re.search(pattern, self.log)):
            if self.process.poll() is not None or time.monotonic() > due:
                raise SystemExit(self.log)
            time.sleep(0.05)
        return found[found.lastindex or 0]

    def _let_in(self) -> None:
        """Have no limit on how often this host asks."""
        body = b'{"requests_per_second": 1e6, "failed_logins": 9999, "patience": 2}'
        self.ask("PATCH", "/api/v1/modules/admin/config", body)

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the answer to a sound request."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Authorization: Bearer {self.token}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        with self.connect() as sock:
            sock.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            return received(sock)

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def use(self) -> dict[str, int]:
        """Return how much it holds: descriptors, threads, KiB of memory."""
        base = Path(f"/proc/{self.process.pid}")
        status = dict(
            line.split(":", 1) for line in (base / "status").read_text().splitlines()
        )
        return {
            "descriptors": len(list((base / "fd").iterdir())),
            "threads": int(status["Threads"]),
            "memory": int(status["VmRSS"].split()[0]),
        }

    def answers(self) -> bool:
        """Tell whether it answers as it should."""
        return self.ask("GET", "/api/v1/status").startswith(b"HTTP/1.1 200")

    def settle(self) -> None:
        """Wait until connections and streams have ended."""
        due = time.monotonic() + 30
        while self.use()["descriptors"] > 60 and time.monotonic() < due:
            time.sleep(0.2)
        time.sleep(2)

    def stop(self) -> int:
        """End it as a service manager does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def received(sock: socket.socket) -> bytes:
    """Return all that comes until it is quiet or closed."""
    parts = []
    with contextlib.suppress(OSError):
        while part := sock.recv(65_536):
            parts.append(part)
    return b"".join(parts)


class Found:
    """What was seen."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.sent = 0
        self._lock = threading.Lock()

    def note(self, sent: bytes, got: bytes) -> None:
        """Look at an answer."""
        with self._lock:
            self.sent += 1
            for each in STATUS.findall(got):
                self.statuses[int(each)] += 1
                if int(each) >= 500 and int(each) not in DECLARED:
                    self._wrong(f"status {int(each)}", sent, got)
            if FORBIDDEN.search(got):
                self._wrong("tells too much", sent, got)

    def _wrong(self, what: str, sent: bytes, got: bytes) -> None:
        if len(self.wrong) < 20:
            self.wrong.append(f"{what}: {sent[:600]!r} -> {got[:600]!r}")


def told(log: str) -> str:
    """Return a log without what only developers see.

    The requests turn it on now and then; and the last lines are the interpreter's.
    """
    begin = r"^(?=\d{4}-\d\d-\d\d |\d\d:\d\d:\d\d |sys:1: |ResourceWarning)"
    records = re.split(begin, log, flags=re.MULTILINE)
    hidden = re.compile(r"[\d:, -]+DEBUG |sys:1: ResourceWarning|ResourceWarning: E")
    return "".join(each for each in records if not hidden.match(each))


def attack(target: Target, found: Found, seed: int, until: float) -> None:
    """Send one request after another."""
    dice = random.Random(seed)
    host = f"127.0.0.1:{target.port}"
    while time.monotonic() < until:
        data = request(dice, host, target.token)
        if dice.random() < 0.5:
            data = mutated(dice, data)
        got = b""
        with contextlib.suppress(OSError), target.connect() as sock:
            sock.settimeout(0.15)
            for part in pieces(dice, data):
                sock.sendall(part)
            if dice.random() < 0.7:
                got = received(sock)
            if dice.random() < 0.2:
                sock.shutdown(socket.SHUT_WR)
                got += received(sock)
        found.note(data, got)


def pieces(dice: random.Random, data: bytes) -> Iterator[bytes]:
    """Cut it, as a network does."""
    if dice.random() < 0.8:
        yield data
        return
    while data:
        size = dice.choice([1, 7, 100, 10_000, 1_000_000])
        yield data[:size]
        data = data[size:]


def main() -> int:
    """Fuzz, and say what was found; 1 if that is anything."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=300)
    options.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(2)))
    options.add_argument("--keep", type=Path, help="where the log shall stay")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        target = Target(Path(folder))
        found = Found()

        def run(seconds: float, seed: int) -> None:
            until = time.monotonic() + seconds
            threads = [
                threading.Thread(target=attack, args=(target, found, seed + n, until))
                for n in range(4)
            ]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            target.settle()

        run(min(60, given.seconds / 3), given.seed)  # caches are full then
        before, sent = target.use(), found.sent
        run(given.seconds - min(60, given.seconds / 3), given.seed + 100)
        after, alive = target.use(), target.process.poll() is None
        sound = alive and target.answers()
        code = target.stop()
        if given.keep:
            given.keep.write_text(target.log)
        text = told(target.log)
    grown = {key: after[key] - before[key] for key in after}
    lines = len(text.splitlines())
    print(f"seed {given.seed}: {found.sent:,} connections, {dict(found.statuses)}")
    print(f"before {before}, after {after}, over {found.sent - sent:,} connections")
    print(f"{lines:,} lines of log; exit code {code}; answers: {sound}")
    wrong = list(found.wrong)
    wrong += [f"grown: {grown}"] * (
        grown["descriptors"] > 2 or grown["threads"] > 2 or grown["memory"] > 20_000
    )
    wrong += ["it does not answer"] * (not sound)
    wrong += [f"exit code {code}"] * (code != 0)
    wrong += [f"{lines:,} lines of log"] * (lines > 200 + given.seconds * 10)
    wrong += [
        f"log: {each}" for each in re.findall(r"Traceback[^\0]{0,3000}", text)[:3]
    ]
    wrong += ["a secret in the log"] * (CANARY in text or target.token[12:] in text)
    wrong += [f"log: {each}" for each in re.findall(r".*Warning: .*", text)[:5]]
    for each in wrong:
        print("WRONG", each)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
