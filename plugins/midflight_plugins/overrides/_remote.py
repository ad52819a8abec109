"""`midflight override` for a service that is asked by its URL."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import click

from midflight.errors import ConflictError, dotted
from midflight_plugins.api import AnswerError, Client
from midflight_plugins.overrides._command import say, say_list
from midflight_plugins.overrides._edit import keys_of
from midflight_plugins.overrides._planned import UNSET

_PATH = "overrides"


def change(
    client: Client,
    path: str,
    value: Any,
    *,
    expect: str | None,
    message: str,
    form: str,
) -> int:
    """Let a service make one change, say what became of it, return the exit code.

    Args:
        client: asks it.
        path: where.
        value: what to set, or `UNSET`.
        expect: the version that its store has to be at, `none` for an empty one.
        message: why.
        form: `text` or `json`.

    Raises:
        click.ClickException: if nothing is set there.
        ConflictError: if the store is at another version.
        AnswerError: if the service refuses it; it is not kept.
    """
    where = dotted(keys_of(path))
    headers = {"If-Match": "*" if expect is None else _tag(client, expect)}
    method, body = ("DELETE", None) if value is UNSET else ("PUT", {"value": value})
    query = {"path": where, "message": message or None, "restart": "allow"}
    try:
        told = client.ask(method, _PATH, body, query=query, headers=headers).content
    except AnswerError as exc:
        if value is UNSET and exc.status == HTTPStatus.NOT_FOUND:
            raise click.ClickException(exc.detail) from exc
        raise
    state = str(told.get("status"))
    data = {
        "path": where,
        "version": told.get("version"),
        "changed": bool(told.get("changed", True)),
        "state": "applied" if state == "ok" else state,
        "generation": told.get("generation") or None,
        "standing": [_line(fault) for fault in told.get("faults") or ()],
    }
    say(data, form)
    return 0


def _tag(client: Client, expect: str) -> str:
    """Return what the service has to be asked with, so that it refuses another version.

    Raises:
        ConflictError: if the store is at another version already.
    """
    answer = client.ask("GET", _PATH)
    found = answer.content.get("version")
    if str(found or "none") != expect:
        msg = f"the head is version {found}, not {expect}"
        raise ConflictError(msg)
    tag = answer.headers.get("etag")
    if tag is None:
        msg = "that service cannot be told which version to expect"
        raise click.UsageError(msg)
    return tag


def _line(told: dict[str, Any]) -> str:
    from midflight_plugins.api import fault_of

    return str(fault_of(told))


def listed(client: Client, form: str) -> None:
    """Write every override of a service; it hides secrets itself.

    Raises:
        AnswerError: if the service does not list them.
    """
    say_list(client.ask("GET", _PATH).content, form)
