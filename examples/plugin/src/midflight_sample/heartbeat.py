"""A module type: logs a line every so often."""

from __future__ import annotations

import logging
import threading

import attrs
from attrs.validators import gt

from midflight import hookimpl

_log = logging.getLogger("midflight_sample")


@attrs.frozen
class HeartbeatConfig:
    """What the operator may set.

    Args:
        every: seconds between two beats.
        text: what each says.
    """

    every: float = attrs.field(default=10.0, validator=gt(0))
    text: str = "alive"


class Heartbeat:
    """Beats until stopped; a new interval counts from now."""

    Config = HeartbeatConfig

    def __init__(self, name: str) -> None:
        self.name = name
        self.beats = 0
        self._stopping = False
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None

    @hookimpl
    def start(self, config: HeartbeatConfig) -> None:
        """Begin to beat."""
        self.config = config
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    @hookimpl
    def reconfigure(self, config: HeartbeatConfig) -> None:
        """Beat in the new way from now on."""
        with self._wake:
            self.config = config
            self._wake.notify_all()

    @hookimpl
    def probe(self) -> dict[str, object]:
        """Show what is in force."""
        return {**attrs.asdict(self.config), "beats": self.beats}

    @hookimpl
    def stop(self) -> None:
        """End the thread and wait for it."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread:
            self._thread.join()

    def _beat(self) -> None:
        with self._wake:
            while not self._stopping:
                if not self._wake.wait(self.config.every):
                    self.beats += 1
                    _log.info("%s: %s", self.name, self.config.text)
