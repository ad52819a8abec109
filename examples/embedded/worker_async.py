"""The same in an asyncio program, with a module whose hooks are coroutines."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import attrs
from attrs.validators import gt

from midflight import Runtime, hookimpl

CONFIG = Path(__file__).with_name("async.yaml")


class Poller:
    """Runs a task on the application's own event loop."""

    @attrs.frozen
    class Config:
        every: float = attrs.field(default=1.0, validator=gt(0))

    def __init__(self, name: str) -> None:
        self.name = name
        self.polls = 0

    @hookimpl
    async def start(self, config: Config) -> None:
        self.every = config.every
        self.task = asyncio.create_task(self.work())

    @hookimpl
    async def reconfigure(self, config: Config) -> None:
        self.every = config.every

    @hookimpl
    async def stop(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def work(self) -> None:
        while True:
            self.polls += 1
            print(f"{self.name}: poll {self.polls}, then {self.every:g} s", flush=True)
            await asyncio.sleep(self.every)


async def main(seconds: float | None = None) -> None:
    """Run for so long, or until the program is interrupted."""
    async with Runtime(f"file:{CONFIG}", watch=True, modules={"poller": Poller}):
        await asyncio.sleep(seconds or 3600)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
