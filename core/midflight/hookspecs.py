"""Every hook, in the order in which a change meets them.

Each docstring answers six questions: *Called* when and by whom; *Thread* and what may
overlap; *Arguments*; *Returns*; *Raises* and who survives it; *Since*.

Three roles are participants: live objects with `@hookimpl` methods. Sources have
`load`, `hash`, `watch`, `put`, `history`, `read_version`, `stop`; strategies
`on_change`; modules `prepare`, `start`, `reconfigure`, `probe`, `discard`, `stop`. The
core calls one participant at a time, and plugins may wrap any such call with
`@hookimpl(wrapper=True)`. An implementation names only the arguments it wants, among
them `runtime` and, for a participant's hook, `participant`: whose it is, as in
"module `web` (http)", so that a wrapper can tell. Any hook of a participant may be
`async def`: `adapt` then has it run on the application's event loop, or on another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from midflight._document import Document
from midflight._hookdata import Health, Layer, Loaded, Version, hookimpl, hookspec
from midflight._observerspecs import (
    adapt,
    journal,
    lifespan,
    on_apply,
    on_outcome,
    recall,
    record,
    restore,
)
from midflight._plan import Plan

if TYPE_CHECKING:
    from midflight._change import Change
    from midflight._runtime import Runtime

__all__ = ["Health", "Layer", "Loaded", "Version", "hookimpl", "hookspec"]
__all__ += ["adapt", "journal", "lifespan", "on_apply", "on_outcome", "recall"]
__all__ += ["record", "restore"]
SOURCE_HOOKS = frozenset(
    {"load", "hash", "watch", "put", "history", "read_version", "stop"}
)
STRATEGY_HOOKS = frozenset({"on_change"})
MODULE_HOOKS = frozenset(
    {"prepare", "start", "reconfigure", "probe", "discard", "stop"}
)
OBSERVER_HOOKS = frozenset({"lifespan", "on_apply", "on_outcome"})


# -- sources
@hookspec(firstresult=True)
def watch(
    notify: Callable[[], None], participant: str, runtime: Runtime
) -> AbstractContextManager[object] | None:
    """Tell the core when the source may have changed. Optional.

    Called: at start, before the first `load`, if the runtime watches; again if it
        failed or was lost.
    Thread: the core's; the context manager may call `notify` from any thread,
        which then may run the change itself: hold no lock of yours while you call it.
    Arguments: `notify` is a hint without a payload; lost, doubled and late hints are
        harmless. `runtime` is the runtime that watches.
    Returns: a context manager; no `notify` comes after its exit.
    Raises: any exception is logged; the sweep goes on finding changes.
    Since: 0.1
    """


@hookspec(firstresult=True)
def hash(participant: str, runtime: Runtime) -> str | None:  # noqa: A001  # the contract's name
    """Return a cheap token that differs whenever `load` would differ.

    Called: before a `load`, and at every sweep; not after a hint, if the last `load`
        told its own token.
    Thread: the one that applies; as to what it may overlap, it is as `load`.
    Arguments: `runtime` is the runtime that asks.
    Returns: a string, or `None` if there is no token cheaper than `load`. An equal
        token lets the core skip `load`; it is never used to label a document.
    Raises: any exception is a `source_unavailable`; last good stays; tried again.
    Since: 0.1
    """


@hookspec(firstresult=True)
def load(participant: str, runtime: Runtime) -> Loaded | Mapping[str, Any]:
    """Read the whole configuration, in one read.

    Called: at start, at `reload`, at a retry, and whenever the token differs from that
        of the last read, or is not known to be that read's own (see `Loaded.token`);
        by `Runtime.check` and `read`.
    Thread: the one that applies; for `check` and `read` the caller's, without a
        deadline. Never overlaps `hash` or another `load`, unless that overran its
        deadline; `put`, `history`, `read_version` and `watch` may run meanwhile.
    Arguments: `runtime` is the runtime that asks.
    Returns: `Loaded`, or a plain mapping. The core copies it; keep no claim on it.
    Raises: `InvalidConfigurationError` for content that is wrong, with every fault;
        it is not retried until the token changes. Any other exception means that the
        source is unavailable: last good stays, and the read is retried with backoff.
    Since: 0.1
    """


@hookspec(firstresult=True)
def put(
    document: Document,
    expected_version: str | int | None,
    author: str,
    message: str,
    text: str | None,
    participant: str,
    runtime: Runtime,
) -> str | int:
    """Store a new version of the configuration. Optional: makes a source writable.

    Called: by the write API and the command line.
    Thread: the caller's; may overlap `load` and other puts.
    Arguments: `document` is stored whole; `expected_version` is the version it is
        based on, `None` if there is none yet; `author` and `message` go into history;
        `text` is what the author wrote, if it means just that document: store it, so
        that comments stay.
    Returns: the new version, once it is durable; that of the head if it is equal.
    Raises: `ConflictError` if `expected_version` is not the head;
        `UnknownOutcomeError` if nobody can tell whether it was stored.
    Since: 0.1
    """


@hookspec(firstresult=True)
def history(limit: int, participant: str, runtime: Runtime) -> list[Version]:
    """List stored versions, newest first. Optional.

    Called: by the command line and the admin.
    Thread: the caller's; may overlap every other hook.
    Arguments: `limit` is the greatest number of versions to return.
    Returns: at most `limit` versions, newest first.
    Raises: any exception goes to the caller.
    Since: 0.1
    """


@hookspec(firstresult=True)
def read_version(version: str | int, participant: str, runtime: Runtime) -> Loaded:
    """Read one stored version. Optional.

    Called: by the command line and the admin, to show or to restore it.
    Thread: the caller's; may overlap every other hook.
    Arguments: `version` is one that `history` listed.
    Returns: `Loaded`, as `load` returned it when that version was the head.
    Raises: `KeyError` for a version that is not kept; goes to the caller.
    Since: 0.1
    """


# -- formats
@hookspec(firstresult=True)
def parse(data: bytes, format: str, name: str, runtime: Runtime) -> Loaded | None:  # noqa: A002  # the format's usual name
    """Read a document out of bytes, for the sources that fetch them.

    Called: by `Runtime.parse`, which a source's `load` and `read_version` call.
    Thread: the caller's.
    Arguments: `data` is the whole text; `format` is `yaml`, `json`, `toml` or what else
        a plugin reads; `name` is what errors call it.
    Returns: `Loaded`, with `positions`; or `None` if this plugin does not read that
        format. The first that is not `None` wins.
    Raises: `InvalidConfigurationError` with every fault, each with its place.
    Since: 0.1
    """


# -- plugins on the way
@hookspec(firstresult=True)
def transform(document: Document, runtime: Runtime) -> Document:
    """Change a document between load and use: interpolation, secrets.

    Called: once for each load. Implement it as a wrapper round the core's identity:
        `document = yield`, then return another document.
    Thread: the one that applies; for `check` and `read` the caller's.
    Arguments: `document` is what was loaded, frozen.
    Returns: the document to use.
    Raises: `InvalidConfigurationError` rejects the content; any other exception fails
        the attempt; last good stays.
    Since: 0.1
    """


@hookspec
def inputs(runtime: Runtime) -> str | None:
    """Return a token of what `transform` reads beside the document.

    Called: at every look at the source, before `hash` and `load`; all are asked.
    Thread: the one that applies.
    Arguments: `runtime` is the runtime that asks.
    Returns: a string that differs whenever `transform` would give something else for
        the same document, as after a secret was rotated; `None` if there is nothing.
    Raises: any exception fails the attempt; last good stays.
    Since: 0.1
    """


@hookspec(firstresult=True)
def structure(config: Mapping[str, Any], type: Any, runtime: Runtime) -> Any:  # noqa: A002  # the contract's name
    """Turn a frozen mapping into a typed value.

    Called: for each touched module whose class has `Config`, before any `prepare`,
        and for each bound live settings.
    Thread: the one that applies; for `check` and `plan` the caller's.
    Arguments: `config` is the frozen mapping; `type` is what the class says, such as
        an attrs class.
    Returns: the typed value, or `None` if this plugin does not know that kind of type;
        the first that is not `None` wins.
    Raises: `InvalidConfigurationError` with every fault, paths relative to `config`;
        any other exception rejects the content too.
    Since: 0.1
    """


@hookspec(firstresult=True)
def json_schema(type: Any, runtime: Runtime) -> Mapping[str, Any] | None:  # noqa: A002  # the contract's name
    """Describe a configuration type as JSON Schema.

    Called: by the command line and the admin.
    Thread: the caller's.
    Arguments: `type` is a module class's `Config`.
    Returns: the schema, or `None` if this plugin does not know that kind of type.
    Raises: any exception goes to the caller.
    Since: 0.1
    """


@hookspec(firstresult=True)
def on_change(change: Change, participant: str, runtime: Runtime) -> Plan | None:
    """Decide what a change needs.

    Called: when the wanted digest differs from the one in force; not at start.
    Thread: the one that applies; for `plan` the caller's.
    Arguments: `change` holds the diff and what may be known of the running modules.
    Returns: a `Plan`, or `None` to leave it to the next. Plugins that say `tryfirst`
        come first; the first that is not `None` wins. The core checks that the plan
        covers the change, and orders it by dependency.
    Raises: any exception fails the attempt; last good stays.
    Since: 0.1
    """


# -- modules
@hookspec(firstresult=True)
def prepare(config: Any, document: Document, participant: str, runtime: Runtime) -> Any:
    """Use the new configuration without any effect that others see. Optional.

    Called: for every touched module before any is changed, in dependency order; for a
        module to be started or restarted, on the new object; once more with the old
        configuration before a change is taken back.
    Thread: the one that applies, within the deadline; its own work goes on meanwhile.
        Of a class with `parallel = True`: one beside, while others prepare, with all
        that wraps it.
    Arguments: `config` is typed if the class has `Config`; `document` is the whole
        wanted document, for the sections the module reads.
    Returns: anything; it comes back as `prepared`.
    Raises: any exception refuses the whole change; what was prepared is discarded.
        `TransientError` and `OSError` are tried again with backoff.
    Since: 0.1
    """


@hookspec(firstresult=True)
def start(
    config: Any, prepared: Any, document: Document, participant: str, runtime: Runtime
) -> None:
    """Begin to work.

    Called: in dependency order; `runtime.module(name)` has what it depends on.
    Thread: the one that applies, within the module's deadline.
    Arguments: as in `prepare`; `prepared` is what `prepare` returned, else `None`.
    Returns: nothing.
    Raises: any exception takes the whole change back.
    Since: 0.1
    """


@hookspec(firstresult=True)
def reconfigure(
    config: Any,
    previous: Any,
    prepared: Any,
    document: Document,
    participant: str,
    runtime: Runtime,
) -> None:
    """Take a new configuration while running. Optional: without it, a restart.

    Called: in dependency order, after all were prepared; with `config` and `previous`
        exchanged to take a change back, on the module that failed too.
    Thread: the one that applies, within the module's deadline.
    Arguments: `previous` is the configuration in force, typed as `config`; `prepared`
        is what `prepare` returned, else `None`.
    Returns: nothing.
    Raises: any exception takes the whole change back.
    Since: 0.1
    """


@hookspec(firstresult=True)
def probe(participant: str, runtime: Runtime) -> Health | Mapping[str, Any] | None:
    """Say how the module is and which values are in force. Optional.

    Called: after its own commit, before the snapshot is exchanged; and on request.
    Thread: the one that applies, or the one that asks.
    Arguments: `runtime` is the runtime that asks.
    Returns: `Health`, or a mapping of the values in force.
    Raises: an exception, or `healthy=False`, takes the whole change back; on
        request it is shown.
    Since: 0.1
    """


@hookspec(firstresult=True)
def discard(prepared: Any, participant: str, runtime: Runtime) -> None:
    """Let go of what `prepare` returned, since it will not be used. Optional.

    Called: when a prepared change is not committed, in reverse order; not once
        `start` or `reconfigure` was called with it, even if that raised, or a wrapper
        kept it from running: the `stop` that follows lets go of it as well.
    Thread: the one that applies.
    Arguments: `prepared` is what `prepare` returned.
    Returns: nothing.
    Raises: an exception is logged and changes nothing.
    Since: 0.1
    """


@hookspec(firstresult=True)
def stop(participant: str, runtime: Runtime) -> None:
    """End all work and let go of everything. Optional.

    Called: once for each started object, before what it depends on is stopped (of a
        class with `overlap`: after the change); also if its `start` failed. Of a
        source: when the runtime stops, after its watch was left. Another runtime may
        have the same source object, and go on with it.
    Thread: the one that applies, within the deadline.
    Arguments: `runtime` is the runtime that stops it.
    Returns: nothing.
    Raises: an exception is logged and reported as a warning; the module is gone.
    Since: 0.1
    """
