"""Tells the service manager how the service is: systemd's readiness protocol."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

_PATIENCE = 1.0  # s that a manager which does not read may hold us up


def notify(*lines: str) -> None:
    """Send a state to `$NOTIFY_SOCKET`, if there is one; a failure is not ours."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # the abstract namespace
        address = f"\0{address[1:]}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(_PATIENCE)
        channel.sendto("\n".join(lines).encode(), address)


def reloading() -> None:
    """Say that a reload has begun; `READY=1` ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
