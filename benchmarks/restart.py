"""How long a restart with a large file takes: parsed in full, and from the cache.

Each sample is a process of its own; ways take turns, so that noise hits all alike.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile

import common

# From the import of the source on, until its document has its digest.
LOAD = """
import sys, time
from midflight import Runtime
file, state = sys.argv[1:3]
runtime = Runtime("memory:", state_dir=state or None)
began = time.perf_counter()
from midflight_plugins.file import FileSource
FileSource(file).load_in(runtime).document.digest
print((time.perf_counter() - began) * 1e3)
"""
# From the start of the interpreter on, until every module runs.
RUN = """
import os, sys, time
sys.path.insert(0, sys.argv[3])
from midflight import Runtime
from limiter import Limiter
file, state = sys.argv[1:3]
with Runtime(f"file:{file}", modules={"limiter": Limiter}, state_dir=state or None):
    ticks = open("/proc/self/stat").read().rpartition(")")[2].split()[19]
    began = float(ticks) / os.sysconf("SC_CLK_TCK")
    print((time.clock_gettime(time.CLOCK_BOOTTIME) - began) * 1e3)
"""
HERE = str(pathlib.Path(__file__).parent)
PROGRAMS = {
    "load": ("load, with digest", LOAD),
    "process": ("process, until all modules run", RUN),
}
FULL = "parsed in full"


class Bench:
    """Starts processes on one file.

    Args:
        folder: where the file and the state directories are.
        count: how many modules the file has.
    """

    def __init__(self, folder: pathlib.Path, count: int) -> None:
        self._folder, self._file = folder, folder / "app.yaml"
        self._text = common.Text(count)
        self._state = folder / "state"

    def _start(self, program: str, state: pathlib.Path | str) -> float:
        command = [sys.executable, "-c", program, str(self._file), str(state), HERE]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(done.stdout)

    def ways(self, program: str) -> dict[str, float]:
        """Return the milliseconds of each way, one sample each."""
        self._file.write_text(self._text.with_rate(1), "utf-8")
        shutil.rmtree(self._state, ignore_errors=True)
        found = {
            FULL: self._start(program, ""),
            "parsed in full, and kept": self._start(program, self._state),
            "from the cache": self._start(program, self._state),
        }
        self._file.write_text(self._text.with_rate(2), "utf-8")
        name = "from the cache, one module edited since"
        return found | {name: self._start(program, self._state)}


def measure(count: int, rounds: int, programs: list[str]) -> list[dict]:
    """Return a row for each way of a start, with its share of a full parse."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(pathlib.Path(folder), count)
        for what, program in map(PROGRAMS.get, programs):
            found: dict[str, list[float]] = {}
            for _ in range(rounds):
                for way, sample in bench.ways(program).items():
                    found.setdefault(way, []).append(sample)
            full = common.summary(found[FULL])
            for way, samples in found.items():
                figures = common.summary(samples)
                share = {"% of a full parse": figures["p50"] / full["p50"] * 100}
                head = {"modules": count, "what": what, "way": way}
                rows.append(head | figures | share)
    return rows


def main() -> None:
    """Measure every size."""
    sizes = {"nargs": "+", "type": int, "default": None}
    programs = {"nargs": "+", "choices": PROGRAMS, "default": [*PROGRAMS]}
    options = common.arguments(
        "A restart with a large YAML file.", sizes=sizes, programs=programs
    )
    rounds = 3 if options.quick else 5
    usual = [1_000] if options.quick else [1_000, 10_000]
    rows = [
        row
        for n in options.sizes or usual
        for row in measure(n, rounds, options.programs)
    ]
    common.report("Restart, ms", rows, options.json)


if __name__ == "__main__":
    main()
