"""The routes that change the configuration of one module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from midflight_plugins.api import _changes as shapes
from midflight_plugins.api._asked import flag
from midflight_plugins.api._bodies import body_of, check_plain
from midflight_plugins.api._etags import check_match, module_tag, overrides_of
from midflight_plugins.api._http import Answer, Request
from midflight_plugins.api._layer import (
    allow,
    change,
    check_restart,
    existing,
    message_of,
    writable,
)
from midflight_plugins.api._params import DRY, KEY, MATCH, MESSAGE, RESTART
from midflight_plugins.api._preview import Preview, entry_with
from midflight_plugins.api._routes import Route
from midflight_plugins.api._wanted import Wanted

if TYPE_CHECKING:
    from midflight_plugins.api._api import Api

_PATH = "/api/v1/modules/{name}/config"
_PARAMS = (MATCH, KEY, RESTART, DRY, MESSAGE)
_STATUSES = (200, 202, 400, 404, 409, 412, 413, 415, 422, 428, 501, 503)


def _put(api: Api, request: Request) -> Answer:
    return _changed(api, request, Wanted("config", _body(request)))


def _patch(api: Api, request: Request) -> Answer:
    return _changed(api, request, Wanted("patch", _body(request, merges=True)))


def _delete(api: Api, request: Request) -> Answer:
    return _changed(api, request, Wanted("remove"))


def _body(request: Request, *, merges: bool = False) -> dict[str, Any]:
    body = body_of(request, merges=merges)
    check_plain(body)
    return body


def _changed(api: Api, request: Request, wanted: Wanted) -> Answer:
    """Change what the overrides layer says of a module, or say what that would do."""
    name = request.params["name"]
    writable(api)
    module = existing(api, name)
    allow(api, request.caller, [name])
    check_restart(api, request, [name])
    api.clear.check(wanted.body, wanted.told(name, module.kind.name))

    def act(tree: Mapping[str, Any], version: str | int | None) -> Mapping[str, Any]:
        tag = module_tag(api.runtime.snapshot, tree, name)
        check_match(request, tag, required=overrides_of(tree, name) is not None)
        return wanted.on(tree, name, entry_with(api, name, tree, version))

    if flag(request, "dry_run"):
        head = writable(api).participant.target.head()
        return Answer(Preview.of(api, act(head.tree, head.version)).data())
    with api.turn():
        result = change(api, request, act, message_of(request))
        tag = module_tag(api.runtime.snapshot, result.written.tree, name)
    return result.answer(tag, module=name)


CONFIG: tuple[Route, ...] = (
    Route(
        "PUT",
        _PATH,
        "write",
        _put,
        "putModuleConfig",
        "Replace the configuration of a module, above all other layers.",
        takes=dict[str, Any],
        gives=shapes.Changed,
        params=_PARAMS,
        statuses=_STATUSES,
    ),
    Route(
        "PATCH",
        _PATH,
        "write",
        _patch,
        "patchModuleConfig",
        "Change values of a module's configuration by a merge patch (RFC 7396).",
        takes=dict[str, Any],
        gives=shapes.Changed,
        params=_PARAMS,
        statuses=_STATUSES,
    ),
    Route(
        "DELETE",
        _PATH,
        "write",
        _delete,
        "deleteModuleConfig",
        "Take away what was set, so that the layers below count again.",
        gives=shapes.Changed,
        params=_PARAMS,
        statuses=_STATUSES,
    ),
)
