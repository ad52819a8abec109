"""What a URI and options say: which bucket and key, and how to connect."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from midflight.errors import PluginError

_HOST = r"(?:[\w.-]+|\[[\w:.%]+\])(?::\d+)?"
_URL = rf"nats://(?:([^/?#]*)@)?({_HOST}(?:,{_HOST})*)/?(?:\?([^@#]*))?#([^@#]+)"
_KEY = re.compile(r"([\w-]+)/([\w=./-]+)", re.ASCII)  # no `*`, which means any
_OPTIONS = "credentials", "format", "password", "timeout"


def parsed(url: str, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return name, format, stream, subject, timeout; and the options of the client."""
    found = re.fullmatch(_URL, re.sub(r"\$\{([^{}]*)\}", _value, url).strip())
    login, hosts, query, path = found.groups("") if found else [""] * 4
    user, _, password = map(unquote, login.partition(":"))
    options = {"password": password, **dict(parse_qsl(query)), **given}
    credentials, form, secret, timeout = (options.pop(each, None) for each in _OPTIONS)
    if options or not (at := _KEY.fullmatch(unquote(path))):
        msg = "a NATS source is written as nats://127.0.0.1:4222?timeout=5#bucket/key, "
        raise ValueError(msg + "with `#`, `/`, `?`, `@` of a password percent-encoded")
    name = f"nats://{hosts}#{at[0]}"
    limit = float(timeout or 5)
    client: dict[str, Any] = dict.fromkeys(("connect_timeout", "ping_interval"), limit)
    client |= {"max_reconnect_attempts": 1, "max_outstanding_pings": 1}
    client |= {"allow_reconnect": False, "reconnect_time_wait": 0}  # README says why
    client |= {"user": user or None, "password": secret or None}
    client |= {"servers": [f"nats://{host}" for host in hosts.split(",")]}
    client |= {"user_credentials": credentials or None, "token": secret or user or None}
    return (name, form or "yaml", f"KV_{at[1]}", f"$KV.{at[1]}.{at[2]}", limit), client


def _value(found: re.Match[str]) -> str:
    name = found[1].removeprefix("file:")
    try:
        text = os.environ[name] if name == found[1] else Path(name).read_text("utf-8")
        return quote(text.splitlines()[0], "")
    except (LookupError, OSError, UnicodeDecodeError) as exc:
        msg = f"`{found[0]}` leads nowhere: {type(exc).__name__}"
        raise PluginError(msg) from None
