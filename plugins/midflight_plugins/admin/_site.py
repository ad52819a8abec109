"""The application: every path, with the scope that it needs."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as Path

from midflight.errors import Code
from midflight_plugins.admin._answers import refusal, response
from midflight_plugins.admin._context import Context
from midflight_plugins.admin._guard import OPEN, ROUTE, Guard
from midflight_plugins.admin._login import Login
from midflight_plugins.admin._metrics import Metrics
from midflight_plugins.admin._openapi import described
from midflight_plugins.admin._policy import Policy, client_of
from midflight_plugins.admin._question import question_of
from midflight_plugins.admin._refusals import Refusals
from midflight_plugins.admin._stream import Streams
from midflight_plugins.api import ROUTES, Answer, Api, Caller, Problem, Route
from midflight_plugins.api import Request as Question

if TYPE_CHECKING:
    from midflight import Runtime

_CODES = {404: Code.E_UNKNOWN, 405: Code.E_UNKNOWN}


@attrs.frozen
class Operation:
    """One thing that the application answers.

    Args:
        method: of HTTP.
        path: as Starlette writes it.
        scope: what a token or a session needs; `open` is nothing.
        endpoint: answers.
    """

    method: str
    path: str
    scope: str
    endpoint: Callable[[Request], Awaitable[Response]]


class Site:
    """Everything that is served for one runtime.

    Args:
        runtime: whom it is about.
        policy: returns what is allowed now, for what a page asks without a request.
        fixed: what is allowed, if no server hands that over with each request.
    """

    def __init__(
        self,
        runtime: Runtime,
        policy: Callable[[], Policy],
        fixed: Policy | None = None,
    ) -> None:
        self.api, self._policy = Api.of(runtime), policy
        self._refusals = Refusals(runtime)
        self._login = Login(self._refusals)
        self._metrics = Metrics.of(runtime)
        # of the 40 threads that Starlette has; so reads go on while writes wait
        self._looking, self._writing = asyncio.Semaphore(16), asyncio.Semaphore(8)
        self.streams = Streams(runtime)
        self.writes = 0  # requests under way that may change something
        self.operations = (*self._api(), *self._own(), *self._page())
        star = Starlette(
            routes=list(_paths(self.operations)),
            exception_handlers={
                HTTPException: self._http_problem,
                Problem: _problem,
                ClientDisconnect: _gone,
                Exception: _broken,
            },
        )
        star.router.redirect_slashes = False  # would tell strangers which paths exist
        self.app = Guard(
            star, refusal, self._refusals, self._metrics.count, policy=fixed
        )

    # -- what is answered --------------------------------------------------------

    def _api(self) -> list[Operation]:
        return [
            Operation(each.method, each.path, each.scope, self._asking(each))
            for each in ROUTES
        ]

    def _own(self) -> list[Operation]:
        """Return what only this server answers."""
        read = {
            "/api/v1/events": self._events,
            "/readyz": self._ready,
            "/metrics": self._figures,
            "/openapi.json": self._openapi,
        }
        return [
            Operation("GET", OPEN, "open", _alive),
            *(
                Operation("GET", path, "read", self._reading(answer))
                for path, answer in read.items()
            ),
        ]

    def _page(self) -> list[Operation]:
        from midflight_plugins.admin.page import routes

        context = Context(
            api=self.api,
            identify=self._identify,
            login=self._logged_in,
            secure=lambda request: request.url.scheme == "https",
            record=self._refusals,
            stream=self.streams.response,
        )
        return [
            Operation(each.method, each.path, each.scope, each.endpoint)
            for each in routes(context)
        ]

    def _identify(self, token: str) -> Caller | None:
        return self._policy().tokens.identify(token)

    def _logged_in(self, token: str, client: str) -> Caller:
        return self._login.typed(self._policy(), token, client)

    def _asking(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers by a route of the API."""

        async def endpoint(request: Request) -> Response:
            caller = await self._login.caller(request)
            question = await question_of(request, route, caller)
            answer = await self._answered(route, question)
            if answer.status == http.HTTPStatus.FORBIDDEN:
                await self._forbidden(request, caller)
            return response(answer)

        return endpoint

    def _reading(
        self, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers those who may read."""

        async def endpoint(request: Request) -> Response:
            caller = await self._login.caller(request)
            if not caller.may("read"):
                await self._forbidden(request, caller)
                raise Problem(403, Code.E_SCOPE, "this needs the scope `read`")
            return await answer(request)

        return endpoint

    async def _answered(self, route: Route, question: Question) -> Answer:
        changes = route.method != "GET"
        self.writes += changes
        try:
            async with self._writing if changes else self._looking:
                return await run_in_threadpool(self.api.answer, route, question)
        finally:
            self.writes -= changes

    async def _forbidden(self, request: Request, caller: Caller) -> None:
        text = f"{request.method} {request.url.path[:100]} is not allowed"
        client = client_of(request.scope)
        await self._refusals.note(Code.E_SCOPE, text, client, caller.name)

    # -- endpoints ---------------------------------------------------------------

    async def _events(self, request: Request) -> Response:
        if request.method == "HEAD":  # would never end, and show nothing
            return Response(media_type="text/event-stream")
        token = request.headers["authorization"].partition(" ")[2].strip()

        def is_valid() -> bool:
            caller = self._identify(token)  # by the tokens that are in force by then
            return caller is not None and caller.may("read")

        return self.streams.response(request, is_valid)

    async def _ready(self, _request: Request) -> Response:
        runtime = self.api.runtime
        generation = runtime.snapshot.generation
        if not (runtime.running and generation):
            retry = {"Retry-After": "1"}
            raise Problem(503, Code.E_STOPPED, "not running", headers=retry)
        return response(Answer({"status": "ok", "generation": generation}))

    async def _figures(self, _request: Request) -> Response:
        return response(await run_in_threadpool(self._metrics.answer))

    async def _openapi(self, _request: Request) -> Response:
        return response(Answer(await run_in_threadpool(described)))

    async def _http_problem(self, request: Request, exc: Exception) -> Response:
        """Answer to what is no path, or no method of it, once it is known who asks."""
        assert isinstance(exc, HTTPException)
        try:
            await self._login.caller(request)
        except Problem as problem:
            return refusal(problem)
        code = _CODES.get(exc.status_code, Code.E_SYNTAX)
        detail = "there is no such path; see /openapi.json"
        if exc.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:
            detail = "this path does not have that method"
        headers = exc.headers or {}
        return refusal(Problem(exc.status_code, code, detail, headers=headers))


def _paths(operations: Sequence[Operation]) -> list[Path]:
    """Return one route for each path, so that 405 can name all its methods."""
    found: dict[str, dict[str, Operation]] = {}
    for each in operations:
        found.setdefault(each.path, {})[each.method] = each
    return [
        Path(path, _endpoint(methods), methods=[*methods])
        for path, methods in found.items()
    ]


def _endpoint(
    methods: Mapping[str, Operation],
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        operation = methods[method]
        request.scope[ROUTE] = f"{method} {operation.path}"
        return await operation.endpoint(request)

    return endpoint


async def _alive(_request: Request) -> Response:
    return response(Answer({"status": "ok"}))


async def _problem(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, Problem)
    return refusal(exc)


async def _gone(_request: Request, _exc: Exception) -> Response:
    """Answer nobody: the client has left."""
    return Response(status_code=400)


async def _broken(_request: Request, _exc: Exception) -> Response:
    detail = "see the log of the process"
    return refusal(Problem(500, Code.E_PLUGIN, detail))
