"""The module type that the benchmarks run: it takes every change and does nothing."""

from __future__ import annotations

from midflight import hookimpl


class Limiter:
    """A module whose hooks cost nothing of their own."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        pass

    @hookimpl
    def reconfigure(self, config):
        pass
