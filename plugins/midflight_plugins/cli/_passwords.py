"""Passwords stay off the command line and off the screen.

Every user of a host can read the command lines of all its processes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import click

_URI = re.compile(r"(?:--[\w-]+=)?[A-Za-z][A-Za-z0-9+.-]*:(?!\s*\{)")
_REFERENCE = re.compile(r"\$\{[^{}]*\}")
_NAME = re.compile(
    r"passw|pwd|passphrase|secret|token|credential|(?:api|access|private)[_-]?key",
    re.IGNORECASE,
)
_FILLER = "\0"
_WORDS = {"-m", "--message", "--author"}  # what people say follows them
# `user:password@`, but not `host:5432/name`, which a version such as `@3` may follow.
_LOGIN = re.compile(
    r"(?<=://)[^:/@]*:(?!\d*(?:[/?#][^@]*)?(?:@\d+)?$)(?!\0*@)(.+)@", re.DOTALL
)
_OPTION = re.compile(
    r"[?&][^=&#]*(?:password|passwd|pwd|secret|token)=(?!\0*(?:[&#]|$))([^&#]+)",
    re.IGNORECASE,
)


def redacted(uri: str) -> str:
    """Return a URI without the password it may hold; references to one stay."""
    for start, end in sorted(_passwords(uri), reverse=True):
        uri = f"{uri[:start]}***{uri[end:]}"
    return uri


def hidden(value: Any, name: str = "") -> Any:
    """Return a value of settings without the passwords it may hold, however deep.

    Args:
        value: texts, lists, mappings.
        name: its key; what stands under one such as `password` is hidden.
    """
    if isinstance(value, Mapping):
        return {key: hidden(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(item, name) for item in value]
    if not isinstance(value, str):
        return value
    secret = is_secret(name) and not _REFERENCE.fullmatch(value)
    return "***" if secret else redacted(value)


def is_secret(name: str) -> bool:
    """Tell whether a key or a path is called like a secret."""
    return bool(_NAME.search(name))


def refuse(words: list[str]) -> None:
    """See that no word of a command line holds a password.

    Raises:
        click.UsageError: if one does, with what to write instead.
    """
    for before, word in zip(("", *words), words, strict=False):
        if before in _WORDS:
            continue
        sets = before == "--set" or word.startswith("--set=")
        if (sets or _URI.match(word)) and any(_passwords(word)):
            instead = redacted(word).replace("***", "${NAME}", 1).replace("***", "…")
            msg = (
                "a password on the command line can be read by\n"
                "every user of the host; refer to it, in single quotes:\n\n"
                f"    '{instead}'\n\n"
                "${NAME} is the environment variable NAME,\n"
                "${file:/path} is the first line of a file."
            )
            raise click.UsageError(msg)


def _passwords(uri: str) -> Iterator[tuple[int, int]]:
    """Yield where literal passwords stand; references to one are filled out first."""
    filled = _REFERENCE.sub(lambda found: _FILLER * len(found[0]), uri)
    for pattern in (_LOGIN, _OPTION):
        for found in pattern.finditer(filled):
            yield found.span(1)
