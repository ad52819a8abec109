"""The hooks of those who look on; `midflight.hookspecs` has them with all others."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from midflight._document import Document
from midflight._hookdata import Loaded, hookspec
from midflight._outcome import Outcome
from midflight._plan import Plan

if TYPE_CHECKING:
    from midflight._runtime import Runtime


@hookspec
def lifespan(runtime: Runtime) -> AbstractContextManager[object] | None:
    """Keep something going for as long as a runtime runs: a watcher, a connection.

    Called: at start, before the first look, each implementation by itself; in a forked
        child, again.
    Thread: the one that applies, within the deadline; its exit as well.
    Arguments: `runtime` is the runtime that starts.
    Returns: a context manager, entered at once and left in reverse order when the
        runtime stops, after its modules; `None` if there is nothing to keep.
    Raises: an exception is logged and changes nothing.
    Since: 0.1
    """


@hookspec
def on_apply(plan: Plan, document: Document, runtime: Runtime) -> None:
    """Observe that a plan is about to be carried out.

    Called: before anything is prepared or changed, also at the first start, each
        implementation by itself; `on_outcome` follows, unless the process dies.
    Thread: the one that applies; it holds the change up.
    Arguments: `plan` is what will be done to reach `document`.
    Returns: nothing.
    Raises: an exception is logged and changes nothing.
    Since: 0.1
    """


@hookspec(firstresult=True)
def recall(outcome: Outcome, runtime: Runtime) -> Loaded | None:
    """Return the last good document that was kept of an earlier run.

    Called: at the first start, if the source's document cannot be had or does not
        start. The core starts what is returned as the first generation, goes on
        trying the source, and says so in the status.
    Thread: the one that applies.
    Arguments: `outcome` says what failed.
    Returns: `Loaded`, or `None` if nothing was kept; the first that is not `None` wins.
    Raises: any exception is logged; the start fails as `outcome` says.
    Since: 0.1
    """


@hookspec
def on_outcome(outcome: Outcome, runtime: Runtime) -> None:
    """Observe how an attempt ended.

    Called: after every attempt that was not a mere look, each implementation by itself.
    Thread: the one that applied, after the exchange of the snapshot; no lock is held.
    Arguments: `outcome` is one of the six outcomes.
    Returns: nothing.
    Raises: an exception is logged and changes nothing.
    Since: 0.1
    """
