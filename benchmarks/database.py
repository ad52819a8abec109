"""From a commit to the module it touches, what followers cost, and what calls cost.

The clock starts just before a writer in another process sends COMMIT.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import select
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import common
from committer import Committer, opened, put
from database_calls import calls
from limiter import Limiter
from postgres import Postgres, programs

from midflight import Runtime, hookimpl

PAUSE = 0.03  # s, longer than the quiet time after which a hint counts as a lone one
PATIENCE = 20.0  # s until a commit counts as lost
PROCESSES = 32
IDLE = 20  # followers with a connection each, from which 1,000 are worked out


# -- ways to learn of a commit -------------------------------------------------------


@contextlib.contextmanager
def bare_listen(uri, arrived):
    """Block in `poll` on the socket of a connection that listens: nothing is read."""
    import psycopg

    url = uri.partition("#")[0]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("LISTEN midflight_config")
        stop, farewell = os.pipe()
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(stop, select.POLLIN)

        def look():
            while all(ready != stop for ready, _ in poll.poll()):
                for _ in connection.notifies(timeout=0):
                    arrived(None)

        with common.beside(look, lambda: os.write(farewell, b"!")):
            yield
        os.close(stop)
        os.close(farewell)


@contextlib.contextmanager
def tight_loop(uri, arrived):
    """Ask SQLite for its `data_version` every 0.2 ms: that leaves no core for more."""
    path, stopped = uri.partition("#")[0].removeprefix("sqlite:///"), threading.Event()

    def look():
        connection = sqlite3.connect(path, isolation_level=None)
        ask = connection.execute
        before = None
        while not stopped.wait(0.0002):
            version = ask("PRAGMA data_version").fetchone()
            if version != before:
                before = version
                arrived(None)
        connection.close()

    with common.beside(look, stopped.set):
        yield


@contextlib.contextmanager
def midflight(uri, arrived):
    """Run every module; learn of the commit in `reconfigure` of the one it touches."""

    class Telling(Limiter):
        @hookimpl
        def reconfigure(self, config):
            arrived(config["rate"])

    modules = {"limiter": Telling}
    with Runtime(f"database:{uri}", watch=True, modules=modules) as runtime:
        assert runtime.status()["sources"][0]["mode"] == "watch"
        yield


class Bench:
    """Commits one change after another.

    Args:
        writer: commits in another process.
        text: the document.
    """

    def __init__(self, writer: Committer, text: common.Text) -> None:
        self._writer, self._text = writer, text
        self._rate = time.time_ns() // 1_000_000_000
        self._arrived = common.Arrival()
        self.lost = 0

    def run(self, way, uri: str, commits: int) -> list[float]:
        """Return the milliseconds that each commit took to arrive."""
        self._writer.put(self._text.with_rate(self._rate))
        samples = []
        with way(uri, self._arrived):
            time.sleep(PAUSE * 3)
            for _ in range(commits):
                self._rate += 1
                self._arrived.expect(self._rate)
                began = self._writer.put(self._text.with_rate(self._rate))
                if not self._arrived.wait(PATIENCE):
                    self.lost += 1
                    break
                time.sleep(PAUSE)
                samples.append((self._arrived.at - began) / 1e6)
        return samples


def one_process(kind: str, url: str, options) -> list[dict]:
    """Return rows on the way of a commit to the module, beside the barest way."""
    floor = bare_listen if kind == "PostgreSQL" else tight_loop
    ways = {"floor, callback only": floor, "midflight, the module": midflight}
    rows = []
    for count in options.sizes:
        uri, found, lost = f"{url}#bench-{count}", {}, {}
        with Committer(uri) as writer:
            bench = Bench(writer, common.Text(count))
            for name, way in [*ways.items()] * 3:
                each, before = 20 if options.quick else 200, bench.lost
                found.setdefault(name, []).extend(bench.run(way, uri, each))
                lost[name] = lost.get(name, 0) + bench.lost - before
        least = common.summary(found["floor, callback only"])["p50"]
        for name, samples in found.items():
            head = {"database": kind, "modules": count, "way": name}
            figures = common.summary(samples)
            times = {"x floor": figures["p50"] / least, "lost": lost[name]}
            rows.append(head | figures | times)
    return rows


def many_processes(url: str, *, quick: bool) -> list[dict]:
    """Return rows on the first and the last of some processes that follow."""
    uri, text, commits = f"{url}#many", common.Text(10), 20 if quick else 200
    first, last = [], []
    command = [sys.executable, pathlib.Path(__file__).with_name("follower.py")]
    with Committer(uri) as writer, contextlib.ExitStack() as stack:
        writer.put(text.with_rate(0))
        followers = []
        for _ in range(PROCESSES):
            child = subprocess.Popen(
                [*command, f"database:{uri}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(child.communicate)
            followers.append(child)
        for child in followers:
            assert child.stdout.readline() == "ready\n"
        time.sleep(1)
        for rate in range(1, commits + 1):
            began = writer.put(text.with_rate(rate))
            came = []
            for child in followers:
                value = at = 0
                while value != rate:
                    value, at = map(int, child.stdout.readline().split())
                came.append((at - began) / 1e6)
            first.append(min(came))
            last.append(max(came))
            time.sleep(0.2)
    return [
        {"processes": PROCESSES, "until": name} | common.summary(samples)
        for name, samples in (("the first", first), ("the last", last))
    ]


# -- what followers cost -------------------------------------------------------------


def idle(server: Postgres, *, quick: bool) -> list[dict]:
    """Return rows on the statements of followers while nothing changes.

    Each has a thread and a connection of its own, as if it were a process, since its
    settings differ a little. The server counts: it logs every statement.
    """
    from midflight_plugins.database._hub import Hubs, Watch
    from midflight_plugins.database._lookout import StoreLookout
    from midflight_plugins.database._url import parsed

    seconds = 60 if quick else 180
    ways = {name: server.database(f"idle_{name}") for name in ("poll", "push", "one")}
    for url in ways.values():
        store, key = opened(f"{url}#app")
        put(store, key, common.Text(10).with_rate(0))
        store.close()
    with contextlib.ExitStack() as stack:
        for at in range(IDLE):
            options = f"timeout={5 + at / 1000}"
            settings, key = parsed(f"{ways['poll']}?{options}#app")
            hubs = Hubs(StoreLookout)
            watch = Watch(key, lambda: None)
            stack.enter_context(hubs.watched(settings, watch))
            uri = f"database:{ways['push']}?{options}#app"
            stack.enter_context(_idle(uri))
        for _ in range(IDLE):
            stack.enter_context(_idle(f"database:{ways['one']}#app"))
        time.sleep(6)  # the first sweep is over
        before = server.log()
        time.sleep(seconds)
        during = server.log()[len(before) :]
    rows = []
    for name, followers, what in (
        ("poll", IDLE, "by poll, each with a connection"),
        ("push", IDLE, "by push, each with a connection"),
        ("one", IDLE, "by push, all in one process"),
    ):
        said = [
            line for line in during.splitlines() if line.startswith(f"idle_{name} LOG:")
        ]
        rate = len(said) / seconds
        whole = rate if name == "one" else rate / followers * 1000
        rows.append(
            {
                "followers": what,
                "measured": followers,
                "s": seconds,
                "statements": len(said),
                "of 1,000, per s": whole,
            }
        )
    return rows


def _idle(uri):
    return Runtime(uri, watch=True, modules={"limiter": Limiter})


def main() -> None:
    """Measure what is installed."""
    sizes = {"nargs": "+", "type": int, "default": [10, 100]}
    options = common.arguments(
        "From a commit to the module; followers; calls.", sizes=sizes
    )
    followed, fan_out, cost, prices = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/app.db"
        followed += one_process("SQLite", url, options)
        prices += calls("SQLite", url, quick=options.quick)
    where = programs()
    if where is None:
        print("no PostgreSQL here (Debian package `postgresql`): its rows are missing")
    elif not common.version("psycopg"):
        print("no psycopg here (`midflight[postgres]`): PostgreSQL's rows are missing")
    else:
        with Postgres(where) as server:
            url = server.database("bench")
            followed += one_process("PostgreSQL", url, options)
            prices += calls("PostgreSQL", url, quick=options.quick)
            fan_out += many_processes(url, quick=options.quick)
            cost += idle(server, quick=options.quick)
    common.report("From a commit to the module, ms", followed, options.json)
    if fan_out:
        common.report("Many processes, ms from a commit", fan_out, options.json)
        common.report("Followers while nothing changes", cost, options.json)
    common.report("Calls beside plain SQL, ms", prices, options.json)


if __name__ == "__main__":
    main()
