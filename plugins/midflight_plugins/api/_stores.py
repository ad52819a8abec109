"""The routes that look into what layers store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from midflight.errors import Code, PluginError, did_you_mean, dotted
from midflight_plugins.api import _models as models
from midflight_plugins.api._asked import number
from midflight_plugins.api._data import MASK, file_of, public, version_data
from midflight_plugins.api._etags import store_tag
from midflight_plugins.api._explain import shown_of
from midflight_plugins.api._http import Answer, Problem, Request
from midflight_plugins.api._loaded import overrides_layer
from midflight_plugins.api._paths import at, tree
from midflight_plugins.api._routes import Param, Route

if TYPE_CHECKING:
    from midflight_plugins.api._api import Api

_PAGE, _MOST = 20, 1_000


def _overrides(api: Api, _request: Request) -> Answer:
    snapshot = api.runtime.snapshot
    layer = overrides_layer(snapshot)
    if layer is None:
        return Answer({"layer": None, "version": None, "overrides": []})
    target, in_force = layer.participant.target, tree(snapshot.document)
    version = target.version  # before the list, which may be newer: a write tells then
    rows = [_override(each, in_force) for each in target.list()]
    content = {"layer": public(layer.name), "version": version, "overrides": rows}
    return Answer(content, headers={"ETag": store_tag(version)})


def _override(override: Any, in_force: Any) -> dict[str, Any]:
    keys, place = override.path, override.place
    return {
        "path": dotted(keys),
        "value": _shown(override.value, at(in_force, keys), keys[-1]),
        "file": place and file_of(place.source),
        "line": place and place.line,
        "column": place and place.column,
    }


def _shown(value: Any, in_force: Any, name: str) -> Any:
    """Return what is stored, each part of a list as far as it may be shown."""
    if isinstance(value, list | tuple):
        known = in_force if isinstance(in_force, list | tuple) else ()
        known = [*known, *[None] * (len(value) - len(known))]
        return [_shown(each, k, name) for each, k in zip(value, known, strict=False)]
    if name.startswith("$"):  # a mark of the merge, such as `$patch`
        return value if value in {"delete", "replace"} else MASK
    return shown_of(value, in_force)


def _versions(api: Api, request: Request) -> Answer:
    limit = number(request, "limit", _PAGE, 1, _MOST)
    keepers, name = dict(_keepers(api)), request.query.get("layer", "")
    if not keepers or (name and name not in keepers):
        hint = did_you_mean(name, keepers) if name else ""
        which = f"no layer `{name[:200]}`" if name else "no layer"
        detail = f"{which} keeps versions" + (f"; {hint}" if hint else "")
        raise Problem(404, Code.E_UNKNOWN, detail)
    name = name or next(iter(keepers))
    ask, version = keepers[name]
    try:
        found = list(ask(limit))
    except PluginError as exc:
        raise Problem(409, exc.code, str(exc)) from None
    rows = [
        {**version_data(each), "current": str(each.version) == str(version)}
        for each in found
    ]
    return Answer({"layer": name, "layers": list(keepers), "versions": rows})


def _keepers(api: Api) -> Iterator[tuple[str, Any]]:
    """Yield who keeps versions, the topmost layer first: how to ask, and its head."""
    runtime, snapshot = api.runtime, api.runtime.snapshot
    layers = snapshot.loaded.layers if snapshot.loaded else ()
    for layer in reversed(layers):
        whose = layer.participant
        if whose is not None and whose.has("history"):
            yield layer.name, (_asking(whose), layer.version)
    if not layers:
        name = snapshot.source.removeprefix("source ").strip("`")
        yield name, (runtime.history, snapshot.version)


def _asking(participant: Any) -> Any:
    return lambda limit: participant.invoke("history", limit=limit)


STORES: tuple[Route, ...] = (
    Route(
        "GET",
        "/api/v1/versions",
        "read",
        _versions,
        "getVersions",
        "List the versions that a layer stores, newest first.",
        gives=models.Versions,
        params=(
            Param("layer", "its name; by default the topmost that keeps any"),
            Param(
                "limit",
                "how many",
                kind={"type": "integer", "minimum": 1, "maximum": _MOST},
            ),
        ),
        statuses=(200, 404, 409),
    ),
    Route(
        "GET",
        "/api/v1/overrides",
        "read",
        _overrides,
        "getOverrides",
        "List the values that are set above all other layers.",
        gives=models.Overrides,
    ),
)
