"""The routes that look at modules."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Container
from typing import TYPE_CHECKING, Any

from midflight.errors import Code, MidflightError, did_you_mean, dotted, masked
from midflight_plugins.api import _models as models
from midflight_plugins.api._asked import flag, number, tagged
from midflight_plugins.api._data import plain_data, public
from midflight_plugins.api._etags import etag_of
from midflight_plugins.api._http import Answer, Problem, Request
from midflight_plugins.api._loaded import overrides_layer, stored_in
from midflight_plugins.api._routes import Param, Route
from midflight_plugins.schema import marked, said_of

if TYPE_CHECKING:
    from midflight_plugins.api._api import Api

_log = logging.getLogger("midflight.api")
_PASSING = {"Cache-Control": "no-store"}
_FLAG = {"type": "boolean", "default": False}
_PAGE = 1_000
_MOST = 10_000
_LOOKED_AT = 1_000  # names, for one that is like a misspelt one
_TAG = Param("If-None-Match", "the `ETag` of what the client has", "header")


def _modules(api: Api, request: Request) -> Answer:
    word, only = request.query.get("q", "").lower(), flag(request, "overridden")
    limit = number(request, "limit", _PAGE, 1, _MOST)
    offset = number(request, "offset", 0, 0, 2**31)
    snapshot = api.runtime.snapshot
    running, over = snapshot.running, stored_in(overrides_layer(snapshot)).modules
    names = [
        name
        for name, each in running.items()
        if (not word or word in name.lower() or word in each.kind.name.lower())
        and (name in over or not only)
    ]
    page = itertools.islice(names, offset, offset + limit)
    rows = [_row(name, running[name], over) for name in page]
    return Answer({"modules": rows, "total": len(names), "offset": offset})


def _row(name: str, module: Any, over: Container[str]) -> dict[str, Any]:
    return {
        "name": name,
        "type": module.kind.name,
        "state": module.state,
        "generation": module.generation,
        "reloadable": module.participant.has("reconfigure"),
        "overridden": name in over,
    }


def _module(api: Api, request: Request) -> Answer:
    name, snapshot = request.params["name"], api.runtime.snapshot
    module, over = _running(snapshot, name), stored_in(overrides_layer(snapshot))
    content = {
        **_row(name, module, over.modules),
        "config": plain_data(module.entry.config),
        "marks": _marks(api, module.kind.name),
        "depends_on": list(module.entry.depends_on),
        "health": _health(api, name, module) if flag(request, "probe") else None,
    }
    lasting = module.state == "running" and not content["health"]
    return _answer(api, request, content, lasting=lasting)


def _marks(api: Api, type_name: str) -> dict[str, list[str]]:
    """Return which keys of a type's `config` are live, need a restart or are secret."""
    said = said_of(api.runtime, type_name)
    return {dotted(path): list(words) for path, words in marked(said)} if said else {}


def _config(api: Api, request: Request) -> Answer:
    module = _running(api.runtime.snapshot, request.params["name"])
    content = plain_data(module.entry.config)
    return _answer(api, request, content, lasting=True)


def _answer(api: Api, request: Request, content: Any, *, lasting: bool) -> Answer:
    """Answer with the tag that a write takes, unless the store of overrides is down.

    Args:
        api: whose runtime.
        request: names the module.
        content: what is told of it.
        lasting: whether that is the same for as long as the tag is.
    """
    try:
        tag = etag_of(api, request.params["name"])
    except MidflightError as exc:  # what is in force can be told all the same
        _log.warning("a module is shown without its tag: %s", exc)
        return Answer(content, headers=_PASSING)
    if lasting:
        return tagged(request, content, tag)
    return Answer(content, headers={"ETag": tag, **_PASSING})


def _running(snapshot: Any, name: str) -> Any:
    try:
        return snapshot.running[name]
    except KeyError:
        hint = did_you_mean(name, itertools.islice(snapshot.running, _LOOKED_AT))
        detail = f"there is no module `{name[:63]}`" + (f"; {hint}" if hint else "")
        raise Problem(404, Code.E_UNKNOWN, detail) from None


def _health(api: Api, name: str, module: Any) -> dict[str, Any]:
    """Ask a module how it is; what it tells of itself it may have got in clear."""
    health, hidden = api.runtime.probe(name), module.participant.hides()
    values = _untold(plain_data(health.values), hidden)
    detail = public(health.detail)
    return {"healthy": health.healthy, "values": values, "detail": detail}


def _untold(value: Any, hidden: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {masked(k, hidden): _untold(each, hidden) for k, each in value.items()}
    if isinstance(value, list):
        return [_untold(each, hidden) for each in value]
    return masked(value, hidden) if isinstance(value, str) else value


MODULES: tuple[Route, ...] = (
    Route(
        "GET",
        "/api/v1/modules",
        "read",
        _modules,
        "getModules",
        "List the modules that run.",
        gives=models.Modules,
        params=(
            Param("q", "a part of the name or of the type"),
            Param("overridden", "only those that are overridden", kind=_FLAG),
            Param(
                "limit",
                "how many",
                kind={"type": "integer", "minimum": 1, "maximum": _MOST},
            ),
            Param("offset", "how many to skip", kind={"type": "integer", "minimum": 0}),
        ),
    ),
    Route(
        "GET",
        "/api/v1/modules/{name}",
        "read",
        _module,
        "getModule",
        "Show a module that runs, secrets masked.",
        gives=models.Module,
        params=(Param("probe", "ask it how it is", kind=_FLAG), _TAG),
        statuses=(200, 304, 404),
    ),
    Route(
        "GET",
        "/api/v1/modules/{name}/config",
        "read",
        _config,
        "getModuleConfig",
        "Show the configuration of a module in force, secrets masked.",
        gives=dict[str, Any],
        params=(_TAG,),
        statuses=(200, 304, 404),
    ),
)
