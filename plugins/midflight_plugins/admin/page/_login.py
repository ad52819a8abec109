"""Logging in with a token, and out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from midflight_plugins.admin.page._desk import HEADERS, Desk, Visit, cookie_name
from midflight_plugins.admin.page._forms import read_form
from midflight_plugins.api import Problem

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_PATH = re.compile(r"/(?![/\\])[\w./~%?&=+-]*", re.ASCII)  # of this page, nobody else's


def _form(
    desk: Desk, request: Request, after: str, error: str = "", status: int = 200
) -> Response:
    """Return the form that asks for a token, and where to go on after it."""
    return Visit(desk, request).page(
        "login.html", status, error=error, next=_own(after)
    )


async def login_form(desk: Desk, request: Request) -> Response:
    """Answer `GET /login`."""
    return _form(desk, request, request.query_params.get("next", ""))


async def login(desk: Desk, request: Request) -> Response:
    """Answer `POST /login`: a cookie, if somebody has the token that was typed."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import RedirectResponse

    form: Mapping[str, str] = {}
    try:
        form = await read_form(request)
        token = form.get("token", "").strip()
        address = request.client.host if request.client else ""
        await run_in_threadpool(desk.context.login, token, address)
    except Problem as exc:
        after = form.get("next", "")
        response = _form(desk, request, after, exc.detail, exc.status)
        response.headers.update(exc.headers)
        return response
    visit = Visit(desk, request)
    where = visit.root + _own(form.get("next", ""))
    response = RedirectResponse(where, 303, HEADERS)
    response.set_cookie(
        cookie_name(request),
        desk.sessions.begin(token),
        path=f"{visit.root}/",
        secure=desk.context.secure(request),
        httponly=True,
        samesite="strict",
    )
    return response


def logout(visit: Visit) -> Response:
    """Answer `POST /logout`."""
    name, request = cookie_name(visit.request), visit.request
    visit.desk.sessions.end(request.cookies.get(name, ""))
    response = visit.go("/login")
    response.delete_cookie(name, path=f"{visit.root}/")
    return response


def _own(path: str) -> str:
    """Return a path of this page to go on to; nobody else's."""
    return path if _PATH.fullmatch(path) else "/"
