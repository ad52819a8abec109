"""What runs, what was refused and why, where it comes from."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from midflight_plugins.admin.page._history import records
from midflight_plugins.api import Events

if TYPE_CHECKING:
    from starlette.responses import Response

    from midflight_plugins.admin.page._desk import Visit

_REFUSALS = frozenset({"rejected", "rolled_back", "failed"})
PER_PAGE = 50  # modules
LATEST = 6  # decisions


def overview(visit: Visit) -> Response:
    """Answer `GET /`."""
    status = visit.get("getStatus")
    whole, *layers = status["sources"]
    if layers:
        whole["version"] = None  # it is made of those of its layers
    states = collections.Counter(each["state"] for each in status["modules"].values())
    table = modules(visit)
    if status["rejected"]:
        status["rejected"]["details"] = _details(visit, status["rejected"])
    latest = records(visit, LATEST)["records"]
    return visit.page(
        "overview.html", status=status, states=states, latest=latest, **table
    )


def _details(visit: Visit, rejected: Mapping[str, Any]) -> Sequence[Any]:
    """Return why a change was refused: as data, while the event is remembered."""
    digest = rejected["digest"]
    for event in reversed(Events.of(visit.desk.context.api.runtime).since("0")):
        if event.name in _REFUSALS and (event.data["digest"] or None) == digest:
            return cast("Sequence[Any]", event.data["faults"])
    return cast("Sequence[Any]", rejected["faults"])


def modules(visit: Visit) -> dict[str, Any]:
    """Return one page of the table of modules, as its search says."""
    asked = visit.request.query_params
    text = asked.get("q", "").strip()
    page = max(1, int(number)) if (number := asked.get("page", "1")).isdecimal() else 1
    start = (page - 1) * PER_PAGE
    found = visit.get("getModules", q=text or None, limit=PER_PAGE, offset=start)
    total = found["total"]
    return {
        "rows": found["modules"],
        "total": total,
        "q": text,
        "first": start + 1,
        "here": _query(text, page),
        "earlier": _query(text, page - 1) if page > 1 else None,
        "later": _query(text, page + 1) if start + PER_PAGE < total else None,
    }


def _query(text: str, page: int) -> str:
    given = {"q": text} if text else {}
    return urlencode(given | ({"page": page} if page > 1 else {}))
