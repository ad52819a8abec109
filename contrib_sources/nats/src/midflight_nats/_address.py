"""What a URI and options say: which bucket and key, and how to connect."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from midflight.errors import PluginError

_HOST = r"([^\[\],:#]+|\[[^\],]+\])(:\d+)?"
_FORM = rf"nats://{_HOST}(,{_HOST})*#[\w-]+/[\w=./-]+"  # no `*`, which means any
_OPTIONS = "credentials", "format", "password", "timeout"


def parsed(url: str, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return name, format, stream, subject, timeout; and the options of the client."""
    parts = urlsplit(re.sub(r"\$\{([^{}]*)\}", _value, url))
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = map(unquote, login.partition(":"))
    bucket, _, key = unquote(parts.fragment).partition("/")
    name = f"{parts.scheme}://{hosts}#{bucket}/{key}"
    query = {"password": password, **dict(parse_qsl(parts.query)), **given}
    credentials, form, secret, timeout = (query.pop(each, None) for each in _OPTIONS)
    if query or not re.fullmatch(_FORM, name, re.ASCII):
        msg = f"`{name}` is not as nats://127.0.0.1:4222?timeout=5#bucket/key"
        raise ValueError(msg)
    limit = float(timeout or 5)
    client: dict[str, Any] = dict.fromkeys(("connect_timeout", "ping_interval"), limit)
    client |= {"max_reconnect_attempts": 1, "max_outstanding_pings": 1}
    client |= {"allow_reconnect": False, "reconnect_time_wait": 0}  # README says why
    client |= {"user": user or None, "password": secret or None}
    client |= {"servers": [f"nats://{host}" for host in hosts.split(",")]}
    client |= {"user_credentials": credentials or None, "token": secret or user or None}
    return (name, form or "yaml", f"KV_{bucket}", f"$KV.{bucket}.{key}", limit), client


def _value(found: re.Match[str]) -> str:
    name = found[1].removeprefix("file:")
    try:
        text = os.environ[name] if name == found[1] else Path(name).read_text("utf-8")
        return quote(text.splitlines()[0], "")
    except (LookupError, OSError, UnicodeDecodeError) as exc:
        msg = f"`{found[0]}` leads nowhere: {type(exc).__name__}"
        raise PluginError(msg) from None
