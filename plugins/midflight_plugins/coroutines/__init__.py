"""Runs `async def` hooks on the runtime's event loop, or on one of its own."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from midflight import hookimpl
from midflight.errors import StepTimeoutError
from midflight_plugins.coroutines._loop import loop_of

if TYPE_CHECKING:
    from midflight import Runtime

__all__ = ["adapt", "lifespan"]


@hookimpl
def adapt(
    method: Callable[..., Any],
    hook: str,
    deadline: float,
    participant: str,
    runtime: Runtime,
) -> Callable[..., Any]:
    """Return a plain function that waits for the coroutine function `method`."""

    @functools.wraps(method)
    def wait_for(*args: Any, **kwargs: Any) -> Any:
        from midflight_plugins.coroutines._wait import result_of

        late = StepTimeoutError(participant, hook, deadline)
        loop = loop_of(runtime).given(runtime)
        return result_of(functools.partial(method, *args, **kwargs), loop, late)

    return wait_for


@hookimpl(trylast=True)  # it begins before all others, and so ends after them
@contextlib.contextmanager
def lifespan(runtime: Runtime) -> Iterator[None]:
    """Keep the loop for as long as the runtime runs."""
    loop = loop_of(runtime)
    yield
    loop.close()
