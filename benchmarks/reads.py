"""What it costs to read one value, three levels deep where that can be chosen."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
import threading
import timeit
import types

import attrs
import common
from limiter import Limiter

from midflight import Runtime, hookimpl

RAW = {"limits": {"rate": {"burst": 10}}}


@attrs.frozen
class Rate:
    burst: int


@attrs.frozen
class Limits:
    rate: Rate


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
            "settings.current.rate.burst": lambda: settings.current.rate.burst,
            'runtime.snapshot.document.modules["limits"].config["rate"]["burst"]': (
                lambda: runtime.snapshot.document.modules["limits"].config["rate"][
                    "burst"
                ]
            ),
        }


def plain():
    """Return the ways without any library."""
    lock = threading.Lock()
    holder = types.SimpleNamespace(current=Limits(Rate(10)))

    def locked():
        with lock:
            return RAW["limits"]["rate"]["burst"]

    return {
        "frozen slots behind one reference": lambda: holder.current.rate.burst,
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


def row(what: str, read, repeats: int) -> dict:
    """Return a row on one way to read; the cost of the call around it is taken off."""
    assert read() == 10
    number = 1000
    timer, empty = timeit.Timer(read), timeit.Timer(lambda: None)
    once = timer.timeit(number) / number
    number = max(100, int(0.02 / once))
    around = min(empty.repeat(repeats, number)) / number
    samples = [(each / number - around) * 1e9 for each in timer.repeat(repeats, number)]
    return {"read": what} | common.summary(samples)


@contextlib.contextmanager
def reloading(runtime, every: float):
    """Change the configuration all the time, on another thread."""
    stop = threading.Event()

    def change():
        while not stop.wait(every):
            runtime.reload()

    with common.beside(change, stop.set):
        yield


class Alternating(Fixed):
    """A source with another value in a second module each time."""

    other = 0

    @hookimpl
    def load(self):
        self.other += 1
        raw = super().load()
        more = {"name": "other", "type": "limiter", "config": {"n": self.other}}
        return {"modules": [*raw["modules"], more]}


def main() -> None:
    """Measure each way."""
    options = common.arguments("What a read costs.")
    repeats = 5 if options.quick else 25
    with ours() as ways:
        rows = [row(what, read, repeats) for what, read in ways.items()]
    source = Alternating()
    with Runtime(source, modules={"limiter": Limiter}) as runtime:
        settings = runtime.settings("limits", Limits)
        with reloading(runtime, 0.05):
            what = "settings.current.rate.burst, 20 reloads a second"
            rows.append(row(what, lambda: settings.current.rate.burst, repeats))
    rows += [row(what, read, repeats) for what, read in plain().items()]
    for name, peer in PEERS.items():
        if common.version(name):
            rows.append(row(name, peer(), repeats))
        else:
            rows.append({"read": name, "n": "not installed"})
    common.report("Reading one value, ns", rows, options.json)


if __name__ == "__main__":
    main()
