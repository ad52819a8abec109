"""A plain program that follows its settings while it runs: `python worker.py`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
from attrs.validators import ge

from midflight import Runtime

CONFIG = Path(__file__).with_name("app.yaml")


@attrs.frozen
class Limits:
    """The section `limits:`.

    Args:
        pause: seconds between two rounds.
        batch: jobs in one round.
    """

    pause: float = attrs.field(default=1.0, validator=ge(0))
    batch: int = attrs.field(default=1, validator=ge(1))


def rounds(runtime: Runtime) -> Iterator[str]:
    """Do the work, round by round, with the limits in force at each."""
    limits = runtime.settings("limits", Limits)
    while True:
        now = limits.current  # one generation, however often the file changes
        yield f"did {now.batch} jobs, pausing {now.pause:g} s"
        time.sleep(now.pause)


if __name__ == "__main__":
    with (
        contextlib.suppress(KeyboardInterrupt),
        Runtime(f"file:{CONFIG}", watch=True) as runtime,
    ):
        for line in rounds(runtime):
            print(line, flush=True)
