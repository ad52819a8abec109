"""A value that hides itself wherever it is shown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from operator import is_
from typing import Any

MASK = "********"
_PLAIN = frozenset({str, int, float, bool, type(None)})
_KEY = os.urandom(32)  # of this process: its fingerprints tell nobody else anything


class Secret:
    """A text that only `reveal` shows.

    In documents it stands where a secret was resolved. Modules, `structure` plugins
    and live settings get the plain text instead, unless their field is a `Secret`.

    Args:
        value: what is hidden.
        fingerprint: tells one value from another, and nothing else of it; by default
            made with a key that only this process has.
    """

    __slots__ = ("_value", "fingerprint")

    def __init__(self, value: str, fingerprint: str = "") -> None:
        import hashlib

        code = hashlib.blake2b(value.encode(errors="surrogatepass"), key=_KEY)
        self._value = value
        self.fingerprint = fingerprint or code.hexdigest()[:12]

    def reveal(self) -> str:
        """Return what is hidden."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r}, fingerprint={self.fingerprint!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret) or self._value != other._value:
            return False  # what came out of a pickle has but its fingerprint
        return self._value != MASK or self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __deepcopy__(self, _memo: object = None) -> Secret:
        return self

    __copy__ = __deepcopy__

    def __reduce__(self) -> tuple[type[Secret], tuple[str, str]]:
        return Secret, (MASK, self.fingerprint)  # a pickle would carry it away


def hidden_in(value: Any) -> Iterator[str]:
    """Yield the text of each secret in a value."""
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, Mapping | tuple | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from hidden_in(each)


def revealed(value: Any) -> Any:
    """Return a frozen value with the plain text of its secrets."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, tuple):
        return tuple(map(revealed, value))
    if not isinstance(value, dict):
        return value
    # Mostly there is none, and the same mapping will do, if nobody can write into it.
    frozen = type(value) is not dict
    if frozen and _PLAIN.issuperset(map(type, value.values())):  # all in C
        return value
    known = {key: revealed(each) for key, each in value.items()}
    same = frozen and all(map(is_, known.values(), value.values()))
    return value if same else type(value)(known)
