"""What runs, what was refused and why, where it comes from."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from midflight_plugins.admin.page._history import records

if TYPE_CHECKING:
    from starlette.responses import Response

    from midflight_plugins.admin.page._desk import Visit

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
    latest = records(visit, LATEST)["records"]
    return visit.page(
        "overview.html", status=status, states=states, latest=latest, **table
    )


def modules(visit: Visit) -> dict[str, Any]:
    """Return one page of the table of modules, as its search says."""
    asked = visit.request.query_params
    text = asked.get("q", "").strip()
    page = max(1, int(number)) if (number := asked.get("page", "1")).isdecimal() else 1
    only = "true" if asked.get("overridden") == "true" else None
    start = (page - 1) * PER_PAGE
    words = {"q": text or None, "overridden": only}
    found = visit.get("getModules", **words, limit=PER_PAGE, offset=start)
    total, given = found["total"], {key: each for key, each in words.items() if each}
    return {
        "rows": found["modules"],
        "total": total,
        "q": text,
        "only": only,
        "first": start + 1,
        "here": _query(given, page),
        "earlier": _query(given, page - 1) if page > 1 else None,
        "later": _query(given, page + 1) if start + PER_PAGE < total else None,
    }


def _query(given: dict[str, str], page: int) -> str:
    return urlencode(given | ({"page": page} if page > 1 else {}))
