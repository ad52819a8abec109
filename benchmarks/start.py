"""How long a fresh process takes until it imports, helps, checks, or runs a module."""

from __future__ import annotations

import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import textwrap
import time

import common

HEAVY = ("asyncio", "ruamel", "sqlalchemy", "uvicorn", "watchdog", "cattrs", "click")
MODULE = """\
    import os, time
    from midflight import hookimpl

    class Limiter:
        def __init__(self, name):
            pass

        @hookimpl
        def start(self, config):
            os.write(1, b"%d\\n" % time.monotonic_ns())
"""
CONFIG = "modules:\n  - name: first\n    type: bench-limiter\n    config: {rate: 10}\n"
PLAIN = "bare python"
EMBED = "import midflight as m; m.Runtime('file:app.yaml', watch=True).start()"


def programs() -> dict[str, list[str]]:
    """Return what to start, by what it is called in the table."""
    python = [sys.executable, "-c"]
    script = pathlib.Path(sys.prefix, "bin", "midflight")
    command = [str(script)] if script.exists() else []
    found = {
        PLAIN: [*python, "pass"],
        "import pluggy, attrs": [*python, "import pluggy, attrs"],
        "import midflight": [*python, "import midflight"],
    }
    if command:
        found |= {
            "midflight --help": [*command, "--help"],
            "midflight check, 1 module": [*command, "check", "app.yaml"],
            "midflight run --watch, to its first `start`": [
                *command,
                "run",
                "app.yaml",
                "--watch",
            ],
        }
    found["Runtime(watch=True).start(), to its first `start`"] = [*python, EMBED]
    return found


def install(folder: pathlib.Path) -> dict[str, str]:
    """Put a module type and a configuration into a folder; return the environment."""
    (folder / "bench_limiter.py").write_text(textwrap.dedent(MODULE), "utf-8")
    (folder / "app.yaml").write_text(CONFIG, "utf-8")
    about = folder / "bench_limiter-1.0.dist-info"
    about.mkdir()
    head = "Metadata-Version: 2.1\nName: bench-limiter\nVersion: 1.0\n"
    (about / "METADATA").write_text(head, "utf-8")
    points = "[midflight.modules]\nbench-limiter = bench_limiter:Limiter\n"
    (about / "entry_points.txt").write_text(points, "utf-8")
    cached = {"PYTHONPYCACHEPREFIX": str(folder / "cache"), "PYTHONPATH": str(folder)}
    return {**os.environ, **cached, "PYTHONDONTWRITEBYTECODE": ""}


def wall(
    arguments: list[str], folder: str, environment: dict
) -> tuple[float, float] | None:
    """Return the ms until a program ended or its module was started, and its MB."""
    began = time.monotonic_ns()
    with subprocess.Popen(
        arguments,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        stays = "run" in arguments or EMBED in arguments
        said = child.stdout.readline() if stays else child.stdout.read()
        if stays:
            child.terminate()
        _, status, used = os.wait4(child.pid, 0)
        ended = time.monotonic_ns()
        child.returncode = os.waitstatus_to_exitcode(status)
    if stays:
        ended = int(said or 0)
    elif child.returncode:
        ended = 0
    return ((ended - began) / 1e6, used.ru_maxrss / 1024) if ended else None


def walls(number: int) -> list[dict]:
    """Return a row for each program; they take turns, so that noise hits all alike."""
    with tempfile.TemporaryDirectory() as folder:
        environment = install(pathlib.Path(folder))
        found: dict[str, list[tuple]] = {name: [] for name in programs()}
        for turn in range(number + 1):
            for name, arguments in programs().items():
                sample = wall(arguments, folder, environment)
                if sample is not None and turn:  # the first one writes byte code
                    found[name].append(sample)
    # The kernel counts what a child shared with us before it became its program.
    hidden = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = []
    for name, pairs in found.items():
        if not pairs:
            rows.append({"program": name, "n": 0})
            continue
        figures = common.summary([took for took, _ in pairs])
        plain = min(took for took, _ in found[PLAIN])
        above = {"min above bare python": figures["min"] - plain}
        peak = common.summary([size for _, size in pairs])["p50"]
        size = {"peak RSS, MB": peak if peak > hidden + 1 else f"< {hidden:.0f}"}
        rows.append({"program": name, **figures, **above, **size})
    return rows


def imports() -> list[dict]:
    """Return the modules that an import of Midflight spends most on."""
    best: dict[str, tuple[float, float]] = {}
    line = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|\s+(\S+)")
    command = [sys.executable, "-X", "importtime", "-c", "import midflight"]
    with tempfile.TemporaryDirectory() as folder:
        environment = install(pathlib.Path(folder))
        said = [
            subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            ).stderr
            for _ in range(6)
        ]
    for text in said[1:]:
        for own, whole, name in line.findall(text):
            times = int(own) / 1e3, int(whole) / 1e3
            best[name] = min(best.get(name, times), times)
    ordered = sorted(best.items(), key=lambda item: -item[1][0])[:15]
    return [
        {"module": name, "own, ms": own, "with what it imports, ms": whole}
        for name, (own, whole) in ordered
    ]


def heavy() -> list[dict]:
    """Return which large libraries each program has imported at its end."""
    look = "import sys; print(*[n for n in {0!r} if n in sys.modules], file=sys.stderr)"
    code = {
        "import midflight": "import midflight",
        "midflight --help": (
            "import sys; sys.argv = ['midflight', '--help']\n"
            "from importlib.metadata import entry_points\n"
            "[p] = entry_points(group='console_scripts', name='midflight')\n"
            "try: p.load()()\nexcept SystemExit: pass\n"
        ),
    }
    rows = []
    for name, text in code.items():
        child = subprocess.run(
            [sys.executable, "-c", f"{text}\n{look.format(HEAVY)}"],
            capture_output=True,
            text=True,
            check=False,
        )
        said = child.stderr.strip().splitlines()[-1:] or ["none"]
        rows.append({"program": name, "large libraries it imports": said[0] or "none"})
    return rows


def main() -> None:
    """Measure programs, then look into the import."""
    options = common.arguments("How long a start takes.")
    rows = walls(5 if options.quick else 20)
    common.report("Start of a process, ms", rows, options.json)
    common.report("`import midflight`, by module", imports(), options.json)
    common.report("What is imported", heavy(), options.json)


if __name__ == "__main__":
    main()
