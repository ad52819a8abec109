"""The routes that only look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from midflight import Diff, Loaded
from midflight.errors import Code
from midflight_plugins.api import _models as models
from midflight_plugins.api._asked import flag, number, tagged
from midflight_plugins.api._before import document_of
from midflight_plugins.api._data import (
    diff_data,
    fault_data,
    plain_data,
    public_data,
    status_data,
)
from midflight_plugins.api._events import Events
from midflight_plugins.api._explain import explained
from midflight_plugins.api._http import Answer, Problem, Request
from midflight_plugins.api._modules import MODULES
from midflight_plugins.api._paths import AbsentError
from midflight_plugins.api._routes import Param, Route
from midflight_plugins.api._stores import STORES

if TYPE_CHECKING:
    from midflight_plugins.api._api import Api

_PAGE, _MOST = 50, 1_000
_LONGEST = 1_000  # characters of a path: where it ends is sought key by key
_NUMBER = {"type": "integer", "minimum": 1}
_FLAG = {"type": "boolean", "default": False}
TAG = Param("If-None-Match", "the `ETag` of what the client has", "header")


def _status(api: Api, _request: Request) -> Answer:
    before, found = api.runtime.rejected, api.runtime.status()
    refused = api.runtime.rejected or before  # it may be over by now
    if found["rejected"] and refused:
        faults = [fault_data(fault) for fault in refused.faults[:_MOST]]
        found["rejected"]["faults"] = faults
    return Answer(status_data(found))


def _config(api: Api, request: Request) -> Answer:
    document = api.runtime.snapshot.document
    return tagged(request, plain_data(document.as_mapping()), f'"{document.digest}"')


def _explain(api: Api, request: Request) -> Answer:
    path, snapshot = request.query.get("path", ""), api.runtime.snapshot
    if not path and not flag(request, "all"):
        raise Problem(400, Code.E_SYNTAX, "give `?path=modules.web`, or `?all=true`")
    if len(path) > _LONGEST:
        detail = f"`path` is longer than {_LONGEST} characters"
        raise Problem(400, Code.E_SIZE, detail)
    loaded = snapshot.loaded or Loaded(snapshot.document, snapshot.version)
    try:
        return tagged(request, explained(snapshot.document, loaded, path))
    except AbsentError as exc:
        raise Problem(404, Code.E_UNKNOWN, str(exc)) from None


def _history(api: Api, request: Request) -> Answer:
    limit = number(request, "limit", _PAGE, 1, _MOST)
    before = number(request, "before", 0, 1, 2**53) or None
    found = api.runtime.hook.journal(limit=limit, before=before, runtime=api.runtime)
    kept, records = "journal", list(map(dict, found or ()))
    if found is None:
        kept, records = "memory", Events.of(api.runtime).records(limit, before)
    more = len(records) == limit and records[-1]["number"] > 1
    following = records[-1]["number"] if more else None
    shown = list(map(public_data, records))
    return Answer({"kept": kept, "records": shown, "next": following})


def _generations(api: Api, _request: Request) -> Answer:
    current = api.runtime.snapshot.generation
    rows: list[dict[str, Any]] = [
        {**each, "current": each["generation"] == current}
        for each in Events.of(api.runtime).installs()
    ]
    return Answer({"generations": rows})


def _diff(api: Api, request: Request) -> Answer:
    base, digest = (request.query.get(word, "") for word in ("base", "digest"))
    if not base or not digest:
        raise Problem(400, Code.E_REQUIRED, "give `?base=DIGEST&digest=DIGEST`")
    diff = Diff.between(document_of(api, base), document_of(api, digest))
    return Answer(diff_data(diff))


READS: tuple[Route, ...] = (
    Route(
        "GET",
        "/api/v1/status",
        "read",
        _status,
        "getStatus",
        "Tell what is in force, wanted and refused.",
        gives=models.Status,
    ),
    Route(
        "GET",
        "/api/v1/config",
        "read",
        _config,
        "getConfig",
        "Show the whole configuration in force, secrets masked.",
        gives=dict[str, Any],
        params=(TAG,),
        statuses=(200, 304),
    ),
    *MODULES,
    Route(
        "GET",
        "/api/v1/explain",
        "read",
        _explain,
        "explain",
        "Show the values at and below a path, and which layer set each.",
        gives=models.Explanation,
        params=(
            Param("path", "with dots, such as `modules.web.config.port`"),
            Param("all", "everything, in the place of a path", kind=_FLAG),
            TAG,
        ),
        statuses=(200, 304, 404),
    ),
    Route(
        "GET",
        "/api/v1/history",
        "read",
        _history,
        "getHistory",
        "List what was decided, newest first.",
        gives=models.History,
        params=(
            Param("limit", "how many records", kind={**_NUMBER, "maximum": _MOST}),
            Param("before", "only those before that `number`", kind=_NUMBER),
        ),
    ),
    Route(
        "GET",
        "/api/v1/generations",
        "read",
        _generations,
        "getGenerations",
        "List the configurations that were put in force, newest first.",
        gives=models.Generations,
    ),
    Route(
        "GET",
        "/api/v1/diff",
        "read",
        _diff,
        "getDiff",
        "Tell what differs between two configurations that were in force, masked.",
        gives=models.Difference,
        params=(
            Param("base", "the digest of the older one", required=True),
            Param("digest", "that of the other one", required=True),
        ),
        statuses=(200, 400, 410),
    ),
    *STORES,
)
