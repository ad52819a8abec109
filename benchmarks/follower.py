"""Follows a document in a process of its own; says when each value came into force."""

from __future__ import annotations

import sys
import time

from limiter import Limiter

from midflight import Runtime, hookimpl


class Telling(Limiter):
    """Says its value and the time."""

    @hookimpl
    def reconfigure(self, config):
        at = time.monotonic_ns()
        print(config["rate"], at, flush=True)


with Runtime(sys.argv[1], watch=True, modules={"limiter": Telling}):
    print("ready", flush=True)
    sys.stdin.read()
