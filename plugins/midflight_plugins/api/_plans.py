"""The routes that say what a change would do, and carry out what was planned."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Document, Held, Loaded, Outcome
from midflight.errors import Code, InvalidConfigurationError
from midflight_plugins.api import _changes as shapes
from midflight_plugins.api._bodies import body_of, check_keys, text_in
from midflight_plugins.api._http import Answer, Problem, Request
from midflight_plugins.api._layer import allow, change, done, existing, writable
from midflight_plugins.api._params import KEY
from midflight_plugins.api._preview import Preview, document_with, entry_with
from midflight_plugins.api._problems import refused
from midflight_plugins.api._routes import Route
from midflight_plugins.api._wanted import Wanted

if TYPE_CHECKING:
    from midflight_plugins.api._api import Api

Tree = Mapping[str, Any]
_MOST = 64  # of each caller
_VALID = 600.0  # s
_MOVED = "what it was planned on has changed; plan it again"
_BELOW = "what the sources hold has changed; reload, and plan it again"


@attrs.frozen(eq=False)
class Planned:
    """A change that was looked at, and may be carried out.

    Args:
        tree: what the overrides layer is to hold; `None` for what the source holds.
        version: that of the layer it was planned on.
        base: the digest in force it was planned on.
        desired: the digest it leads to.
        names: the modules that it touches, with `*` for what is more than modules.
        due: when it is no longer valid, by the clock of the plans.
        owner: who made it.
    """

    tree: Tree | None
    version: str | int | None
    base: str
    desired: str
    names: frozenset[str]
    due: float
    owner: str


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
        """Keep a plan, and return its token; the oldest of its owner is let go of."""
        token, now = secrets.token_urlsafe(24), self.clock()
        with self._lock:
            self._kept = {k: v for k, v in self._kept.items() if v.due >= now}
            his = [k for k, v in self._kept.items() if v.owner == planned.owner]
            for old in his[: max(0, len(his) + 1 - _MOST)]:
                del self._kept[old]
            self._kept[token] = planned
        return token

    def take(self, token: str, check: Callable[[Planned], None]) -> Planned:
        """Return a plan, which is then used up.

        Args:
            token: of the plan.
            check: raises if it must not be carried out; it is not used up then.

        Raises:
            Problem: 404 if there is none.
        """
        with self._lock:
            planned = self._kept.get(token)
            if planned is None or planned.due < self.clock():
                self._kept.pop(token, None)
                detail = "no plan has that token, or no longer; plan it again"
                raise Problem(404, Code.E_UNKNOWN, detail)
            check(planned)
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
        head = writable(api).participant.target.head()
        tree, version = head.tree, head.version
        for name, each in wanted.items():
            now = entry_with(api, name, head.tree, head.version)
            tree = each.on(tree, name, now)
    preview = Preview.of(api, tree)
    base, desired = preview.base.digest, preview.document.digest
    due = api.plans.clock() + _VALID
    names = preview.names | (wanted.keys() or {"*"})
    owner = request.caller.name
    planned = Planned(tree, version, base, desired, names, due, owner)
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

    def check(planned: Planned) -> None:
        allow(api, request.caller, planned.names)

    planned = api.plans.take(text_in(body, "token"), check)
    with api.turn():
        if api.runtime.snapshot.digest != planned.base:
            raise Problem(409, Code.E_CONFLICT, _MOVED)
        if planned.tree is None:
            return _taken(api, planned, request.caller.name)
        wanted = planned.tree
        _check_below(api, wanted, planned.desired)

        def act(_tree: Tree, version: str | int | None) -> Tree:
            if str(version) != str(planned.version):
                raise Problem(409, Code.E_CONFLICT, _MOVED)
            return wanted

        result = change(api, request, act, message, approves=planned.desired)
        return done(api, result)


def _check_below(api: Api, tree: Tree, desired: str) -> None:
    """Refuse to store what leads elsewhere than was looked at.

    Raises:
        Problem: 409 if the layers below hold something else by now.
    """
    held = Loaded(Document.from_mapping(tree))
    try:
        now = api.runtime.read()[1]
        document = document_with(api.runtime, writable(api), held, now)
    except InvalidConfigurationError as exc:
        faults = refused(exc.faults).faults
        raise Problem(409, Code.E_CONFLICT, _BELOW, faults=faults) from exc
    if document.digest != desired:
        raise Problem(409, Code.E_CONFLICT, _BELOW)


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
        wordless=True,
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
