"""Every path of the page, each with the scope that its session needs."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from midflight_plugins.admin.page import _change, _history, _login, _module, _pending
from midflight_plugins.admin.page._desk import HEADERS, Desk, View
from midflight_plugins.admin.page._overview import overview
from midflight_plugins.admin.page._static import static

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from midflight_plugins.admin._context import Context, PageRoute

_VIEWS: tuple[tuple[str, str, str, View], ...] = (
    ("GET", "/", "read", overview),
    ("GET", "/modules/{name}", "read", _module.module),
    ("GET", "/modules/{name}/health", "read", _module.health),
    ("POST", "/modules/{name}/plan", "write", _change.plan),
    ("POST", "/modules/{name}/apply", "write", _change.apply),
    ("GET", "/plan", "read", _pending.pending),
    ("POST", "/plan", "write", _pending.approve),
    ("GET", "/history", "read", _history.history),
    ("GET", "/history/{number}", "read", _history.entry),
    ("GET", "/rollback/{generation}", "rollback", _history.confirm),
    ("POST", "/rollback/{generation}", "rollback", _history.rollback),
    ("POST", "/logout", "read", _login.logout),
)
_OPEN = (
    ("GET", "/login", _login.login_form),
    ("POST", "/login", _login.login),
    ("GET", "/page/static/{file}", static),
)
_PATHS = [each[:2] for each in _VIEWS] + [each[:2] for each in _OPEN]
_SHOWN = re.compile(
    "|".join(
        re.sub(r"\{\w+\}", "[^/]+", path)
        for method, path in _PATHS
        if method == "GET" and "static" not in path
    )
)


def is_view(path: str) -> bool:
    """Tell whether a path is one that a browser shows as a page.

    Args:
        path: below where the application is mounted.
    """
    return _SHOWN.fullmatch(path) is not None


def routes(context: Context) -> list[PageRoute]:
    """Return what the page answers, for a server to mount.

    Args:
        context: what the server gives.
    """
    from midflight_plugins.admin._context import PageRoute

    desk = Desk(context)
    return [
        *(
            PageRoute(method, path, "open", functools.partial(answer, desk))
            for method, path, answer in _OPEN
        ),
        *(
            PageRoute(method, path, scope, desk.guarded(scope, view))
            for method, path, scope, view in _VIEWS
        ),
        PageRoute("GET", "/page/events", "read", _events(desk)),
    ]


def _events(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    """Return what tells an open page that something has changed."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

    def is_valid(request: Request) -> bool:
        found = desk.find(request, acts=False)
        return found is not None and found[1].may("read")

    async def events(request: Request) -> Response:
        if not await run_in_threadpool(is_valid, request):
            return Response(status_code=401, headers=HEADERS)
        return desk.context.stream(request, lambda: is_valid(request))

    return events
