"""Which texts the plugins would take for secrets that stand there in clear."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from midflight import Document, Runtime, Secret
from midflight.errors import Code, dotted
from midflight_plugins.api._http import Problem
from midflight_plugins.api._preview import transformed


class ClearTexts:
    """Looks for literal secrets, as the plugins of a runtime of its own see them.

    They get one module without its references, so that none is resolved.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runtime: Runtime | None = None

    def check(self, value: Any, tree: Mapping[str, Any]) -> None:
        """Refuse literal secrets.

        Args:
            value: what somebody wants to be stored.
            tree: the same where it is to stand, with modules by name.

        Raises:
            Problem: 422, naming the first.
            MidflightError: if nobody can tell.
        """
        if not any(_texts(value)):
            return
        for path, each in _leaves(self._seen(tree)):
            if isinstance(each, Secret):
                detail = f"`{dotted(path)}` is a secret in clear"
                hint = "send a reference, as in `${file:/run/secrets/name}`"
                raise Problem(422, Code.E_SECRET, f"{detail}; {hint}")

    def _seen(self, tree: Mapping[str, Any]) -> Document:
        with self._lock:
            if self._runtime is None:
                self._runtime = Runtime("memory:")
            document = Document.from_mapping(_without_references(tree))
            return transformed(self._runtime, document)


def _texts(value: Any) -> Iterator[bool]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif not isinstance(value, bool | None):
        yield True  # a number may be a password


def _without_references(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_references(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_references(each) for each in value]
    return None if isinstance(value, str) and "${" in value else value


def _leaves(document: Document) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    stack: list[tuple[tuple[str | int, ...], Any]]
    stack = [
        (("modules", name, "config"), each.config)
        for name, each in document.modules.items()
    ]
    stack.append(((), document.sections))
    while stack:
        path, value = stack.pop()
        if isinstance(value, Mapping):
            stack.extend(((*path, key), each) for key, each in value.items())
        elif isinstance(value, tuple):
            stack.extend(((*path, at), each) for at, each in enumerate(value))
        else:
            yield path, value
