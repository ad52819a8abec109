"""What the benchmarks share: figures, tables, the machine, a document of N modules."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import sys
import threading
import time

PACKAGES = (
    "midflight",
    "pluggy",
    "attrs",
    "ruamel.yaml",
    "watchdog",
    "SQLAlchemy",
    "psycopg",
    "redis",
    "nats-py",
    "httpx2",
    "boto3",
    "moto",
    "lightkube",
    "watchfiles",
    "dynamic-config-py",
    "pydantic-settings",
    "dynaconf",
    "omegaconf",
    "oslo.config",
)
RATE = "      rate: 10\n"
ENTRY = """\
  - name: module-{0}
    type: limiter
    config:
{1}      burst: {0}
      host: node-{0}.example.org
      port: 8080
      ratio: 0.75
      enabled: true
      mode: fast
      path: /var/lib/service/{0}
"""


def arguments(about: str, **options: dict) -> argparse.Namespace:
    """Return what the command line says; each benchmark has the same two options."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there too")
    for name, rest in options.items():
        parser.add_argument(f"--{name}", **rest)
    return parser.parse_args()


def machine() -> dict:
    """Describe what the figures were taken on."""
    lines = pathlib.Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line for line in lines if line.startswith("model name")]
    return {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "processor": models[0].partition(": ")[2] if models else "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "versions": {name: version(name) for name in PACKAGES if version(name)},
    }


def version(name: str) -> str:
    """Return the version of an installed distribution, or an empty string."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def summary(samples: list[float]) -> dict:
    """Return count, min, p50 and p99 of some samples."""
    ordered = sorted(samples)
    at = min(len(ordered) - 1, int(len(ordered) * 0.99))
    return {
        "n": len(ordered),
        "min": ordered[0],
        "p50": statistics.median(ordered),
        "p99": ordered[at],
    }


def shown(value: object) -> str:
    """Return a figure with three digits that count."""
    if isinstance(value, float):
        digits = 0 if value >= 100 else 1 if value >= 10 else 2
        return f"{value:.{digits if value >= 1 else 3}f}"
    return str(value)


def table(rows: list[dict]) -> str:
    """Return rows as a table in Markdown; the first row names the columns."""
    names = list(rows[0])
    lines = [[shown(row.get(name, "")) for name in names] for row in rows]
    wide = [max(map(len, column)) for column in zip(names, *lines, strict=True)]
    whole = [names, ["-" * width for width in wide], *lines]
    return "\n".join(
        "| " + " | ".join(map(str.ljust, line, wide)) + " |" for line in whole
    )


def report(
    title: str, rows: list[dict], to: pathlib.Path | None, **more: object
) -> None:
    """Print a table, and write the figures to a file if one is wanted."""
    print(f"\n## {title}\n\n{table(rows)}\n", flush=True)
    if to is not None:
        kept = json.loads(to.read_text("utf-8")) if to.exists() else []
        kept.append({"title": title, "machine": machine(), "rows": rows, **more})
        to.write_text(json.dumps(kept, indent=1), "utf-8")


class Text:
    """A YAML document of N modules with seven scalars each, to be edited.

    Args:
        count: how many modules.
    """

    def __init__(self, count: int) -> None:
        self._entries = [ENTRY.format(at, RATE) for at in range(count)]
        self.row = count // 2
        self.name = f"module-{self.row}"

    def with_rate(self, rate: int) -> str:
        """Return the whole text with another `rate` in the module in the middle."""
        entries = self._entries.copy()
        entries[self.row] = self.entry(rate)
        return "".join(["application:\n  name: shop\nmodules:\n", *entries])

    def entry(self, rate: int) -> str:
        """Return the text of the edited module alone."""
        return ENTRY.format(self.row, f"      rate: {rate}\n")


class Arrival:
    """Notes when a change first arrived; it is the callback of a way to learn of it."""

    def __init__(self) -> None:
        self._rate: int | None = None
        self._came = threading.Event()
        self.at = 0  # ns

    def expect(self, rate: int) -> None:
        """Wait from now on for a change to this value."""
        self._rate = rate
        self._came.clear()

    def __call__(self, rate: int | None) -> None:
        """Take a value that arrived, or `None` from who does not look at it."""
        at = time.monotonic_ns()
        if not self._came.is_set() and rate in {None, self._rate}:
            self.at = at
            self._came.set()

    def wait(self, seconds: float) -> bool:
        """Tell whether it arrived in time."""
        return self._came.wait(seconds)


@contextlib.contextmanager
def beside(work, stop):
    """Run `work` on another thread; at the end call `stop` and wait for the thread."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()
