"""Finds out who asks: by a token in a header, or one that was typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midflight.errors import Code
from midflight_plugins.admin._guard import CALLER, POLICY, too_often
from midflight_plugins.admin._limits import Rate
from midflight_plugins.admin._policy import Policy, client_of
from midflight_plugins.admin._refusals import Refusals
from midflight_plugins.api import Caller, Problem

if TYPE_CHECKING:
    from starlette.requests import Request

# one text for all: who guesses learns nothing
_DETAIL = "give a valid token: Authorization: Bearer mf_…"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="midflight"'}


class Login:
    """Says who has which token, and counts those who have none.

    A valid token is let in however often others of the same address failed: that
    nobody can guess one of 256 bits, but could lock its owner out.

    Args:
        refusals: writes down who was refused.
    """

    def __init__(self, refusals: Refusals) -> None:
        self._refusals, self._failed = refusals, Rate(1, 1)

    async def caller(self, request: Request) -> Caller:
        """Return who sends a request with his token in its header.

        Raises:
            Problem: nobody, 401, or nobody too often, 429.
        """
        policy: Policy = request.scope[POLICY]
        found: Caller | None = request.scope[CALLER]
        if found is None:
            client = client_of(request.scope)
            problem = self.failed(client, policy.config.failed_logins)
            await self._refusals.note(problem.code, "not logged in", client)
            raise problem
        return found

    def typed(self, policy: Policy, token: str, client: str) -> Caller:
        """Return who types a token.

        Raises:
            Problem: nobody, 401, or nobody too often, 429.
        """
        found = policy.tokens.identify(token)
        if found is None:
            problem = self.failed(client, policy.config.failed_logins)
            self._refusals(problem.code, f"not logged in (from {client})")
            raise problem
        return found

    def failed(self, client: str, a_minute: int) -> Problem:
        """Count a failure and return the answer to it."""
        if self._failed.burst != a_minute:
            self._failed = Rate(a_minute / 60, a_minute)
        if wait := self._failed.take(client):
            return too_often(wait)
        return Problem(401, Code.E_AUTH, _DETAIL, headers=_CHALLENGE)
