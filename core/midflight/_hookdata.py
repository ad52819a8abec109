"""What hooks return: what was loaded, a stored version, a module's health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pluggy

from midflight._document import Document
from midflight.errors import Positions

hookspec = pluggy.HookspecMarker("midflight")
hookimpl = pluggy.HookimplMarker("midflight")


@attrs.frozen(eq=False)
class Layer:
    """One part of a source that is made of several, and how it is.

    Args:
        name: what errors and provenance call it.
        source: the name of the source behind it.
        version: that source's own mark, if it has any.
        optional: whether the rest goes on without it.
        error: why it cannot be read now; empty if it can. What it gave before is kept.
        since: when that began, in seconds since 1970.
        loaded: what it gave, with its own `positions`; `None` if nothing yet.
        participant: its source, to be asked for more than it gave: its `history`, or
            what a writable one offers. `None` in what was recalled from an earlier run.
    """

    name: str
    source: str = ""
    version: str | int | None = None
    optional: bool = False
    error: str = ""
    since: float | None = None
    loaded: Loaded | None = attrs.field(default=None, repr=False)
    participant: Any = attrs.field(default=None, repr=False)


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
        text: what its author wrote, YAML or JSON, if that is one text, as a string or
            as UTF-8; whoever stores the document can then keep comments and bytes as
            they are. Read, it is a string.
        layers: what it was made of, lowest first, if of several.
        author: who made this version, if the source knows.
    """

    document: Document | Mapping[str, Any] = attrs.field(repr=False)
    version: str | int | None = None
    positions: Positions | None = None
    token: str | None = None
    _text: str | bytes | None = attrs.field(default=None, repr=False)
    layers: tuple[Layer, ...] = attrs.field(
        default=(),
        validator=attrs.validators.deep_iterable(attrs.validators.instance_of(Layer)),
    )
    author: str = ""

    @property
    def text(self) -> str | None:
        """What its author wrote; decoded only for whoever asks."""
        return self._text.decode() if isinstance(self._text, bytes) else self._text


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
        detail: one line about what is wrong, or what can be made one, as an exception.
    """

    healthy: bool = attrs.field(default=True, converter=bool)
    values: Mapping[str, Any] = attrs.field(factory=dict)
    detail: str = attrs.field(default="", converter=str)
