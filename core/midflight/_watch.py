"""A watch of a source that was opened, and the hints it brings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import attrs


@attrs.define(eq=False, repr=False)
class OpenWatch:
    """One opened watch; a hint of a watch that is not alive counts for nothing."""

    hint: Callable[[], None]
    alive: bool = True
    stack: contextlib.ExitStack | None = None

    def notify(self) -> None:
        """Take a hint."""
        if self.alive:
            self.hint()

    def leave(self) -> None:
        """Leave the context that was entered."""
        self.alive = False
        if self.stack is not None:
            self.stack.close()


def entered(manager: Any) -> contextlib.ExitStack:
    """Enter a context manager; what is none raises here, as its plugin's fault."""
    stack = contextlib.ExitStack()
    stack.enter_context(manager)
    return stack
