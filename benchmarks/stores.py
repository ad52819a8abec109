"""From a change in a store to the module it touches, beside the client's bare watch.

The clock starts before the write is sent, by another process. The bare watch ends at
its event: nothing is read, nothing is applied. Both follow the same key, one after the
other, in turns, and no writer keeps step with what a server does now and then.
`http` is told the text by the event, as its README says; `http-hint` is told that there
is one, and reads it, which the bare watch does not.
`http-poll` and `s3` look every 50 ms, and so does what they are compared with.
`allowed` is 1.5 x the bare watch + 2 ms; `at its pace`, the 2 ms are those of the
machine that they were set on, as `common.pace` has it.
"""

from __future__ import annotations

import contextlib
import random
import time

import common
from limiter import Limiter
from store_writer import Elsewhere

from midflight import Runtime, hookimpl

NAMES = ["redis", "etcd", "nats", "http", "http-hint", "http-poll", "s3", "kubernetes"]
PAUSE = 0.03  # s, longer than the quiet time after which a hint counts as a lone one
PATIENCE = 20.0  # s until a change counts as lost


def told(arrived: common.Arrival) -> type:
    """Return the module type that says what it was given."""

    class Told(Limiter):
        @hookimpl
        def reconfigure(self, config):
            arrived(config["rate"])

    return Told


@contextlib.contextmanager
def midflight(store, arrived):
    """Run the one module on the store."""
    with Runtime(store.source(), watch=True, modules={"limiter": told(arrived)}):
        yield


def bare(store, arrived):
    """Watch as the client's documentation says."""
    return store.bare(arrived)


WAYS = {"bare watch": bare, "midflight": midflight}


def measure(kind, repeats: int, rounds: int, pace: float) -> list[dict]:
    """Return a row for each way to follow one kind of store."""
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    with kind() as store, Elsewhere(store) as writer:
        rate = 0
        store.write(rate)
        for _ in range(rounds):
            for name, way in WAYS.items():
                arrived = common.Arrival()
                with way(store, arrived):
                    for at in range(-2, kind.turns * repeats // rounds):
                        rate += 1
                        arrived.expect(rate)
                        time.sleep(PAUSE * random.uniform(1.0, 1.5))
                        writer.write(rate)
                        if not arrived.wait(PATIENCE if at > -2 else 1.0) and at >= 0:
                            raise RuntimeError(f"{kind.name}: {name} lost a change")
                        began = writer.began()
                        if at >= 0:
                            found[name].append((arrived.at - began) / 1e6)
    floor = common.summary(found["bare watch"])["p50"]
    rows = []
    for name, samples in found.items():
        row = {"store": kind.name, "way": name} | common.summary(samples)
        allowed = {"allowed": 1.5 * floor + 2, "at its pace": 1.5 * floor + 2 * pace}
        rows.append(row | allowed)
    return rows


def kinds() -> tuple[type, ...]:
    """Return every kind of store; none without pytest, which starts their servers."""
    if not common.there("pytest", "every store", "pytest"):
        return ()
    import store_servers
    import store_web

    return store_servers.STORES + store_web.MORE


def main() -> None:
    """Measure every store whose server and client are here."""
    stores = {"nargs": "+", "choices": NAMES, "default": []}
    options = common.arguments("From a store to a module.", stores=stores)
    repeats, rounds = (60, 4) if options.quick else (300, 6)
    pace = common.pace()
    rows = []
    for kind in kinds():
        if kind.name in (options.stores or NAMES):
            if why := kind.missing():
                print(f"{kind.name} is left out: {why}")
                continue
            rows += measure(kind, repeats, rounds, pace)
    if rows or options.stores:  # what was asked for by name has to be there
        title = "change in a store -> reconfigure(), ms; at most 1.5 x bare + 2"
        common.report(title, rows, options.json)


if __name__ == "__main__":
    main()
