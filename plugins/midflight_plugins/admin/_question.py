"""What a request over HTTP asks of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midflight.errors import Code
from midflight_plugins.api import Caller, Param, Problem, Route
from midflight_plugins.api import Request as Question

if TYPE_CHECKING:
    from starlette.requests import Request

_PRIVATE = frozenset({"authorization", "cookie"})


async def question_of(request: Request, route: Route, caller: Caller) -> Question:
    """Read what is asked, within the limits of the guard.

    Raises:
        Problem: 400 if its query can be read in two ways, or a parameter is none.
    """
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in query:
            detail = f"the parameter `{name[:63]}` is given twice"
            raise Problem(400, Code.E_DUPKEY, detail)
        query[name] = value
    for param in route.params:
        if param.place == "query" and param.name in query:
            _check(param, query[param.name])
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        if name not in _PRIVATE:  # of one that is given twice, both are meant
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    body = await request.body()
    return Question(caller, request.path_params, query, headers, body)


def _check(param: Param, value: str) -> None:
    words = param.kind.get("enum")
    if words and value not in words:
        detail = f"`{param.name}` is {' or '.join(f'`{each}`' for each in words)}"
        raise Problem(400, Code.E_VALUE, detail)
    if not value and param.kind.get("type") != "string":
        raise Problem(400, Code.E_VALUE, f"`{param.name}` has no value")
