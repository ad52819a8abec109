"""An edit of one layer of three, beside the same edit of a single file.

The clock starts just before the writer's `rename` and stops in the `reconfigure` of the
module. Both cases have the same modules, and take turns within one run.
"""

from __future__ import annotations

import contextlib
import gc
import pathlib
import tempfile
import threading
import time

import common
import limiter
from writer import write

from midflight import Runtime, hookimpl

PAUSE = 0.03  # s, longer than the quiet time after which a hint counts as a lone one
PATIENCE = 20.0  # s until an edit counts as lost
SINGLE, LAYERED = "one file", "three layers, the lowest edited"
TOP = "three layers, the top edited"
ENTRY = "  - name: module-{0}\n    config:\n      {1}: {0}\n"


def overlay(count: int, key: str, first: str = "") -> str:
    """Return a layer that sets one key of each module."""
    entries = [ENTRY.format(at, key) for at in range(count)]
    return "".join(["modules:\n", first, *entries])


class Case:
    """One way to hold the configuration, and the file of it that is edited."""

    def __init__(self, folder: pathlib.Path, way: str, count: int) -> None:
        self.text, self._count, self.way = common.Text(count), count, way
        self.came, self.at, self.rate = threading.Event(), 0, 1000
        names = ["base"] if way == SINGLE else ["base", "site", "local"]
        self._paths = [folder / f"{name}.yaml" for name in names]
        self._edited = self._paths[-1 if way == TOP else 0]
        for path, key in zip(self._paths[1:], ("region", "owner"), strict=False):
            write(path, overlay(count, key), atomic=True)
        write(self._paths[0], self.text.with_rate(1), atomic=True)
        if way == TOP:
            self.edit()

    def running(self) -> contextlib.AbstractContextManager[Runtime]:
        """Run it."""
        case = self

        class Limiter(limiter.Limiter):
            @hookimpl
            def reconfigure(self, config):
                at = time.monotonic_ns()
                if config["rate"] == case.rate:
                    case.at = at
                    case.came.set()

        uris = [f"file:{path}" for path in self._paths]
        return Runtime(uris, watch=True, modules={"limiter": Limiter})

    def edit(self) -> int:
        """Write another rate into the module in the middle; return the time in ns."""
        self.rate += 1
        text = self.text.with_rate(self.rate)
        if self.way == TOP:
            entry = (
                f"  - name: {self.text.name}\n    config:\n      rate: {self.rate}\n"
            )
            mine = ENTRY.format(self.text.row, "owner")
            text = overlay(self._count, "owner").replace(mine, entry)
        return write(self._edited, text, atomic=True)

    def sample(self) -> float | None:
        """Return the milliseconds that one edit took, `None` if it was lost."""
        self.came.clear()
        began = self.edit()
        if not self.came.wait(PATIENCE):
            return None
        time.sleep(PAUSE)
        return (self.at - began) / 1e6


def measure(count: int, *, quick: bool) -> list[dict]:
    """Return a row for each case, for a document of `count` modules."""
    ways = (SINGLE, LAYERED, TOP)
    found: dict[str, list[float]] = {way: [] for way in ways}
    lost = dict.fromkeys(ways, 0)
    rounds, edits = (3, 17) if quick else (6, 50)
    for way in ways * rounds:
        gc.collect()
        with tempfile.TemporaryDirectory() as folder:
            case = Case(pathlib.Path(folder), way, count)
            with case.running():
                time.sleep(PAUSE)
                samples = [case.sample() for _ in range(edits)]
        found[way] += [each for each in samples if each is not None]
        lost[way] += samples.count(None)
    base = common.summary(found[SINGLE])["p50"]
    return [
        {"modules": count, "case": way}
        | (figures := common.summary(samples))
        | {"x one file": figures["p50"] / base, "lost": lost[way]}
        for way, samples in found.items()
    ]


def main() -> None:
    """Measure every size."""
    sizes = {"nargs": "+", "type": int, "default": [10, 100, 1000]}
    options = common.arguments(
        "An edit of one layer of three, beside one of a single file.", sizes=sizes
    )
    rows = [
        row for count in options.sizes for row in measure(count, quick=options.quick)
    ]
    common.report("From the edit of a layer to the module, ms", rows, options.json)


if __name__ == "__main__":
    main()
