"""The description of the API for programs: OpenAPI 3.1, made of the table of routes."""

from __future__ import annotations

import http
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from midflight import __version__
from midflight_plugins.api import ROUTES, Param, Route

_EVERY = (400, 401, 403, 404, 405, 408, 413, 429, 500, 503)
_NO_BODY = {204, 304}
_PATCH = "application/merge-patch+json"
_TOKEN = {"type": "http", "scheme": "bearer", "description": "`midflight token create`"}
_NAMED = "$request.path.name"
_TAGGED = {"path.name": _NAMED, "header.If-Match": "$response.header.ETag"}
_FOLLOWS: Mapping[str, tuple[Mapping[str, str], Mapping[str, str] | None]] = {
    "apply": ({}, {"token": "$response.body#/token"}),
    "rollback": ({}, {"digest": "$response.body#/generations/0/digest"}),
    "getModule": ({"path.name": "$response.body#/modules/0/name"}, None),
    "putModuleConfig": (_TAGGED, None),
    "patchModuleConfig": (_TAGGED, None),
    "deleteModuleConfig": (_TAGGED, None),
}
_LINKS = {
    "plan": ("apply",),
    "getGenerations": ("rollback",),
    "getModules": ("getModule",),
    "getModule": ("putModuleConfig", "patchModuleConfig"),
    "getModuleConfig": ("putModuleConfig",),
    "putModuleConfig": ("patchModuleConfig", "deleteModuleConfig"),
    "patchModuleConfig": ("putModuleConfig",),
}
"""What can be asked next, with what an answer has told."""


@attrs.frozen
class Problem:
    """What is answered instead of what was asked for (RFC 9457).

    Args:
        type: always `about:blank`.
        title: the phrase of the status.
        status: of HTTP.
        code: the stable error code.
        detail: what is wrong and what to do.
        faults: each thing that is wrong, if it is more than one.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    faults: list[dict[str, Any]] = attrs.field(factory=list)


@attrs.frozen
class Ready:
    """The service runs.

    Args:
        status: `ok`.
        generation: in force.
    """

    status: str
    generation: int


def described(routes: Sequence[Route] = ROUTES) -> dict[str, Any]:
    """Return the description as plain data.

    Args:
        routes: those of the API; what only this server answers is added.
    """
    import msgspec

    kinds = [kind for each in routes for kind in (each.takes, each.gives) if kind]
    schemas, parts = msgspec.json.schema_components(
        [Problem, Ready, *kinds], ref_template="#/components/schemas/{name}"
    )
    known = dict(zip([Problem, Ready], schemas, strict=False))
    schema_of = dict(zip(map(_key, kinds), schemas[2:], strict=True))
    if (plan := parts.get("Planned")) is not None:
        parts["Previewed"] = _without(plan, ("token", "expires"))
    paths: dict[str, dict[str, Any]] = {}
    for each in routes:
        entry = _operation(each, schema_of, known[Problem])
        paths.setdefault(each.path, {})[each.method.lower()] = entry
    return {
        "openapi": "3.1.0",
        "info": {"title": "Midflight", "version": __version__},
        "paths": {**paths, **_own(known)},
        "components": {"schemas": parts, "securitySchemes": {"token": _TOKEN}},
        "security": [{"token": []}],
    }


def _key(kind: Any) -> str:
    return repr(kind)  # a `dict[str, Any]` is not the same object each time


def _operation(
    route: Route, schema_of: Mapping[str, Any], problem: Mapping[str, Any]
) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", route.path)
    path = [Param(name, "as in `modules`", "path", required=True) for name in names]
    gives = schema_of[_key(route.gives)] if route.gives else {}
    good = {
        str(status): _answer(status, gives)
        for status in route.statuses
        if status < http.HTTPStatus.BAD_REQUEST
    }
    bad = sorted({*_EVERY, *route.statuses} - {int(each) for each in good})
    entry: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.about,
        "description": f"Needs the scope `{route.scope}`.",
        "parameters": [_parameter(each) for each in (*path, *route.params)],
        "responses": {**good, **_problems(bad, problem)},
    }
    if "200" in good and any(each.name == "dry_run" for each in route.params):
        given = [gives, {"$ref": "#/components/schemas/Previewed"}]
        entry["responses"]["200"] = _answer(200, {"anyOf": given})
    if links := _LINKS.get(route.operation):
        entry["responses"]["200"]["links"] = {each: _link(each) for each in links}
    if route.takes:
        kinds = ["application/json", *([_PATCH] if route.method == "PATCH" else [])]
        schema = {"schema": schema_of[_key(route.takes)]}
        content = dict.fromkeys(kinds, schema)
        entry["requestBody"] = {"required": not route.wordless, "content": content}
    return entry


def _link(operation: str) -> dict[str, Any]:
    """Return what leads from an answer to another operation."""
    parameters, body = _FOLLOWS[operation]
    more = {"requestBody": body} if body else {}
    return {"operationId": operation, "parameters": dict(parameters), **more}


def _without(schema: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the schema of an object that has some members less."""
    properties = {k: v for k, v in schema["properties"].items() if k not in names}
    required = [each for each in schema["required"] if each not in names]
    about = {"title": "Previewed", "description": "What a change would do."}
    return {**schema, **about, "properties": properties, "required": required}


def _parameter(param: Param) -> dict[str, Any]:
    return {
        "name": param.name,
        "in": param.place,
        "description": param.about,
        "required": param.required,
        "schema": dict(param.kind),
    }


def _answer(
    status: int, schema: Mapping[str, Any], kind: str = "application/json"
) -> dict[str, Any]:
    about = http.HTTPStatus(status).phrase
    if status in _NO_BODY:
        return {"description": about}
    return {"description": about, "content": {kind: {"schema": dict(schema)}}}


def _problems(
    statuses: Sequence[int], problem: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    kind = "application/problem+json"
    return {str(each): _answer(each, problem, kind) for each in statuses}


def _own(known: Mapping[Any, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what only this server answers."""
    text = {"type": "string"}
    last = Param("Last-Event-ID", "the `id` of the event that came last", "header")
    rows = (
        ("/api/v1/events", "getEvents", "Follow what happens.", "text/event-stream"),
        ("/readyz", "getReady", "Tell whether the service runs.", "application/json"),
        ("/metrics", "getMetrics", "Return figures for Prometheus.", "text/plain"),
        ("/openapi.json", "getOpenApi", "Return this.", "application/json"),
        ("/livez", "getLive", "Tell that the process answers.", "application/json"),
    )
    kinds = {"/readyz": known[Ready], "/openapi.json": {"type": "object"}}
    kinds["/livez"] = {"type": "object"}
    problems = _problems([401, 403, 405, 429, 500, 503], known[Problem])
    found: dict[str, Any] = {
        path: {
            "get": {
                "operationId": operation,
                "summary": about,
                "parameters": [],
                "responses": {
                    "200": _answer(200, kinds.get(path, text), kind),
                    **problems,
                },
            }
        }
        for path, operation, about, kind in rows
    }
    found["/api/v1/events"]["get"]["parameters"] = [_parameter(last)]
    found["/livez"]["get"]["security"] = []
    return found
