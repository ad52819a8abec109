"""The outermost layer: who may not even ask, and how much may be asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from midflight.errors import Code
from midflight_plugins.admin._limits import Rate
from midflight_plugins.admin._policy import Policy, client_of, path_of
from midflight_plugins.admin._refusals import Refusals
from midflight_plugins.api import Problem
from midflight_plugins.http import App, Receive, Scope, Send

CALLER = "midflight.caller"
POLICY = "midflight.policy"
ROUTE = "midflight.route"
OPEN = "/livez"
_DRAINED = 8  # times the limit; so much of a body is read to be refused
_DRAIN = 2.0  # s
_STRANGERS = 50.0  # requests a second of one address, at most
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class Guard:
    """Lets requests through to an application that come from where they may.

    Args:
        inside: the application.
        refuse: answers with a problem.
        refusals: writes down who was refused.
        count: is told the route and the status of each answer.
        policy: what is allowed; by default what the server hands over in its settings.
    """

    def __init__(
        self,
        inside: App,
        refuse: Callable[[Problem], App],
        refusals: Refusals,
        count: Callable[[str, int], None],
        policy: Policy | None = None,
    ) -> None:
        self._inside, self._refuse = inside, refuse
        self._refusals, self._count, self._policy = refusals, count, policy
        self._known, self._strangers = Rate(1, 1), Rate(1, 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._inside(scope, receive, send)
        elif scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            policy = self._policy or scope["state"]["settings"]["policy"]
            await self._answer(policy, scope, receive, send)

    async def _answer(
        self, policy: Policy, scope: Scope, receive: Receive, send: Send
    ) -> None:
        policy.believe(scope)
        scope[POLICY], scope[CALLER] = policy, policy.caller(scope)
        patience = policy.config.patience
        sender = _Sender(send, self._counted(scope))
        problem = policy.refusal(scope)
        if problem is not None:
            await self._refusals.note(problem.code, problem.detail, client_of(scope))
        elif path_of(scope) != OPEN and (wait := self._wait(policy, scope)):
            problem = too_often(wait)
        if problem is not None:
            await self._refuse(problem)(scope, receive, sender)
            return
        reader = _Reader(receive, policy.config.body_limit, patience, scope)
        await self._inside(scope, reader, sender)

    def _wait(self, policy: Policy, scope: Scope) -> float:
        most, caller = policy.config.requests_per_second, scope[CALLER]
        if caller is not None:
            self._known = _at(self._known, most)
            return self._known.take(caller.name)
        self._strangers = _at(self._strangers, min(most, _STRANGERS))
        return self._strangers.take(client_of(scope))

    def _counted(self, scope: Scope) -> Callable[[int], None]:
        return lambda status: self._count(scope.get(ROUTE, "other"), status)


def _at(rate: Rate, per_second: float) -> Rate:
    """Return a rate as it is now set; one that is as before goes on counting."""
    is_same = rate.per_second == per_second
    return rate if is_same else Rate(per_second, max(1.0, 2 * per_second))


def too_often(wait: float) -> Problem:
    """Return the answer to who asks too often."""
    headers = {"Retry-After": str(int(wait) + 1)}
    return Problem(429, Code.E_RATE, "too many requests; wait", headers=headers)


class _Sender:
    """Sends an answer with headers for its safety."""

    def __init__(self, send: Send, count: Callable[[int], None]) -> None:
        self._send, self._count = send, count

    async def __call__(self, message: Any) -> None:
        """Send a part of it."""
        if message["type"] == "http.response.start":
            self._count(message["status"])
            there = list(message.get("headers", ()))
            names = {name.lower() for name, _ in there}
            more = [each for each in _HEADERS if each[0] not in names]
            message = {**message, "headers": [*there, *more]}
        await self._send(message)


class _Reader:
    """Reads the body of a request, within limits of size and time."""

    def __init__(
        self, receive: Receive, limit: int, patience: float, scope: Scope
    ) -> None:
        self._receive, self._limit = receive, limit
        self._due = time.monotonic() + patience
        self._size, self._ended = 0, False
        lengths = [
            value for name, value in scope["headers"] if name == b"content-length"
        ]
        self._told = int(lengths[0]) if lengths and lengths[0].isdigit() else 0

    async def __call__(self) -> Any:
        """Receive a part of it; later, what else happens.

        Raises:
            Problem: it is too big or too slow.
        """
        if self._ended:
            return await self._receive()
        message = await self._within(self._receive, self._due)
        self._took(message)
        if max(self._told, self._size) > self._limit:
            await self._drain()
            msg = f"a body has at most {self._limit} bytes"
            raise Problem(413, Code.E_SIZE, msg, headers=_CLOSE)
        return message

    async def _drain(self) -> None:
        """Read on for a moment: to close on unread bytes would discard the answer."""
        due = min(self._due, time.monotonic() + _DRAIN)
        try:
            while not self._ended and self._size < _DRAINED * self._limit:
                self._took(await self._within(self._receive, due))
        except Problem:
            return

    def _took(self, message: Any) -> None:
        self._size += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)

    @staticmethod
    async def _within(receive: Callable[[], Awaitable[Any]], due: float) -> Any:
        try:
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                return await receive()
        except TimeoutError:
            msg = "the body took too long to arrive"
            raise Problem(408, Code.E_TIMEOUT, msg, headers=_CLOSE) from None


_CLOSE = {"Connection": "close"}
