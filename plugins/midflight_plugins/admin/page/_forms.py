"""Forms, read within limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from midflight.errors import Code
from midflight_plugins.api import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

_MOST = 1024 * 1024 * 3  # bytes: 1 MiB of text, of which each byte may be three
_FIELDS = 16
_KIND = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form.

    Raises:
        Problem: 413, 415 or 400.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != _KIND:
        raise Problem(415, Code.E_FORMAT, f"a form is sent as {_KIND}")
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > _MOST:
            raise Problem(413, Code.E_SIZE, f"the form has more than {_MOST} bytes")
    try:
        fields = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_FIELDS,
        )
    except ValueError as exc:
        raise Problem(400, Code.E_SYNTAX, "the form cannot be read") from exc
    return dict(fields)
