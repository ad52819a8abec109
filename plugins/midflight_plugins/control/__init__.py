"""Answers questions about a running process over a socket of its state directory."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from midflight import hookimpl

if TYPE_CHECKING:
    from midflight import Runtime

__all__ = ["lifespan"]


@hookimpl
def lifespan(runtime: Runtime) -> AbstractContextManager[object] | None:
    """Serve `control.sock` in the state directory, if there is one."""
    if runtime.state_dir is None:
        return None
    from midflight_plugins.control._server import serving

    return serving(runtime, runtime.state_dir)
