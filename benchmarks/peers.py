"""What else reads configuration again: libraries without a watch, and Caddy.

A library is told by the inotify floor's event, on its thread, so that the same edit is
measured: its reload, and the read of the one value. Nothing is applied.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import pathlib
import tempfile
import threading
import time

import common
import servers
import watchers

SETTLE = 0.5  # s from Caddy's first answer until it follows its file


def told(make):
    """Return a way to learn of an edit: the floor's event calls what `make` made."""

    @contextlib.contextmanager
    def watch(path, text, arrived):
        reload = make(path, text)

        def look(_rate):
            try:
                arrived(reload())
            except Exception as exc:  # noqa: BLE001  # raised where it is waited for
                arrived.broke(exc)

        with watchers.inotify(path, text, look):
            yield

    return watch


def dynaconf(path, text):
    """Load the same file again, and read by attributes."""
    from dynaconf import Dynaconf

    settings = Dynaconf(settings_files=[str(path)], core_loaders=["YAML"])

    def reload():
        settings.reload()
        return settings.modules[text.row].config.rate

    return reload


def pydantic_settings(path, text):
    """Make the settings anew from a YAML file: that is how they are reloaded."""
    import pydantic
    from pydantic_settings import BaseSettings, YamlConfigSettingsSource

    kinds = {"rate": int, "burst": int, "host": str, "port": int, "ratio": float}
    kinds |= {"enabled": bool, "mode": str, "path": str}
    fields = {name: (kind, ...) for name, kind in kinds.items()}
    config = pydantic.create_model("Config", **fields)
    entry = pydantic.create_model(
        "Entry", name=(str, ...), type=(str, ...), config=(config, ...)
    )

    class Settings(BaseSettings):
        application: dict
        modules: list[entry]

        @classmethod
        def settings_customise_sources(cls, settings_cls, **_):
            return (YamlConfigSettingsSource(settings_cls, yaml_file=path),)

    return lambda: Settings().modules[text.row].config.rate


def omegaconf(path, text):
    """Load the file again, without its bound on how large one may be."""
    from omegaconf import OmegaConf

    os.environ["OMEGACONF_MAX_YAML_EXPANDED_NODES"] = "none"
    return lambda: OmegaConf.load(path).modules[text.row].config.rate


def oslo_config(path, text):
    """Mutate options that were declared, each of them mutable, from an INI file."""
    from oslo_config import cfg

    conf = cfg.ConfigOpts()
    kinds = {"rate": cfg.IntOpt, "burst": cfg.IntOpt, "port": cfg.IntOpt}
    kinds |= {"ratio": cfg.FloatOpt, "enabled": cfg.BoolOpt}
    names = [*kinds, "host", "mode", "path"]
    options = [kinds.get(name, cfg.StrOpt)(name, mutable=True) for name in names]
    for at in range(text.count):
        conf.register_opts(options, group=f"module-{at}")
    conf(args=[], default_config_files=[str(path)], default_config_dirs=[])

    def reload():
        conf.mutate_config_files()
        return conf[text.name].rate

    return reload


@contextlib.contextmanager
def caddy_watch(path, text, arrived):
    """Run Caddy on the file; ask for the one route again and again."""
    stopped, came = threading.Event(), threading.Event()
    with Given(path, text):

        def ask():
            connection = None
            while not stopped.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    connection = connection or _routes(text)
                    connection.request("GET", f"/service/{text.row}")
                    arrived(int(connection.getresponse().read()))
                    came.set()
                    time.sleep(0.001)
                    continue
                connection = None
            if connection:
                connection.close()

        with common.beside(ask, stopped.set):
            came.wait()
            time.sleep(SETTLE)
            yield


@contextlib.contextmanager
def caddy_admin(path, text, arrived):
    """Run Caddy; yield what changes the value by its admin API, with no file at all."""
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.Caddy(pathlib.Path(folder, "caddy"), text.count) as server,
    ):

        def put(_path, _text):
            server.connect()
            began = time.monotonic_ns()
            server.change(text.rate)
            arrived(text.rate)
            return began

        yield put


def _routes(text):
    connection = http.client.HTTPConnection("127.0.0.1", text.serves, timeout=10)
    connection.connect()
    return connection


class Given(servers.Caddy):
    """Caddy on a file that is there, which it looks at now and then.

    Args:
        path: the file.
        text: what is in it.
    """

    def __init__(self, path: pathlib.Path, text) -> None:
        super().__init__(path.parent / "caddy", text.count)
        self._path, self.port, self.serves = path, text.admin, text.serves

    def command(self) -> list[str]:
        """Return what starts it."""
        return ["caddy", "run", "--config", str(self._path), "--watch"]


class Routes(servers.Routes):
    """Routes for ports that are free."""

    def __init__(self, count: int) -> None:
        self.admin, self.serves = servers.free_port(), servers.free_port()
        super().__init__(count, self.admin, self.serves)
