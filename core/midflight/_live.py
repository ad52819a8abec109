"""Typed live settings: one plain attribute that always holds one generation."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Live(Generic[T]):
    """A typed view of one module's configuration, or of one section.

    `current` is replaced whole when a generation is applied. Keep it in a local
    variable to read several values of one generation.
    """

    __slots__ = ("current", "name", "seen", "type")

    current: T
    seen: object  # the frozen configuration that `current` was made of

    def __init__(self, name: str, type_: type[T]) -> None:
        self.name = name
        self.type = type_
        self.seen = None

    def __repr__(self) -> str:
        return f"Live({self.name!r})"  # `current` may hold secrets
