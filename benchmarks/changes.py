"""What a change of many modules costs, beside what the modules do with it.

The source hands over documents that share every part that did not change, and parses
nothing. The modules say how long their own hooks took; that is taken off.
"""

from __future__ import annotations

import gc
import time

import common
from shared import Shared, on_a_thread

from midflight import Runtime, hookimpl

COUNT = 10_000
ALLOWED = 300  # ms for all of them, where the pace is 1
PAUSE = 0.03  # s, longer than the quiet time after which a hint counts as a lone one
SPENT = [0.0]  # s in the modules' own hooks


def spent(work) -> None:
    """Add up the time of a module's own work."""
    began = time.perf_counter()
    work()
    SPENT[0] += time.perf_counter() - began


class Limiter:
    """A module that takes its change and keeps two of its values."""

    def __init__(self, name):
        self.name = name

    def keep(self, config):
        self.kept = config["rate"], config["burst"]

    @hookimpl
    def start(self, config):
        self.keep(config)

    @hookimpl
    def reconfigure(self, config):
        spent(lambda: self.keep(config))


class Careful(Limiter):
    """The same, prepared first and asked for its health afterwards."""

    @hookimpl
    def prepare(self, config):
        spent(lambda: dict(config))

    @hookimpl
    def probe(self):
        spent(lambda: None)


WAYS = {
    "midflight: reconfigure": Limiter,
    "midflight: prepare, reconfigure, probe": Careful,
}


def passes(kind: type, changes: list[int], rounds: int) -> dict[int, list[tuple]]:
    """Return the milliseconds of whole passes and those of the modules, by size."""
    source = Shared(COUNT)
    found: dict[int, list[tuple]] = {changed: [] for changed in changes}
    with Runtime(source, watch=True, modules={"limiter": kind}) as runtime:

        def measure():
            for changed in changes * rounds:
                source.edit(changed)
                gc.collect()
                time.sleep(PAUSE)
                before, SPENT[0] = runtime.snapshot.generation, 0.0
                began = time.perf_counter()
                source.notify()
                took = time.perf_counter() - began
                assert runtime.snapshot.generation == before + 1
                found[changed].append((took * 1e3, SPENT[0] * 1e3))

        on_a_thread(measure)
    return found


def loops(changes: list[int], rounds: int) -> dict[int, list[float]]:
    """Return the milliseconds of a loop that calls the same modules, and no more."""
    modules = [Limiter(f"module-{at}") for at in range(COUNT)]
    config = {"rate": 1, "burst": 2}
    found: dict[int, list[float]] = {changed: [] for changed in changes}
    for changed in changes * rounds:
        began = time.perf_counter()
        for module in modules[:changed]:
            module.reconfigure(config)
        found[changed].append((time.perf_counter() - began) * 1e3)
    return found


def main() -> None:
    """Measure both kinds of modules."""
    sizes = {"nargs": "+", "type": int, "default": [1, 10, 100, 1_000, 10_000]}
    options = common.arguments("What a change of many modules costs.", sizes=sizes)
    rounds, rows = 3 if options.quick else 15, []
    floor = "floor: a loop over the modules"
    for changed, samples in loops(options.sizes, rounds).items():
        head = {"modules": COUNT, "changed": changed, "way": floor}
        rows.append(head | common.summary(samples))
    for name, kind in WAYS.items():
        for changed, pairs in passes(kind, options.sizes, rounds).items():
            own = common.summary([whole - theirs for whole, theirs in pairs])
            head = {"modules": COUNT, "changed": changed, "way": name}
            each = {"us for each changed": own["p50"] * 1e3 / changed}
            theirs = {
                "the modules' own, p50": common.summary([t for _, t in pairs])["p50"]
            }
            rows.append(head | own | each | theirs)
    rows.sort(key=lambda row: row["changed"])
    common.report("Many modules changed, our own time, ms", rows, options.json)


if __name__ == "__main__":
    main()
