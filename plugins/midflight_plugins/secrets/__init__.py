"""References to secrets and variables, resolved at every load.

`${NAME}`, `${NAME:-default}` and `${scheme:…}` stand in any string of a document. What
is secret comes out as a `Secret`. It does not read configuration, and keeps nothing.
"""

from __future__ import annotations

import weakref
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from midflight import Document, Runtime, hookimpl
from midflight.errors import InvalidConfigurationError
from midflight_plugins.secrets._gaps import gaps_in, is_due_to
from midflight_plugins.secrets._grammar import escaped
from midflight_plugins.secrets._hiding import untold
from midflight_plugins.secrets._state import State

__all__ = ["add_resolver", "escaped"]

# The entry point is this module, which serves all runtimes of the process.
_states: weakref.WeakKeyDictionary[Runtime, State] = weakref.WeakKeyDictionary()


def add_resolver(runtime: Runtime, scheme: str, resolver: Any) -> None:
    """Let a runtime resolve `${scheme:…}`, before it starts.

    Args:
        runtime: the one that shall do so.
        scheme: what stands before the colon.
        resolver: a function of the rest and the runtime, or an object or a class with
            the methods `resolve(rest)` and, if it can, `token(rest)` and `paths(rest)`.
    """
    _state(runtime).resolvers.add(scheme, resolver)


def _state(runtime: Runtime) -> State:
    return _states.get(runtime) or _states.setdefault(runtime, State(runtime))


@hookimpl(wrapper=True)
def transform(
    document: Document, runtime: Runtime
) -> Generator[None, Document, Document]:
    """Put values in the place of references, and hide what is secret.

    Raises:
        InvalidConfigurationError: with every reference that cannot be resolved.
    """
    document = yield
    return _state(runtime).transform(document, runtime)


@hookimpl(wrapper=True)
def structure(config: Mapping[str, Any]) -> Generator[None, Any, Any]:
    """Tell no value of a key that is called like a secret, such as a bare number.

    Raises:
        InvalidConfigurationError: the same faults, without what was found there, and
            without those of a reference that could not be resolved.
    """
    try:
        return (yield)
    except Exception as exc:
        gaps = frozenset(gaps_in(config))
        if not isinstance(exc, InvalidConfigurationError):
            if not gaps:
                raise
            raise InvalidConfigurationError(()) from None
        faults = [untold(each) for each in exc.faults if not is_due_to(each, gaps)]
        raise InvalidConfigurationError(faults, exc.partial, exc.positions) from None


@hookimpl
def inputs(runtime: Runtime) -> str | None:
    """Return a token of the variables and files behind the last document."""
    return _state(runtime).inputs(runtime)


@hookimpl
def lifespan(runtime: Runtime) -> AbstractContextManager[object] | None:
    """Watch the files behind the references, if the runtime watches."""
    return _state(runtime).following(runtime) if runtime.watches else None
