"""What it costs to read one value, three levels deep where that can be chosen."""

from __future__ import annotations

import contextlib
import itertools
import math
import pathlib
import statistics
import tempfile
import threading
import time
import timeit

import attrs
import common
from limiter import Limiter

from midflight import Applied, Runtime, hookimpl

BATCH = 100  # reads in one sample
FLOOR = "frozen slots behind one reference"
SETTINGS = "midflight: settings.current.rate.burst"
SELDOM = 0.05  # s between two reloads
STORMS = {"20 reloads a second": SELDOM, "one reload after the other": 0.0}
SNAPSHOT = 'runtime.snapshot.document.modules["limits"].config["rate"]["burst"]'
RAW = {"limits": {"rate": {"burst": 10}}}


@attrs.frozen
class Rate:
    burst: int


@attrs.frozen
class Limits:
    rate: Rate


@attrs.define
class Holder:
    current: Limits


class Fixed:
    """A source whose `edit` changes one value."""

    rate = 10

    @hookimpl
    def load(self):
        config = {"rate": {"burst": self.rate}}
        return {"modules": [{"name": "limits", "type": "limiter", "config": config}]}


@contextlib.contextmanager
def ours():
    """Yield the ways to read from a runtime."""
    with Runtime(Fixed(), modules={"limiter": Limiter}) as runtime:
        settings = runtime.settings("limits", Limits)
        yield {
            SETTINGS: lambda: settings.current.rate.burst,
            f"midflight: {SNAPSHOT}": eval(f"lambda: {SNAPSHOT}", {"runtime": runtime}),
        }


def plain():
    """Return the ways without any library."""
    lock = threading.Lock()
    holder = Holder(Limits(Rate(10)))

    def locked():
        with lock:
            return RAW["limits"]["rate"]["burst"]

    return {
        FLOOR: lambda: holder.current.rate.burst,
        "dict": lambda: RAW["limits"]["rate"]["burst"],
        "dict under a lock": locked,
    }


def pydantic_settings():
    """Read an attribute of a model."""
    import pydantic
    from pydantic_settings import BaseSettings

    rate = pydantic.create_model("Rate", burst=(int, 10))
    limits = pydantic.create_model("Limits", rate=(rate, rate()))
    settings = pydantic.create_model(
        "Settings", __base__=BaseSettings, limits=(limits, limits())
    )()
    return lambda: settings.limits.rate.burst


def dynaconf():
    """Read an attribute."""
    from dynaconf import Dynaconf

    settings = Dynaconf(limits=RAW["limits"])
    return lambda: settings.limits.rate.burst


def omegaconf():
    """Read an attribute."""
    from omegaconf import OmegaConf

    settings = OmegaConf.create(RAW)
    return lambda: settings.limits.rate.burst


def oslo_config():
    """Read an option of a group: there is no third level."""
    from oslo_config import cfg

    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.IntOpt("burst", default=10)], group="limits")
    conf(args=[], default_config_files=[])
    return lambda: conf.limits.burst


def dynamic_config():
    """Read a field of a dataclass that holds another."""
    import dataclasses

    from dynamic_config import DynamicConfig

    inner = dataclasses.make_dataclass("Rate", [("burst", int)])
    inner.__module__ = __name__
    outer = dataclasses.make_dataclass("Limits", [("rate", inner)])
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "app.json")
        path.write_text('{"rate": {"burst": 10}}', "utf-8")
        config = DynamicConfig(outer, key="").whole_document().file(str(path))
        config.init()
    return lambda: config.current().rate.burst


PEERS = {
    "pydantic-settings": pydantic_settings,
    "dynamic-config-py": dynamic_config,
    "oslo.config": oslo_config,
    "dynaconf": dynaconf,
    "omegaconf": omegaconf,
}


class Reader:
    """Reads in batches, and notes the ns of one read of each.

    Args:
        read: one read.
    """

    def __init__(self, read) -> None:
        assert read() == 10
        self._read, self._empty = timeit.Timer(read), timeit.Timer(lambda: None)
        self.samples: list[float] = []
        self._fastest = self._around = math.inf

    def turn(self, seconds: float) -> None:
        """Take samples for a while; the cost of the call around is taken off.

        That cost is measured all the while: a slow moment would else be taken off
        from samples of a fast one.
        """
        end, around, found = time.perf_counter() + seconds, [], []
        while time.perf_counter() < end:
            around.append(self._batch(self._empty))
            found += [self._batch(self._read) for _ in range(10)]
        own = statistics.median(around)
        self.samples += [each - own for each in found]
        self._fastest = min(self._fastest, *found)
        self._around = min(self._around, *around)

    def summary(self) -> dict:
        """Return the figures of all samples.

        From the fastest batch the fastest call around is taken off: that of a usual
        moment may take longer than a whole read in a fast one.
        """
        least = max(0.0, self._fastest - self._around)
        return common.summary(self.samples) | {"min": least}

    @staticmethod
    def _batch(timer: timeit.Timer) -> float:
        """As `timeit`, which would also switch the collector off and on each time."""
        took = timer.inner(itertools.repeat(None, BATCH), time.perf_counter)
        return took / BATCH * 1e9


@contextlib.contextmanager
def reloading(runtime, every: float):
    """Change the configuration all the time, on another thread.

    Raises:
        RuntimeError: a reload failed, or there were too few of them: what was measured
            meanwhile was calm.
    """
    stop, made, broke = threading.Event(), [], []

    def change():
        try:
            while not stop.wait(every):
                made.append(runtime.reload())
        except Exception as exc:  # noqa: BLE001  # raised on the other thread
            broke.append(exc)

    began = time.perf_counter()
    with common.beside(change, stop.set):
        yield
    least = (time.perf_counter() - began) / SELDOM / 4  # a busy machine is late
    bad = [*broke, *(each for each in made if not isinstance(each, Applied))]
    if bad or len(made) < max(1, least):
        raise RuntimeError(f"{len(made)} reloads, of them failed: {bad[:1]}")


class Alternating(Fixed):
    """A source with another value in a second module each time."""

    other = 0

    @hookimpl
    def load(self):
        self.other += 1
        raw = super().load()
        more = {"name": "other", "type": "limiter", "config": {"n": self.other}}
        return {"modules": [*raw["modules"], more]}


def readers(stack: contextlib.ExitStack) -> dict:
    """Return, by name, each way to read, and what has to go on meanwhile."""
    calm = contextlib.nullcontext
    ways = {what: (read, calm) for what, read in plain().items()}
    ways |= {what: (read, calm) for what, read in stack.enter_context(ours()).items()}
    modules = {"limiter": Limiter}
    runtime = stack.enter_context(Runtime(Alternating(), modules=modules))
    settings = runtime.settings("limits", Limits)
    for what, every in STORMS.items():
        ways[f"{SETTINGS}, {what}"] = (
            lambda: settings.current.rate.burst,
            lambda every=every: reloading(runtime, every),
        )
    for name, peer in PEERS.items():
        if common.there(name, f"{name}, a read"):
            try:
                ways[name] = peer(), calm
            except Exception as exc:  # noqa: BLE001  # one peer less, and it is said
                print(f"left out, {type(exc).__name__}: {exc}: {name}")
    return ways


def main() -> None:
    """Measure each way, in turns."""
    options = common.arguments("What a read costs.")
    rounds, seconds = (3, 0.2) if options.quick else (10, 0.4)
    with contextlib.ExitStack() as stack:
        ways = readers(stack)
        found = {what: Reader(read) for what, (read, _) in ways.items()}
        for _ in range(rounds):
            for what, (_, meanwhile) in ways.items():
                with meanwhile():
                    found[what].turn(seconds)
    rows = [{"read": what} | each.summary() for what, each in found.items()]
    [base] = [row["p50"] for row in rows if row["read"] == FLOOR]
    rows = [row | {"x frozen slots": row["p50"] / base} for row in rows]
    common.report(f"Reading one value, ns, batches of {BATCH}", rows, options.json)


if __name__ == "__main__":
    main()
