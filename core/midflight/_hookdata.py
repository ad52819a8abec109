"""What hooks return: what was loaded, a stored version, a module's health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from midflight._document import Document
from midflight.errors import Positions


@attrs.frozen(eq=False)
class Loaded:
    """What one read of a source gave.

    Args:
        document: a `Document`, or the parsed mapping, which the core wraps and freezes.
        version: the source's own mark of a stored document; `None` for a plain file.
        positions: finds the place of a key path, for errors; called only for those.
        token: what `hash` would have returned for just this read. Without it the core
            loads once more at the next look, since content may have come and gone
            between `hash` and `load`.
        text: what its author wrote, YAML or JSON, if that is one text; whoever stores
            the document can then keep comments and bytes as they are.
    """

    document: Document | Mapping[str, Any]
    version: str | int | None = None
    positions: Positions | None = None
    token: str | None = None
    text: str | None = None


@attrs.frozen
class Version:
    """One stored version of a document, as `history` lists it.

    Args:
        version: the source's own mark.
        digest: the digest of the document stored under it, or empty if unknown.
        author: who put it.
        message: why.
        at: seconds since 1970, or `None` if unknown.
    """

    version: str | int
    digest: str = ""
    author: str = ""
    message: str = ""
    at: float | None = None


@attrs.frozen
class Health:
    """What a module says of itself.

    Args:
        healthy: whether it works with the values in force.
        values: the values in force, for people and for tests of a rollback.
        detail: one line about what is wrong.
    """

    healthy: bool = True
    values: Mapping[str, Any] = attrs.field(factory=dict)
    detail: str = ""
