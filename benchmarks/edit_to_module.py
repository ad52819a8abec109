"""From the edit of a file to the module it touches.

The clock starts just before the writer's `close` or `rename` and stops in the callback.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import pathlib
import sys
import tempfile
import time

import common
import watchers
from writer import Elsewhere, write

WAYS = {
    "floor: inotify, callback only": watchers.inotify,
    "watchdog Observer, callback only": watchers.observer,
    "watchfiles tuned, callback only": watchers.watchfiles(
        debounce=1, step=1, rust_timeout=50
    ),
    "watchfiles as it is, callback only": watchers.watchfiles(),
    "watchdog + full parse, value only": watchers.by_hand,
    "dynamic-config, 1 ms, value only": watchers.dynamic_config(0.001),
    "dynamic-config as it is, value only": watchers.dynamic_config(None),
    "midflight, the module reconfigured": watchers.midflight,
}
FLOOR, MIDFLIGHT = next(iter(WAYS)), list(WAYS)[-1]
WRITERS = ("in place", "rename", "in place, other process")
SLOW_WRITERS = (FLOOR, MIDFLIGHT)
PAUSE = 0.03  # s, longer than the quiet time after which a hint counts as a lone one
PATIENCE = 20.0  # s until an edit counts as lost


class Bench:
    """Edits one file again and again.

    Args:
        path: the file.
        text: what is in it.
        budget: seconds that one way may take for one round.
    """

    def __init__(self, path: pathlib.Path, text: common.Text, budget: float) -> None:
        self._path, self._text, self._budget = path, text, budget
        self._rate = 1000
        self._arrived = common.Arrival()
        self.lost = 0

    def try_run(self, name: str, put, edits: int) -> list[float]:
        """As `run`; a way that cannot be measured does not end the others."""
        try:
            return self.run(WAYS[name], put, edits)
        except Exception as exc:  # noqa: BLE001  # said, and seen in the empty row
            print(f"{name}: {type(exc).__name__}: {exc}", file=sys.stderr)
            return []

    def run(self, way, put, edits: int) -> list[float]:
        """Return the milliseconds that each edit took to arrive."""
        samples: list[float] = []
        write(self._path, self._text.with_rate(self._rate), atomic=True)
        gc.collect()
        with way(self._path, self._text.row, self._arrived):
            time.sleep(PAUSE)
            end = time.monotonic() + self._budget
            while len(samples) < edits and time.monotonic() < end:
                sample = self._edit(put)
                if sample is None:
                    self.lost += 1
                    break
                samples.append(sample)
        return samples

    def _edit(self, put) -> float | None:
        self._rate += 1
        text = self._text.with_rate(self._rate)
        self._arrived.expect(self._rate)
        began = put(self._path, text)
        if not self._arrived.wait(PATIENCE):
            return None
        time.sleep(PAUSE)
        return (self._arrived.at - began) / 1e6


def measure(count: int, options, elsewhere: Elsewhere) -> list[dict]:
    """Return a row for each way and each writer, for a document of `count` modules."""
    puts = {
        "in place": functools.partial(write, atomic=False),
        "rename": functools.partial(write, atomic=True),
        "in place, other process": functools.partial(elsewhere.write, atomic=False),
    }
    text = common.Text(count)
    found: dict[tuple[str, str], list[float]] = {}
    lost: dict[tuple[str, str], int] = {}
    rounds = 1 if options.quick else 3
    edits = (30 if options.quick else 300) // rounds
    for _ in range(rounds):
        for way, writer in ((w, p) for w in WAYS for p in WRITERS):
            if writer == WRITERS[-1] and way not in SLOW_WRITERS:
                continue
            if options.only and not any(word in way for word in options.only):
                continue
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, "app.yaml")
                bench = Bench(path, text, options.budget)
                samples = bench.try_run(way, puts[writer], edits)
            found.setdefault((way, writer), []).extend(samples)
            lost[way, writer] = lost.get((way, writer), 0) + bench.lost
    return [
        _row(count, way, writer, samples, found, lost[way, writer])
        for (way, writer), samples in found.items()
    ]


def _row(count, way, writer, samples, found, lost) -> dict:
    head = {"modules": count, "way": way, "writer": writer}
    if not samples:
        return head | {"n": 0, "lost": lost}
    figures = common.summary(samples)
    floor = found.get((FLOOR, writer))
    times = {}
    if floor:
        times = {"x floor": figures["p50"] / common.summary(floor)["p50"]}
    return head | figures | times | {"lost": lost}


def parsing(count: int, *, quick: bool) -> list[dict]:
    """Return what it takes to read the whole document, and the changed item alone."""
    from ruamel.yaml import YAML

    text = common.Text(count)
    repeats = 3 if quick or count >= 1000 else 20
    rows = []

    def row(what, call, times):
        samples = []
        for at in range(times):
            argument = at + 1
            gc.collect()
            began = time.perf_counter()
            call(argument)
            samples.append((time.perf_counter() - began) * 1e3)
        rows.append({"modules": count, "part": what} | common.summary(samples))

    load = YAML(typ="safe", pure=True).load
    row("ruamel safe pure, the item", lambda at: load(text.entry(at)), 20)
    row("ruamel safe pure, the whole", lambda at: load(text.with_rate(at)), repeats)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ImportError):
        from midflight_plugins.file import FileSource

        path = pathlib.Path(folder, "app.yaml")
        write(path, text.with_rate(0), atomic=True)
        row("file source, first load", lambda _: FileSource(path).load(), repeats)
        source = FileSource(path)
        source.load()

        def edited(at):
            write(path, text.with_rate(at), atomic=True)
            source.load()

        row("file source, write + load after an edit", edited, max(repeats, 5))
        row("file source, hash", lambda _: source.hash(), 20)
    return rows


def main() -> None:
    """Measure every size."""
    sizes = {"nargs": "+", "type": int, "default": [10, 100, 1000]}
    options = common.arguments(
        "From the edit of a file to the module it touches.",
        sizes=sizes,
        only={"nargs": "+", "help": "words of the ways to measure; the floor is one"},
        budget={"type": float, "default": 10.0, "help": "s for one way and round"},
    )
    rows, parts = [], []
    with Elsewhere() as elsewhere:
        for count in options.sizes:
            parts += parsing(count, quick=options.quick)
            rows += measure(count, options, elsewhere)
    common.report("From the edit of a file to the module, ms", rows, options.json)
    common.report("Reading, ms", parts, options.json)


if __name__ == "__main__":
    main()
