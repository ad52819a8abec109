"""Answers requests about one runtime."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from midflight.errors import Code, MidflightError
from midflight_plugins.api._http import Answer, Problem, Request
from midflight_plugins.api._turn import Turn

if TYPE_CHECKING:
    from midflight import Runtime
    from midflight_plugins.api._routes import Route

_log = logging.getLogger("midflight.api")
_KEY = "midflight.api"


class Api:
    """Answers requests about one runtime; `Api.of(runtime)` is the one that all share.

    Every method may be called from any thread.

    Args:
        runtime: whom the answers are about.
    """

    def __init__(self, runtime: Runtime) -> None:
        from midflight_plugins.api._clear import ClearTexts
        from midflight_plugins.api._idempotency import Idempotency
        from midflight_plugins.api._kept import Kept
        from midflight_plugins.api._plans import Plans

        self.runtime = runtime
        self._turn = Turn()
        self.kept = Kept.of(runtime)
        self.clear, self.plans, self._once = ClearTexts(), Plans(), Idempotency()

    @classmethod
    def of(cls, runtime: Runtime) -> Api:
        """Return the one object of a runtime."""
        found = runtime.shared.get(_KEY)
        if found is None:
            found = runtime.shared.setdefault(_KEY, cls(runtime))
        assert isinstance(found, cls)
        return found

    def answer(self, route: Route, request: Request) -> Answer:
        """Answer a request, whatever comes of it."""
        module = request.params.get("name", "*")
        checked = route.checks and route.scope == "write"
        if not (checked or request.caller.may(route.scope, module)):
            return forbidden(route.scope, module).answer()
        if route.scope == "read":
            return self._answered(route, request)
        try:
            what = f"{route.method} {route.path}"
            act = functools.partial(self._answered, route, request)
            return self._once.once(request, what, act)
        except Problem as exc:
            return exc.answer()

    def _answered(self, route: Route, request: Request) -> Answer:
        try:
            return route.handler(self, request)
        except Problem as exc:
            return exc.answer()
        except MidflightError as exc:
            from midflight_plugins.api._problems import problem_of

            return problem_of(exc).answer()
        except Exception:  # noqa: BLE001  # what was asked must not end without an answer
            _log.exception("a request failed: %s %s", route.method, route.path)
            detail = "see the log of the process"
            return Problem(500, Code.E_PLUGIN, detail).answer()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until no other write is under way; inside a hook, do not wait."""
        with self._turn.taken([self.runtime]):
            self.kept.note(self.runtime.snapshot)
            yield
            self.kept.note(self.runtime.snapshot)


def forbidden(scope: str, module: str = "*") -> Problem:
    """Return the answer to who may not."""
    what = f"{scope}:{module}" if scope == "write" else scope
    return Problem(403, Code.E_SCOPE, f"this needs the scope `{what}`")
