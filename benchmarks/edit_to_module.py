"""From the edit of a file to the module it touches.

The clock starts just before the writer's `close` or `rename` and stops in the callback.
"""

from __future__ import annotations

import argparse
import functools
import gc
import pathlib
import sys
import tempfile
import time

import attrs
import common
import peers
import watchers
from writer import Elsewhere, write

IN_PLACE, RENAME, OTHER = "in place", "rename", "in place, other process"
BY_API = "its API"
BOTH, ALL = (IN_PLACE, RENAME), (IN_PLACE, RENAME, OTHER)
PAUSE = 0.03  # s, longer than the quiet time after which a hint counts as a lone one
LONG = 5_000.0  # ms: a way of which one edit takes longer has one turn, if quick
PATIENCE = 90.0  # s until an edit counts as lost; some parse for a long time


@attrs.frozen
class Way:
    """One way to learn of an edit.

    Args:
        watch: takes path, text and callback, and is open while edits are made.
        needs: the distribution, or program, that it needs.
        writers: who edits; `()` for a way that makes its changes itself.
        text: what the file holds.
    """

    watch: object
    needs: str = ""
    writers: tuple[str, ...] = (RENAME,)
    text: type = common.Text


FLOOR, LEAST = "floor: inotify, callback only", "floor + parse of the changed item"
LEAST_C = f"{LEAST} by the C parser"
MIDFLIGHT, FAST = "midflight, the module reconfigured", "midflight with the extra fast"
CLIB = common.C_PARSER
WAYS = {
    FLOOR: Way(watchers.inotify, writers=ALL),
    LEAST: Way(watchers.parsing_the_item(pure=True), writers=ALL),
    LEAST_C: Way(watchers.parsing_the_item(), CLIB, ALL),
    MIDFLIGHT: Way(watchers.midflight("pure"), writers=ALL),
    FAST: Way(watchers.midflight(""), CLIB, ALL),
    "midflight with a state directory": Way(
        watchers.midflight("pure", keeps=True), writers=BOTH
    ),
    "watchdog Observer, callback only": Way(watchers.observer, "watchdog"),
    "watchfiles tuned, callback only": Way(
        watchers.watchfiles(debounce=1, step=1, rust_timeout=50), "watchfiles"
    ),
    "watchfiles as it is, callback only": Way(watchers.watchfiles(), "watchfiles"),
    "dynamic-config, 1 ms, value only": Way(
        watchers.dynamic_config(0.001), "dynamic-config-py"
    ),
    "dynamic-config as it is, value only": Way(
        watchers.dynamic_config(None), "dynamic-config-py"
    ),
    "caddy, PATCH by its admin API, no file": Way(
        peers.caddy_admin, "caddy", (BY_API,), peers.Routes
    ),
    "caddy --watch": Way(peers.caddy_watch, "caddy", text=peers.Routes),
    "oslo.config, mutate + read, INI": Way(
        peers.told(peers.oslo_config), "oslo.config", text=common.Ini
    ),
    "pydantic-settings, made anew + read": Way(
        peers.told(peers.pydantic_settings), "pydantic-settings"
    ),
    "omegaconf, load + read": Way(peers.told(peers.omegaconf), "omegaconf"),
    "dynaconf, reload + read": Way(peers.told(peers.dynaconf), "dynaconf"),
    "watchdog + full parse by ruamel, value only": Way(watchers.by_hand, "watchdog"),
}


class Bench:
    """Edits one file again and again.

    Args:
        text: what is in it.
        edits: how many, at most, for one way, writer and round.
        budget: seconds that one way and writer may take for one round.
    """

    def __init__(self, text: common.Text, edits: int, budget: float) -> None:
        self._text, self._edits, self._budget = text, edits, budget
        self._arrived = common.Arrival()
        self.lost = 0

    def run(self, way: Way, puts: dict) -> dict[str, list[float]]:
        """Return the milliseconds that each edit took to arrive, by its writer."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, self._text.file)
            write(path, self._text.with_rate(self._text.rate), atomic=True)
            gc.collect()
            with way.watch(path, self._text, self._arrived) as own:
                time.sleep(PAUSE)
                return {
                    writer: self._edits_by(own or puts[writer], path)
                    for writer in way.writers
                }

    def _edits_by(self, put, path: pathlib.Path) -> list[float]:
        samples: list[float] = []
        end = time.monotonic() + self._budget
        while len(samples) < self._edits and time.monotonic() < end:
            rate = self._text.rate + 1
            text = self._text.with_rate(rate)
            self._arrived.expect(rate)
            began = put(path, text)
            if not self._arrived.wait(PATIENCE):
                self.lost += 1
                break
            time.sleep(PAUSE)
            samples.append((self._arrived.at - began) / 1e6)
        return samples


def word(text: str) -> str:
    """Return a word that is in the name of a way."""
    if not any(text in name for name in WAYS):
        raise argparse.ArgumentTypeError(f"no way has `{text}` in its name")
    return text


def chosen(options) -> dict[str, Way]:
    """Return the ways to measure; name those that cannot be."""
    return {
        name: way
        for name, way in WAYS.items()
        if (not options.only or any(word in name for word in options.only))
        and common.there(way.needs, name)
    }


def measure(count: int, ways: dict, options, elsewhere: Elsewhere) -> list[dict]:
    """Return a row for each way and each writer, for a document of `count` modules."""
    puts = {
        IN_PLACE: functools.partial(write, atomic=False),
        RENAME: functools.partial(write, atomic=True),
        OTHER: functools.partial(elsewhere.write, atomic=False),
    }
    edits, budget = (6, options.budget / 8) if options.quick else (100, options.budget)
    texts = {kind: kind(count) for kind in {way.text for way in ways.values()}}
    found: dict[tuple[str, str], list[float]] = {}
    lost: dict[str, int] = {}
    for name, way in [*ways.items()] * options.rounds:
        if options.quick and max(found.get((name, RENAME), []), default=0) > LONG:
            continue
        bench = Bench(texts[way.text], edits, budget)
        try:
            got = bench.run(way, puts)
        except Exception as exc:  # noqa: BLE001  # said, and seen in the empty row
            print(f"{name}: {type(exc).__name__}: {exc}", file=sys.stderr)
            got = {}
        for writer in way.writers:
            found.setdefault((name, writer), []).extend(got.get(writer, []))
        lost[name] = lost.get(name, 0) + bench.lost
    return [
        _row(count, name, writer, found) | {"lost": lost[name]}
        for name, writer in found
    ]


def _row(count: int, name: str, writer: str, found: dict) -> dict:
    head = {"modules": count, "way": name, "writer": writer}
    samples = found[name, writer]
    if not samples:
        return head | {"n": 0}
    row = head | common.summary(samples)
    beside = RENAME if writer == BY_API else writer
    for title, least in (("x floor", FLOOR), ("x floor + item", LEAST)):
        if name == FAST and least == LEAST:
            least = LEAST_C  # noqa: PLW2901  # each beside its own parser
        if base := found.get((least, beside)):
            row[title] = row["p50"] / common.summary(base)["p50"]
    return row


def main() -> None:
    """Measure every size."""
    sizes = {"nargs": "+", "type": int, "default": [10, 100, 1_000, 10_000]}
    options = common.arguments(
        "From the edit of a file to the module it touches.",
        sizes=sizes,
        only={
            "nargs": "+",
            "type": word,
            "help": "words of the ways to measure; the floor is one",
        },
        budget={"type": float, "default": 5.0, "help": "s for a way, writer and round"},
        rounds={"type": int, "default": 3, "help": "in which all ways take turns"},
    )
    ways = chosen(options)
    rows = []
    with Elsewhere() as elsewhere:
        for count in options.sizes:
            rows += measure(count, ways, options, elsewhere)
    common.report("From the edit of a file to the module, ms", rows, options.json)


if __name__ == "__main__":
    main()
