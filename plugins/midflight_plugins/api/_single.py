"""The routes that set one value above all layers, or take it away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from midflight.errors import Code, InvalidConfigurationError, dotted
from midflight_plugins.api import _changes as shapes
from midflight_plugins.api._bodies import body_of, check_keys, check_plain
from midflight_plugins.api._etags import check_match, store_tag
from midflight_plugins.api._http import Answer, Problem, Request
from midflight_plugins.api._layer import (
    Result,
    allow,
    allow_entries,
    check_restart,
    message_of,
    refusal,
    writable,
)
from midflight_plugins.api._params import KEY, MATCH, MESSAGE, RESTART
from midflight_plugins.api._patch import nested
from midflight_plugins.api._routes import Param, Route

if TYPE_CHECKING:
    from midflight_plugins.api._api import Api

_PATH = "/api/v1/overrides"
_WHERE = Param("path", "such as `modules.web.config.port`", required=True)
_PARAMS = (_WHERE, MATCH, KEY, RESTART, MESSAGE)
_STATUSES = (200, 202, 400, 404, 409, 412, 413, 415, 422, 428, 501, 503)


def _put(api: Api, request: Request) -> Answer:
    keys = _keys(api, request)
    body = body_of(request)
    check_keys(body, ("value",))
    if "value" not in body:
        raise Problem(422, Code.E_REQUIRED, 'send `{"value": …}`')
    value = body["value"]
    check_plain(value, marks=True)
    api.clear.check(value, nested(keys, value))
    return _changed(api, request, keys, {"value": value})


def _delete(api: Api, request: Request) -> Answer:
    return _changed(api, request, _keys(api, request), {})


def _keys(api: Api, request: Request) -> tuple[str, ...]:
    """Return the keys of the path that may be changed by the one who asks.

    Raises:
        Problem: 400 without a path, 403 if he may not.
        InvalidConfigurationError: if it leads to no value.
    """
    path = request.query.get("path", "")
    if not path:
        raise Problem(400, Code.E_REQUIRED, "give `?path=modules.web.config.port`")
    keys: tuple[str, ...] = writable(api).participant.target.keys(path)
    allow(api, request.caller, [keys[1] if _is_config(keys) else "*"])
    return keys


def _is_config(keys: tuple[str, ...]) -> bool:
    """Tell whether a path is about a module's configuration, not about what it is."""
    return keys[0] == "modules" and keys[2:3] == ("config",)


def _touched(api: Api, keys: tuple[str, ...]) -> Iterable[str]:
    """Return the modules that a path is about."""
    if keys[0] != "modules":
        return ()
    return keys[1:2] or api.runtime.snapshot.running


def _is_set(tree: Any, keys: tuple[str, ...]) -> bool:
    """Tell whether something is stored at a path."""
    for key in keys:
        if not isinstance(tree, Mapping) or key not in tree:
            return False
        tree = tree[key]
    return True


def _changed(
    api: Api, request: Request, keys: tuple[str, ...], more: dict[str, Any]
) -> Answer:
    """Set or unset a value, under the tag of the whole layer if one is given."""
    check_restart(api, request, _touched(api, keys))

    def look(head: Any, tree: Mapping[str, Any]) -> None:
        required = _is_set(head.tree, keys)
        check_match(request, store_tag(head.version), required=required)
        if not _is_config(keys):
            allow_entries(api, request.caller, tree)

    who = {"author": request.caller.name, "message": message_of(request), "look": look}
    with api.turn():
        target = writable(api).participant.target
        act = target.set if more else target.unset
        try:
            written = act(keys, **more, **who)
        except KeyError:
            detail = f"nothing is set at `{dotted(keys)}`"
            raise Problem(404, Code.E_UNKNOWN, detail) from None
        except InvalidConfigurationError as exc:
            raise refusal(exc) from exc
    return Result.of(written).answer(store_tag(written.version), path=dotted(keys))


SINGLE: tuple[Route, ...] = (
    Route(
        "PUT",
        _PATH,
        "write",
        _put,
        "putOverride",
        "Set one value above all layers.",
        takes=shapes.Value,
        gives=shapes.Overridden,
        params=_PARAMS,
        statuses=_STATUSES,
        checks=True,
    ),
    Route(
        "DELETE",
        _PATH,
        "write",
        _delete,
        "deleteOverride",
        "Take away one value that was set, or all below it.",
        gives=shapes.Overridden,
        params=_PARAMS,
        statuses=_STATUSES,
        checks=True,
    ),
)
