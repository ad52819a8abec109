"""What the benchmarks share: figures, tables, the machine, a document of N modules."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import functools
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time

C_PARSER = "ruamel.yaml.clib"
PACKAGES = (
    "midflight",
    "pluggy",
    "attrs",
    "ruamel.yaml",
    C_PARSER,
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
    "PyYAML",
)
# Words of rows that are not ours: what they say does not depend on our commits.
OTHERS = (
    "floor",
    "allowed",
    "bare",
    "plain",
    "naive",
    "ruamel",
    "json",
    "tomllib",
    "dict",
    "pyyaml",
    "frozen slots",
    "a sleep",
    "the method itself",
    "import pluggy",
    "caddy",
    "watchdog",
    "watchfiles",
    "dynamic-config",
    "dynaconf",
    "pydantic-settings",
    "omegaconf",
    "oslo",
)
HERE = pathlib.Path(__file__).resolve().parent
SET_AT = 0.507 / 180_000  # s a byte, where targets were set: 1,000 modules of 180 kB
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


def arguments(purpose: str, **options: dict) -> argparse.Namespace:
    """Return what the command line says; each benchmark has the same two options."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there too")
    for name, rest in options.items():
        parser.add_argument(f"--{name}", **rest)
    options = parser.parse_args()
    pace()  # before anything is measured
    if options.json is None:
        print(about(machine()))
    return options


def about(where: dict) -> str:
    """Return a line on the machine and one on the versions."""
    versions = ", ".join(f"{k} {v}" for k, v in where["versions"].items())
    return (
        f"{where['at']} · commit {where['commit']} · Python {where['python']} · "
        f"{where['system']} · {where['cores']} cores, {where['processor']}, "
        f"load {where['load']}\n{versions}\n"
    )


def machine() -> dict:
    """Describe what the figures were taken on."""
    lines = pathlib.Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line for line in lines if line.startswith("model name")]
    return {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "python": sys.version.split()[0],
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "system": platform.platform(),
        "processor": models[0].partition(": ")[2] if models else "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "pace": pace(),
        "quick": "--quick" in sys.argv,
        "versions": {name: version(name) for name in PACKAGES if version(name)}
        | caddy(),
    }


def commit() -> str:
    """Return the commit that is measured; `+` says that what runs differs from it."""
    git = ["git", "-C", str(HERE)]
    with contextlib.suppress(OSError):
        name = [*git, "rev-parse", "--short", "HEAD"]
        # A page may be written before it is committed.
        differs = [*git, "diff", "--quiet", "HEAD", "--", ":/", ":(top,exclude)docs"]
        done = subprocess.run(name, capture_output=True, text=True, check=False)
        if found := done.stdout.strip():
            return found + "+" * bool(subprocess.run(differs, check=False).returncode)
    return "unknown"


def caddy() -> dict[str, str]:
    """Return the version of Caddy, if it is there."""
    if not shutil.which("caddy"):
        return {}
    done = subprocess.run(
        ["caddy", "version"], capture_output=True, text=True, check=False
    )
    return {"caddy": done.stdout.split(" ")[0].strip()}


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
    """Return rows as a table in Markdown, with the columns of all of them."""
    names = list({name: None for row in rows for name in row})
    lines = [[shown(row.get(name, "")) for name in names] for row in rows]
    wide = [max(map(len, column)) for column in zip(names, *lines, strict=True)]
    whole = [names, ["-" * width for width in wide], *lines]
    return "\n".join(
        "| " + " | ".join(map(str.ljust, line, wide)) + " |" for line in whole
    )


def is_ours(row: dict) -> bool:
    """Tell whether a row is about Midflight, and not about what stands beside it."""
    text = "\n".join(value.lower() for value in row.values() if isinstance(value, str))
    return "midflight" in text or not any(word in text for word in OTHERS)


def there(needs: str, what: str, brings: str = "") -> bool:
    """Tell whether a distribution or program is here; if not, say what is left out.

    Args:
        needs: the distribution or program.
        what: what there is not without it.
        brings: what `pip install` is to be told, if it is no program that is needed.
    """
    if not needs or version(needs) or (not brings and shutil.which(needs)):
        return True
    by = f" (pip install {brings})" if brings else ""
    print(f"left out, {needs} is not installed: {what}{by}")
    return False


def in_turns(ways: dict, rounds: int, budget: float = 10.0) -> dict[str, list[float]]:
    """Call each way once in every round; return the milliseconds of each call.

    Args:
        ways: what to call, by name; it may return the milliseconds itself.
        rounds: how often, at most.
        budget: seconds after which a way takes no further turn.
    """
    found: dict[str, list[float]] = {name: [] for name in ways}
    spent = dict.fromkeys(ways, 0.0)
    for _ in range(rounds):
        for name, call in ways.items():
            if spent[name] < budget:
                began = time.perf_counter()
                own = call()
                took = time.perf_counter() - began
                took = own if isinstance(own, float) else took * 1e3
                spent[name] += took / 1e3
                found[name].append(took)
    return found


@functools.cache
def pace() -> float:
    """Return how many times slower this machine is than one that targets were set on.

    A target in milliseconds belongs to its machine: there, ruamel.yaml took 507 ms to
    read 1,000 modules in full, in pure Python, from a text of 180 kB. What is compared
    is the time for a byte. Each script takes it once, before it measures anything.
    """
    command = [sys.executable, str(HERE / "pace.py")]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout) / SET_AT


def report(
    title: str, rows: list[dict], to: pathlib.Path | None, **more: object
) -> None:
    """Print a table, and write the figures to a file if one is wanted.

    A way of ours that was not measured, or that lost a change, ends the script with 1,
    and so does a table without rows.
    """
    if not rows:
        raise SystemExit(f"nothing was measured: {title}")
    print(f"\n## {title}\n\n{table(rows)}\n", flush=True)
    if to is not None:
        kept = json.loads(to.read_text("utf-8")) if to.exists() else []
        kept.append({"title": title, "machine": machine(), "rows": rows, **more})
        to.write_text(json.dumps(kept, indent=1), "utf-8")
    bad = [row for row in rows if row.get("n", 1) == 0 or row.get("lost", 0)]
    if any(map(is_ours, bad)):
        raise SystemExit(f"not measured, or changes were lost:\n{table(bad)}")


class Text:
    """A YAML document of N modules with eight scalars each, to be edited.

    Args:
        count: how many modules.
    """

    file = "app.yaml"
    head, between, tail = "application:\n  name: shop\nmodules:\n", "", ""

    def __init__(self, count: int) -> None:
        self.count, self.row = count, count // 2
        self.rate, self.name = 10, f"module-{self.row}"
        self._entries = [self.written(at, 10) for at in range(count)]

    def written(self, at: int, rate: int) -> str:
        """Return the text of one module."""
        return ENTRY.format(at, f"      rate: {rate}\n")

    def with_rate(self, rate: int) -> str:
        """Return the whole text with another `rate` in the module in the middle."""
        self.rate = rate
        entries = self._entries.copy()
        entries[self.row] = self.entry(rate)
        return "".join([self.head, self.between.join(entries), self.tail])

    def entry(self, rate: int) -> str:
        """Return the text of the edited module alone."""
        return self.written(self.row, rate)


class Ini(Text):
    """The same for readers of INI files: a section for each module."""

    file = "app.conf"
    head = "[application]\nname = shop\n"

    def written(self, at: int, rate: int) -> str:
        """Return one section, made of the YAML of that module."""
        lines = super().written(at, rate).splitlines()[3:]
        values = [line.strip().replace(":", " =", 1) for line in lines]
        return "\n".join([f"[module-{at}]", *values, ""])


class Arrival:
    """Notes when a change first arrived; it is the callback of a way to learn of it."""

    def __init__(self) -> None:
        self._rate: int | None = None
        self._came = threading.Event()
        self._broke: BaseException | None = None
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

    def broke(self, error: BaseException) -> None:
        """Take what made it impossible that anything arrives."""
        self._broke = error
        self._came.set()

    def wait(self, seconds: float) -> bool:
        """Tell whether it arrived in time."""
        came = self._came.wait(seconds)
        if self._broke is not None:
            raise self._broke
        return came


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
