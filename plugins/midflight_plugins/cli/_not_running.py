"""What is raised where no service answers; apart from what asks, which needs more."""

from __future__ import annotations

from midflight.errors import MidflightError


class NotRunningError(MidflightError):
    """No service answers."""
