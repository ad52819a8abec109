"""Which keys, variables and texts look as if they held a secret."""

from __future__ import annotations

import functools
import os
import re

SETTING = "MIDFLIGHT_SECRETS_KEYS"
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LAST = {
    "authorization",
    "credential",
    "dsn",
    "pass",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "token",
}
# Also at the end of a word, as in `PGPASSWORD` and `authtoken`.
_ENDS = ("passphrase", "passwd", "password", "secret", "token")
_KEYS = {"access", "api", "encryption", "master", "private", "secret", "signing"}
_FEW = 32  # keys
_COUNTS = {"max", "min", "num", "number", "total"}  # `max_tokens` is a number
# Below a secret's key, as in `credentials: {port: 5432}`; `tokens` is a unit as well.
_MEASURES = {
    "age", "count", "created", "days", "expires", "expiry", "hours", "interval",
    "issued", "length", "limit", "minutes", "port", "rate", "retries", "seconds",
    "size", "timeout", "tokens", "ttl", "updated", "version",
}  # fmt: skip
# A URL with a password: `postgres://user:password@host`.
_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@]*:[^\s/?#@]+@")


def patterns() -> tuple[str, ...]:
    """Return the patterns that the environment names, of keys and exceptions."""
    found = os.environ.get(SETTING, "")
    return tuple(part.strip().lower() for part in found.split(",") if part.strip())


@functools.lru_cache(8192)
def looks_secret(name: str, more: tuple[str, ...] = ()) -> bool:
    """Tell whether a key or a variable of that name holds a secret.

    Args:
        name: such as `db_password`, `apiKey` or `AUTH-TOKEN`.
        more: patterns of further names, in lower case; `!` begins an exception.
    """
    if more and is_excepted(name, more):
        return False
    if more and _is_named(name, more):
        return True
    words = [word.lower() for word in _PART.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    if not words or _COUNTS.intersection(words):
        return False
    last = words[-1] if words[-1] in _LAST else words[-1].removesuffix("s")
    if last in _LAST or any(last == f"{word}key" for word in _KEYS):
        return True
    if last.endswith(_ENDS) and not last.startswith(tuple(_COUNTS)):
        return True
    before = words[-2] if len(words) > 1 else ""
    return (last == "key" and before in _KEYS) or (last == "word" and before == "pass")


def secret_among(names: tuple[str, ...], more: tuple[str, ...] = ()) -> frozenset[str]:
    """Return those of a mapping's keys that look secret; many mappings share theirs."""
    # Of a large mapping nothing is kept: others would hardly have just its keys.
    among = _among if len(names) <= _FEW else _among.__wrapped__
    return among(names, more)


@functools.lru_cache(1024)
def _among(names: tuple[str, ...], more: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for name in names if looks_secret(name, more))


def is_excepted(name: str, more: tuple[str, ...]) -> bool:
    """Tell whether a pattern says that a key holds no secret, as in `!shards`."""
    return _is_named(name, tuple(each[1:] for each in more if each.startswith("!")))


@functools.lru_cache(1024)
def measures(name: str, more: tuple[str, ...] = ()) -> bool:
    """Tell whether a number of that key measures something, and is no secret."""
    if _is_named(name, more):
        return False
    words = [word.lower() for word in _PART.findall(name)]
    return bool(words) and (words[-1] in _MEASURES or not _COUNTS.isdisjoint(words))


def _is_named(name: str, patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return False
    import fnmatch

    return any(fnmatch.fnmatchcase(name.lower(), each) for each in patterns)


def shows_secret(text: str) -> bool:
    """Tell whether a text holds a URL with a password in it, or a private key."""
    if "PRIVATE KEY-----" in text:
        return True
    return "://" in text and "@" in text and _LOGIN.search(text) is not None
