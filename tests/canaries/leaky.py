"""Module types that tell what they were given, in every way a module can."""

from __future__ import annotations

import logging

import attrs

from midflight import Health, Secret, hookimpl


@attrs.define
class Login:
    token: Secret
    hosts: list[Secret]
    code: str = attrs.field(repr=False)
    port: int = 0


class Leaky:
    Config = Login

    def __init__(self, name):
        self.name = name

    @hookimpl
    def prepare(self, config):
        logging.getLogger("leaky").debug("prepared %r %s", config, config.token)
        if config.port == 1:
            msg = f"cannot log in with {config.token.reveal()!r}, {config.code}"
            raise ValueError(msg)

    @hookimpl
    def start(self, config):
        self.config = config

    @hookimpl
    def reconfigure(self, config):
        if config.port == 2:
            msg = f"lost {config.hosts[0].reveal()} and {config.code}"
            raise RuntimeError(msg)
        self.config = config

    @hookimpl
    def probe(self):
        if self.config.port == 3:
            return Health(False, detail=f"no {self.config.code}")
        return Health(True, {"port": self.config.port})

    @hookimpl
    def stop(self):
        msg = f"no farewell, {self.config.code}"
        raise RuntimeError(msg)


class Plain:
    """A module without any type: it gets plain text."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        self.config = config
        if config.get("fail"):
            msg = f"refused: {dict(config)}"
            raise RuntimeError(msg)
