"""Takes a large configuration out of what each full garbage collection walks.

Done once in a runtime, when its first modules run, never at a reload. It holds for all
that is alive in the process then. What is left in the air is collected before; what is
replaced later is freed as ever, for reference counts need no collector. Only a cycle
that was alive then and is let go of later stays. `no:freeze` leaves it out.
"""

from __future__ import annotations

import gc

from midflight import Applied, Outcome, Runtime, hookimpl

_LEAST = 1_000  # modules; 10,000 are 190,000 objects, which take 110 ms to walk
_FIRST = frozenset({"started", "recalled"})


@hookimpl(trylast=True)
def on_outcome(outcome: Outcome, runtime: Runtime) -> None:
    """Freeze what is alive, after the start of many modules."""
    first = isinstance(outcome, Applied) and outcome.reason in _FIRST
    many = first and len(runtime.snapshot.document.modules) >= _LEAST
    if many and gc.isenabled():  # else the application sees to it
        gc.collect()
        gc.freeze()
