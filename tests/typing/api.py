"""The public names as a user writes them; type-checked, never run."""

from __future__ import annotations

from typing import Any, assert_type

import attrs

from midflight import (
    Change,
    Document,
    Fault,
    Health,
    Loaded,
    ModuleConfig,
    Outcome,
    Plan,
    Reconfigure,
    Runtime,
    Start,
    hookimpl,
)


@attrs.frozen
class Limits:
    rate: int = 10


class Limiter:
    Config = Limits
    sections = ("platform",)
    overlap = False
    deadline = 2.0

    def __init__(self, name: str) -> None:
        self.name = name
        self.rate = 0

    @hookimpl
    def prepare(self, config: Limits, document: Document) -> int:
        return config.rate

    @hookimpl
    def start(self, config: Limits) -> None:
        self.rate = config.rate

    @hookimpl
    def reconfigure(self, config: Limits, previous: Limits, prepared: int) -> None:
        self.rate = prepared

    @hookimpl
    def probe(self) -> Health:
        return Health(values={"rate": self.rate})

    @hookimpl
    async def stop(self, runtime: Runtime) -> None:
        self.rate = 0


class Fixed:
    name = "fixed"

    @classmethod
    def from_uri(cls, rest: str) -> Fixed:
        return cls()

    @hookimpl
    def load(self) -> Loaded:
        return Loaded({"modules": [{"name": "a", "type": "limiter"}]}, version=1)


class Strategy:
    @hookimpl
    def on_change(self, change: Change) -> Plan | None:
        if change.diff.removed:
            return Plan.refuse("nothing may go")
        steps = [Reconfigure(name, "changed") for name in change.diff.modified]
        return Plan((*steps, *(Start(name) for name in change.diff.added)))


def embedded() -> None:
    """Run modules on a source, in a program of one's own."""
    with Runtime(
        Fixed(), modules={"limiter": Limiter}, strategy=Strategy(), watch=True
    ) as runtime:
        limits = runtime.settings("a", Limits)
        assert_type(limits.current.rate, int)
        assert_type(runtime.reload(), Outcome)
        assert_type(runtime.check(), tuple[Fault, ...])
        assert_type(runtime.snapshot.document, Document)
        assert_type(runtime.snapshot.document.modules["a"], ModuleConfig)
        assert_type(runtime.probe("a"), Health)
        assert_type(runtime.status(), dict[str, Any])
        assert_type(runtime.plan(runtime.snapshot.document), Plan)
        runtime.wait(generation=7, timeout=5)


async def embedded_in_asyncio() -> None:
    """The same, with hooks on the program's own event loop."""
    async with Runtime(["file:app.yaml"]) as runtime:
        assert_type(runtime, Runtime)
