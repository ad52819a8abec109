"""The routes that say what a change would do, and carry out what was planned."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Held, Outcome
from midflight.errors import Code
from midflight_plugins.api import _changes as shapes
from midflight_plugins.api._api import forbidden
from midflight_plugins.api._bodies import body_of, check_keys, text_in
from midflight_plugins.api._http import Answer, Caller, Problem, Request
from midflight_plugins.api._layer import change, done, existing, writable
from midflight_plugins.api._params import KEY
from midflight_plugins.api._preview import Preview, entry_of
from midflight_plugins.api._problems import refused
from midflight_plugins.api._routes import Route
from midflight_plugins.api._wanted import Wanted

if TYPE_CHECKING:
    from midflight_plugins.api._api import Api

Tree = Mapping[str, Any]
_MOST = 64
_VALID = 600.0  # s
_MOVED = "what it was planned on has changed; plan it again"


@attrs.frozen(eq=False)
class Planned:
    """A change that was looked at, and may be carried out.

    Args:
        tree: what the overrides layer is to hold; `None` for what the source holds.
        version: that of the layer it was planned on.
        base: the digest in force it was planned on.
        desired: the digest it leads to.
        names: the modules that it touches.
        due: when it is no longer valid, by the clock of the plans.
    """

    tree: Tree | None
    version: str | int | None
    base: str
    desired: str
    names: frozenset[str]
    due: float

    def check(self, caller: Caller) -> None:
        """Refuse who may not write to each module that it touches.

        Raises:
            Problem: 403, naming one.
        """
        for name in sorted(self.names):
            if not caller.may("write", name):
                problem = forbidden("write", name)
                raise problem


class Plans:
    """What was planned, by token; a token is good for one use.

    Args:
        clock: seconds, for a test.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._kept: dict[str, Planned] = {}
        self._lock = threading.Lock()

    def keep(self, planned: Planned) -> str:
        """Keep a plan, and return its token; the oldest is let go of."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._kept[token] = planned
            while len(self._kept) > _MOST:
                del self._kept[next(iter(self._kept))]
        return token

    def take(self, token: str, caller: Caller) -> Planned:
        """Return a plan, which is then used up.

        Raises:
            Problem: 404 if there is none, 403 if the caller may not carry it out.
        """
        with self._lock:
            planned = self._kept.get(token)
            if planned is None or planned.due < self.clock():
                self._kept.pop(token, None)
                detail = "no plan has that token, or no longer; plan it again"
                raise Problem(404, Code.E_UNKNOWN, detail)
            planned.check(caller)
            del self._kept[token]
            return planned


def _get(api: Api, _request: Request) -> Answer:
    return Answer({**Preview.of(api, None).data(), "token": None, "expires": None})


def _post(api: Api, request: Request) -> Answer:
    body = body_of(request, optional=True)
    wanted = _wanted(api, body)
    tree: Tree | None = None
    version: str | int | None = None
    if wanted:
        snapshot = api.runtime.snapshot
        head = writable(api).participant.target.head()
        tree, version = head.tree, head.version
        for name, each in wanted.items():
            tree = each.on(tree, name, entry_of(snapshot, name))
    preview = Preview.of(api, tree)
    base, desired = preview.base.digest, preview.document.digest
    due = api.plans.clock() + _VALID
    planned = Planned(tree, version, base, desired, preview.names, due)
    token = api.plans.keep(planned)
    expires = time.time() + _VALID
    return Answer({**preview.data(), "token": token, "expires": expires})


def _wanted(api: Api, body: Tree) -> dict[str, Wanted]:
    """Return what shall become of each module that a body names."""
    if not body:
        return {}
    if "modules" in body:
        check_keys(body, ("modules",))
        modules = body["modules"]
        if not isinstance(modules, dict):
            raise Problem(422, Code.E_TYPE, "`modules` is a mapping by name")
        found = {name: Wanted.of(each) for name, each in modules.items()}
    else:
        name = text_in(body, "module", 63)
        if not name:
            raise Problem(422, Code.E_REQUIRED, "say which `module`")
        found = {name: Wanted.of(body)}
    for name, each in found.items():
        module = existing(api, name)
        api.clear.check(each.body, each.told(name, module.kind.name))
    return found


def _apply(api: Api, request: Request) -> Answer:
    body = body_of(request)
    check_keys(body, ("token", "message"))
    message = text_in(body, "message")
    planned = api.plans.take(text_in(body, "token"), request.caller)
    with api.turn():
        if api.runtime.snapshot.digest != planned.base:
            raise Problem(409, Code.E_CONFLICT, _MOVED)
        if planned.tree is None:
            return _taken(api, planned, request.caller.name)
        wanted = planned.tree

        def act(_tree: Tree, version: str | int | None) -> Tree:
            if str(version) != str(planned.version):
                raise Problem(409, Code.E_CONFLICT, _MOVED)
            return wanted

        return done(api, change(api, request, act, message, approves=True))


def _taken(api: Api, planned: Planned, actor: str) -> Answer:
    """Carry out what the source holds, if that is what was planned."""
    document, _ = api.runtime.read()
    if document.digest != planned.desired:
        raise Problem(409, Code.E_CONFLICT, _MOVED)
    outcome = api.runtime.reload(actor=actor)
    if isinstance(outcome, Held) and outcome.digest == planned.desired:
        outcome = api.runtime.approve(planned.desired, actor=actor)
    return ended(outcome)


def ended(outcome: Outcome) -> Answer:
    """Return the answer to a change of what the source holds.

    Raises:
        Problem: if it was refused.
    """
    if outcome.ok or isinstance(outcome, Held):
        status = "ok" if outcome.ok else "held"
        number, digest = outcome.generation, outcome.digest
        content = {"status": status, "generation": number, "digest": digest}
        return Answer({**content, "faults": []}, 200 if outcome.ok else 202)
    status_of = {"source_unavailable": 503, "stopped": 503}
    status_code = status_of.get(str(outcome.reason), 500)
    if outcome.name in {"rejected", "rolled_back"}:
        status_code = 422
    raise refused(outcome.faults, status=status_code, outcome=outcome.name)


PLANS: tuple[Route, ...] = (
    Route(
        "GET",
        "/api/v1/plan",
        "read",
        _get,
        "getPlan",
        "Say what would be done if the sources were looked at now.",
        gives=shapes.Planned,
        statuses=(200, 422, 503),
    ),
    Route(
        "POST",
        "/api/v1/plan",
        "read",
        _post,
        "plan",
        "Say what a change would do, and return a token to carry it out.",
        takes=shapes.PlanRequest,
        gives=shapes.Planned,
        statuses=(200, 400, 404, 409, 413, 415, 422, 503),
    ),
    Route(
        "POST",
        "/api/v1/apply",
        "write",
        _apply,
        "apply",
        "Carry out what was planned, if nothing has changed since.",
        takes=shapes.Apply,
        gives=shapes.Done,
        params=(KEY,),
        statuses=(200, 202, 400, 404, 409, 413, 415, 422, 503),
        checks=True,
    ),
)
