"""Style, scripts and the icon: a few files, read once."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from midflight_plugins.admin.page._desk import HEADERS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from midflight_plugins.admin.page._desk import Desk

_FOLDER = Path(__file__).parent / "static"
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {**HEADERS, "Cache-Control": "no-cache"}


@functools.cache
def _files() -> Mapping[str, bytes]:
    paths = (path for path in _FOLDER.iterdir() if path.suffix in _KINDS)
    return {path.name: path.read_bytes() for path in paths}


async def static(_desk: Desk, request: Request) -> Response:
    """Answer `GET /page/static/{file}`."""
    from starlette.responses import Response

    name = request.path_params["file"]
    data = _files().get(name)
    if data is None:
        return Response("there is no such file", 404, HEADERS, "text/plain")
    tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
    headers = {**_HEADERS, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, 200, headers, _KINDS[Path(name).suffix])
