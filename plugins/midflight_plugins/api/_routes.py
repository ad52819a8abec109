"""Every route: method, path, the scope it needs, and what answers it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from midflight_plugins.api._http import Answer, Request

if TYPE_CHECKING:
    from midflight_plugins.api._api import Api


@attrs.frozen
class Param:
    """A parameter of a query or a header that a route takes.

    Args:
        name: as it is written.
        about: what it is for.
        place: `query` or `header`.
        kind: its JSON Schema.
        required: whether the route refuses to do without it.
    """

    name: str
    about: str
    place: str = "query"
    kind: dict[str, Any] = attrs.field(factory=lambda: {"type": "string"})
    required: bool = False


@attrs.frozen
class Route:
    """One thing that can be asked.

    Args:
        method: of HTTP.
        path: with `{name}` where a name stands.
        scope: `read`, `write`, `rollback` or `admin`. `write` is checked for the module
            that the path names, else for all modules, unless `checks`.
        handler: answers; may raise `Problem` and every error of Midflight.
        operation: its name for clients.
        about: what it does, in one sentence.
        takes: the type of its JSON body, if it has one.
        gives: the type of its answer.
        params: what its query and headers may say.
        statuses: with which it answers, beside those of every route.
        checks: its handler itself checks which modules a `write` is about.
        wordless: it does without its body.
    """

    method: str
    path: str
    scope: str
    handler: Callable[[Api, Request], Answer]
    operation: str
    about: str
    takes: Any = None
    gives: Any = None
    params: tuple[Param, ...] = ()
    statuses: tuple[int, ...] = (200,)
    checks: bool = False
    wordless: bool = False

    def match(self, path: str) -> dict[str, str] | None:
        """Return what a path names, or `None` if it is another's."""
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found else None
