"""A watch of a source that was opened, and the hints it brings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import attrs


@attrs.define(eq=False, repr=False)
class OpenWatch:
    """One opened watch; a hint of a watch that is not alive counts for nothing."""

    hint: Callable[[], None]
    alive: bool = True
    manager: AbstractContextManager[object] | None = None

    def notify(self) -> None:
        """Take a hint."""
        if self.alive:
            self.hint()

    def enter(self, manager: AbstractContextManager[object]) -> None:
        """Enter the context that the source gave."""
        manager.__enter__()
        self.manager = manager
        if not self.alive:  # it came so late that it is not waited for any more
            self.leave()

    def leave(self) -> None:
        """Leave the context that was entered."""
        self.alive = False
        if self.manager is not None:
            self.manager.__exit__(None, None, None)
