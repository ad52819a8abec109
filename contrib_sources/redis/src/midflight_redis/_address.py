"""What a URI says: which Redis, which key, and options of the source."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from midflight.errors import PluginError

_HOST = r"(?:[\w.-]+|\[[\w:.%]+\])(?::\d+)?"
_URL = rf"(rediss?://)(?:([^/?#]*)@)?({_HOST}(?:/\d*)?)(?:\?([^@#]*))?(?:#([^@#]*))?"


def parsed(url: str) -> tuple[str, str, dict[str, str]]:
    """Return the URL for the client, that for errors, and what is the source's own."""
    found = re.fullmatch(_URL, filled(url, lambda value: quote(value, "")).strip())
    try:
        _ = found and urlsplit(f"//{found[3]}").port
    except ValueError:  # `[a]`, or a port beyond 65535
        found = None
    if not found:
        msg = "that is no URL of a Redis, as in redis://127.0.0.1:6379/0#key, with "
        raise ValueError(msg + "`#`, `/`, `?`, `@` of a password percent-encoded")
    scheme, login, where, text, key = found.groups("")
    user, _, password = map(unquote, login.partition(":"))
    query = dict(parse_qsl(text, keep_blank_values=True))
    own = {name: query.pop(name, "") for name in ("format", "timeout")}
    if strange := [name for name in query if not name.startswith("ssl_")]:
        msg = f"unknown option `{strange[0]}`; known: `format`, `timeout`, `ssl_…`"
        raise ValueError(msg)
    own |= {"key": unquote(key), "password": password}
    return f"{scheme}{quote(user, '')}@{where}?{urlencode(query)}", scheme + where, own


def filled(text: str, form: Callable[[str], str] = str) -> str:
    """Put in what `${NAME}`, a variable, and `${file:/path}`, a line, stand for."""

    def value(found: re.Match[str]) -> str:
        name = found[1].removeprefix("file:")
        try:
            if name == found[1]:
                return form(os.environ[name])
            return form(Path(name).read_text("utf-8").splitlines()[0])
        except (LookupError, OSError, UnicodeDecodeError) as exc:
            msg = f"`{found[0]}` leads nowhere: {type(exc).__name__}"
            raise PluginError(msg) from None

    return re.sub(r"\$\{([^{}]*)\}", value, text)
