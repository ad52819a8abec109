"""A wrapper for each hook that can be wrapped, and an observer for the others."""

from __future__ import annotations

import contextlib
import inspect
import sys
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

from midflight import Outcome, Plan, hookimpl, hookspecs
from midflight.errors import MidflightError

_SEEN = ("on_apply", "on_outcome", "lifespan")


def hooks() -> dict[str, Callable[..., Any]]:
    """Return a hookimpl for each hook there is, by name."""
    wrap = hookimpl(wrapper=True, tryfirst=True)
    named = {
        name: inspect.signature(spec).parameters
        for name, spec in vars(hookspecs).items()
        if hasattr(spec, "midflight_spec") and name not in _SEEN
    }
    return {
        name: wrap((_of_one if "participant" in arguments else _of_all)(name))
        for name, arguments in named.items()
    } | {"on_apply": on_apply, "on_outcome": on_outcome, "lifespan": lifespan}


def _of_one(hook: str) -> Callable[..., Any]:
    def call(participant: str) -> Generator[None, Any, Any]:
        return (yield from _timed(participant, hook))

    return call


def _of_all(hook: str) -> Callable[..., Any]:
    def call() -> Generator[None, Any, Any]:
        return (yield from _timed("plugins", hook))

    return call


def _timed(whose: str, hook: str) -> Generator[None, Any, Any]:
    """Let the call happen, then tell how long it took and how it ended."""
    begun = time.perf_counter()
    try:
        result = yield
    except BaseException as exc:
        _say(whose, hook, f"raised {_kind(exc)}", begun)
        raise
    _say(whose, hook, "None" if result is None else type(result).__name__, begun)
    return result


def _kind(error: BaseException) -> str:
    """Name an error without its message, which may quote a value."""
    code = f" [{error.code}]" if isinstance(error, MidflightError) else ""
    return f"{type(error).__name__}{code}"


@hookimpl
def on_apply(plan: Plan) -> None:
    """Tell how much will be done."""
    count = len(plan.steps)
    _say("observers", "on_apply", f"{count} step{'' if count == 1 else 's'}")


@hookimpl
def on_outcome(outcome: Outcome) -> None:
    """Tell how it ended."""
    _say("observers", "on_outcome", f"{outcome.name}, {outcome.reason}")


@hookimpl
@contextlib.contextmanager
def lifespan() -> Iterator[None]:
    """Tell when the runtime starts and stops."""
    _say("observers", "lifespan", "begins")
    yield
    _say("observers", "lifespan", "ends")


def _say(whose: str, hook: str, what: str, begun: float | None = None) -> None:
    spent = "" if begun is None else f"{(time.perf_counter() - begun) * 1000:.3f} ms"
    line = f"trace {spent:>12}  {whose}: {hook} -> {what}\n"
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            sys.stderr.write(line)
