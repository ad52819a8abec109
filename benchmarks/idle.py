"""What a service costs that watches one file while nothing happens.

Each way is a process of its own; all of them wait at the same time. The kernel counts
their time and how often they woke.
"""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import sys
import tempfile
import time

import common

SETTLE = 3.0  # s from when the last one is ready
HERE = str(pathlib.Path(__file__).parent)
POLL = """
import os, time
print("ready", flush=True)
while True:
    os.stat(file)
    time.sleep(0.1)
"""
WATCHFILES = """
import os, watchfiles
print("ready", flush=True)
for changes in watchfiles.watch(os.path.dirname(file)):
    pass
"""
WATCHDOG = """
import os, threading
from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer
observer = Observer()
observer.schedule(FileSystemEventHandler(), os.path.dirname(file))
observer.start()
print("ready", flush=True)
threading.Event().wait()
"""
MIDFLIGHT = """
import threading
from limiter import Limiter
from midflight import Runtime
modules = {"limiter": Limiter}
with Runtime(f"file:{file}", watch=True, modules=modules, deadline=300.0):
    print("ready", flush=True)
    threading.Event().wait()
"""
# What is held in memory beside: the document as ruamel.yaml gives it.
HELD = """
import threading
from ruamel.yaml import YAML
with open(file) as text:
    held = YAML(typ="safe", pure=True).load(text)
print("ready", flush=True)
threading.Event().wait()
"""
WAYS = {
    "floor: a sleep": (
        "",
        "import threading; print('ready', flush=True); threading.Event().wait()",
    ),
    "naive: a poll every 0.1 s": ("", POLL),
    "watchfiles as it is": ("watchfiles", WATCHFILES),
    "watchdog Observer": ("watchdog", WATCHDOG),
    "ruamel's dictionaries, a sleep": ("ruamel.yaml", HELD),
    "midflight": ("midflight", MIDFLIGHT),
}


class Waiting:
    """A process that waits.

    Args:
        program: its code; `file` is the path it may look at.
        path: that path.
    """

    def __init__(self, program: str, path: pathlib.Path) -> None:
        head = f"import sys; sys.path.insert(0, {HERE!r}); file = sys.argv[1]\n"
        command = [sys.executable, "-c", head + program, str(path)]
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._folder = pathlib.Path("/proc", str(self._child.pid))

    def ready(self) -> bool:
        """Wait until it says so; tell whether it did."""
        return self._child.stdout.readline() == "ready\n"

    def used(self) -> tuple[float, int]:
        """Return its seconds of CPU and how often it woke, all threads together."""
        seconds, woke = 0.0, 0
        for task in (self._folder / "task").iterdir():
            seconds += int((task / "schedstat").read_text().split()[0]) / 1e9
            status = (task / "status").read_text()
            woke += int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
        return seconds, woke

    def memory(self) -> float:
        """Return the resident memory in MB."""
        status = (self._folder / "status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def stop(self) -> None:
        """End it."""
        self._child.kill()
        self._child.communicate()


def measure(count: int, seconds: float) -> list[dict]:
    """Return a row for each way, beside a file of `count` modules."""
    ways = {
        name: program
        for name, (needs, program) in WAYS.items()
        if common.there(needs, name)
    }
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = pathlib.Path(folder, "app.yaml")
        path.write_text(common.Text(count).with_rate(1), "utf-8")
        waiting = {}
        for name, program in ways.items():
            waiting[name] = Waiting(program, path)
            stack.callback(waiting[name].stop)
        for name, each in [*waiting.items()]:
            if not each.ready():
                print(f"left out, it ended: {name}")
                del waiting[name]
        time.sleep(SETTLE)
        before = {name: each.used() for name, each in waiting.items()}
        time.sleep(seconds)
        rows = []
        for name, each in waiting.items():
            used, woke = each.used()
            rows.append(
                {
                    "modules": count,
                    "way": name,
                    "s": round(seconds),
                    "CPU, ms a minute": (used - before[name][0]) * 60_000 / seconds,
                    "wakes a minute": (woke - before[name][1]) * 60 / seconds,
                    "RSS, MB": each.memory(),
                }
            )
    return rows


def main() -> None:
    """Measure each size."""
    sizes = {"nargs": "+", "type": int, "default": [10, 10_000]}
    options = common.arguments("What an idle service costs.", sizes=sizes)
    seconds = 10.0 if options.quick else 60.0
    rows = [row for count in options.sizes for row in measure(count, seconds)]
    common.report("A service that watches, while nothing changes", rows, options.json)


if __name__ == "__main__":
    main()
