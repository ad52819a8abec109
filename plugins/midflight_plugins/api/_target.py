"""Where a service is, and the token that says who asks it."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import urllib.parse
from pathlib import Path

import attrs

from midflight.errors import plain

TOKEN = "MIDFLIGHT_TOKEN"  # noqa: S105  # the name of a variable
_FIRST = "admin.token"
_KNOWN = "http://HOST:PORT, https://HOST or unix:/path/to.sock"


@attrs.frozen
class Target:
    """Where a service is.

    Args:
        scheme: `http`, `https` or `unix`.
        host: a name or an address.
        port: by default that of the scheme.
        prefix: what its paths begin with, where it is mounted in another application.
        socket: the path, for `unix`.
    """

    scheme: str
    host: str = ""
    port: int | None = None
    prefix: str = ""
    socket: str = ""


def target_of(url: str) -> Target:
    """Return where a URL leads.

    Raises:
        ValueError: it is not one of those that can be asked.
    """
    msg = f"{plain(url)} is not {_KNOWN}"
    scheme, _, rest = url.partition(":")
    if scheme == "unix":
        if not rest.startswith("/") or "\0" in rest:
            raise ValueError(msg)
        return Target("unix", socket=f"/{rest.lstrip('/')}")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(msg) from None
    if "@" in parts.netloc:
        msg = "a URL holds no user and no password; a token says who asks"
        raise ValueError(msg)
    odd = parts.query or parts.fragment or port == 0
    printable = url.isascii() and url.isprintable() and " " not in url
    if scheme not in {"http", "https"} or not parts.hostname or odd or not printable:
        raise ValueError(msg)
    return Target(scheme, parts.hostname, port, parts.path.rstrip("/"))


def is_here(target: Target) -> bool:
    """Tell whether what is sent there stays on this host."""
    if target.scheme == "unix" or target.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(target.host).is_loopback
    except ValueError:
        return False


def read_token(file: str | None, state_dir: str | None) -> str:
    """Return the token of a file, of the environment or of a state directory.

    Args:
        file: holds one and nothing else.
        state_dir: where one may be, that of the first start; it need not.

    Raises:
        ValueError: there is a text that is no token, or the file cannot be read.
    """
    if file:
        return _read(Path(file))
    if given := os.environ.get(TOKEN, "").strip():
        return _sound(given, f"${TOKEN}")
    if state_dir:
        with contextlib.suppress(ValueError):
            return _read(Path(state_dir) / _FIRST)
    return ""


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        msg = f"the token in {path} cannot be read: {exc.strerror or exc}"
        raise ValueError(msg) from None
    return _sound(text, str(path))


def _sound(text: str, where: str) -> str:
    """Return a token that a header can hold; the message does not show it."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        msg = f"{where} does not hold a token, which is one word"
        raise ValueError(msg)
    return token
