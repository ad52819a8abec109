"""What `midflight token` does."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from midflight_plugins.admin._tokens import NAME, Token, Tokens

_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_HEADS = ("NAME", "SCOPES", "CREATED", "EXPIRES", "ID")


def created(
    name: str,
    scopes: tuple[str, ...],
    expires: str | None,
    *,
    tokens: str | None,
    folder: str | None,
) -> str:
    """Make a token and return it."""
    seconds = None if expires is None else _seconds(expires)
    found = _tokens(tokens, folder)
    with _told(found):
        return found.create(name, scopes, seconds)


def listed(form: str, *, tokens: str | None, folder: str | None) -> str:
    """Return a text about every token."""
    found = _tokens(tokens, folder)
    with _told(found):
        known = found.list() if found.path.exists() else ()
    if form == "json":
        return json.dumps([_data(each) for each in known], indent=2)
    rows = [_HEADS, *(_row(each) for each in known)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (map(str.ljust, row, widths) for row in rows)
    return "\n".join("  ".join(line).rstrip() for line in lines)


def revoked(name: str, *, tokens: str | None, folder: str | None) -> str:
    """Take a token away."""
    found = _tokens(tokens, folder)
    with _told(found):
        try:
            found.revoke(name)
        except KeyError:
            msg = f"there is no token `{name}` in {found.path}"
            raise click.ClickException(msg) from None
    return f"revoked {name}"


def _tokens(file: str | None, folder: str | None) -> Tokens:
    if file is not None:
        return Tokens(Path(file))
    settings = click.get_current_context().find_root().obj
    if folder is None and isinstance(settings, Mapping):
        folder = settings.get("state_dir")
    if not folder:
        msg = "give --state-dir or --tokens: nothing says where the tokens are"
        raise click.UsageError(msg)
    return Tokens(Path(folder) / NAME)


@contextlib.contextmanager
def _told(tokens: Tokens) -> Iterator[None]:
    try:
        yield
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    except OSError as exc:
        msg = f"{tokens.path}: {exc.strerror or exc}"
        raise click.ClickException(msg) from exc


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,5})([mhdw])", text)
    if found is None or not int(found[1]):
        msg = f"--expires {text!r} is none of 30m, 12h, 30d, 8w"
        raise click.UsageError(msg)
    return float(int(found[1]) * _UNITS[found[2]])


def _data(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": list(token.scopes),
        "created": token.created,
        "expires": token.expires,
    }


def _row(token: Token) -> tuple[str, ...]:
    ends = "never" if token.expires is None else _day(token.expires)
    if not token.is_valid(time.time()):
        ends += " (over)"
    scopes = " ".join(token.scopes)
    return (token.name, scopes, _day(token.created), ends, token.id)


def _day(seconds: float) -> str:
    at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{at:%Y-%m-%d %H:%M}Z"
