"""The hooks of those who serve and look on; `midflight.hookspecs` has all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from midflight._document import Document
from midflight._hookdata import Loaded, hookspec
from midflight._outcome import Outcome
from midflight._plan import Plan

if TYPE_CHECKING:
    from midflight._runtime import Runtime


@hookspec(firstresult=True)
def adapt(
    method: Callable[..., Any],
    hook: str,
    deadline: float,
    participant: str,
    runtime: Runtime,
) -> Callable[..., Any] | None:
    """Make a plain function of a participant's `async def` hook.

    Called: before each call of such a hook.
    Thread: the one that makes the call; what is returned is called there.
    Arguments: `method` is the coroutine function; `hook` is its hook's name;
        `deadline` are the seconds it may take: a second later the core gives it up;
        `runtime` is whose participant it is. `runtime.loop` is the application's event
        loop, if it has one; set it to a loop of your own, so that what would block
        that one is refused.
    Returns: a function with the signature of `method`, as `functools.wraps` gives it,
        that returns what the coroutine does, once that has ended; `None` leaves it to
        the next.
    Raises: any exception fails that call, also from the function that is returned.
    Since: 0.1
    """


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


# -- what was decided
@hookspec(firstresult=True)
def journal(
    limit: int, before: int | None, runtime: Runtime
) -> Sequence[Mapping[str, Any]] | None:
    """List what was decided, newest first.

    Called: by the command line and the admin, through `Runtime.hook`.
    Thread: the caller's; may overlap every other hook.
    Arguments: `limit` is the greatest number of records to return; `before` is the
        `number` of a record: only older ones are returned; `None` for the newest;
        `runtime` is the runtime whose journal it is.
    Returns: records as plain data, each with its `number`; `None` from a plugin that
        keeps none. The first that is not `None` wins.
    Raises: any exception goes to the caller.
    Since: 0.1
    """


@hookspec
def record(entry: Mapping[str, Any], runtime: Runtime) -> None:
    """Write down something that was decided outside the core.

    Called: by a plugin, through `Runtime.hook`, such as for a request that was refused.
    Thread: the caller's; may overlap every other hook.
    Arguments: `entry` is plain data without secrets, in the words of the journal:
        `outcome`, `reason`, `actor`, `cause`, and `faults` as `{code, text}`.
    Returns: nothing.
    Raises: any exception goes to the caller.
    Since: 0.1
    """


@hookspec(firstresult=True)
def restore(digest: str, runtime: Runtime) -> Loaded | None:
    """Return a configuration that was in force before, as it was read then.

    Called: by the admin, through `Runtime.hook`, to take a change back.
    Thread: the caller's; may overlap every other hook.
    Arguments: `digest` is that of the document which was in force.
    Returns: `Loaded`, before any `transform`; `None` if it is not kept. The first that
        is not `None` wins.
    Raises: any exception goes to the caller.
    Since: 0.1
    """
