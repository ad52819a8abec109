"""What a JSON Schema says of configuration: the door for those who ask it.

The command `midflight schema` stands beside it, and is imported when it runs.
"""

from __future__ import annotations

from midflight_plugins.schema._described import (
    MARK,
    MARKS,
    RESTART,
    SECRET,
    Described,
    marked,
    said_of,
)

__all__ = ["MARK", "MARKS", "RESTART", "SECRET", "Described", "marked", "said_of"]
