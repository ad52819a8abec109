"""What the sources hold by now and is not in force: to look at, and to approve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from midflight.errors import Code
from midflight_plugins.admin.page._change import said
from midflight_plugins.admin.page._desk import is_refused
from midflight_plugins.api import Problem

if TYPE_CHECKING:
    from starlette.responses import Response

    from midflight_plugins.admin.page._desk import Visit


def pending(visit: Visit) -> Response:
    """Answer `GET /plan`."""
    return _shown(visit, None)


def _shown(visit: Visit, problem: Mapping[str, Any] | None) -> Response:
    answer = visit.ask("getPlan")
    is_plan = not is_refused(answer)
    return visit.page(
        "pending.html",
        plan=answer.content if is_plan else None,
        problem=problem or (None if is_plan else answer.content),
    )


def approve(visit: Visit) -> Response:
    """Answer `POST /plan`: carry out what was shown, if it is still that."""
    found = visit.get("plan", body={})
    if found["desired"] != visit.form.get("desired"):
        text = "the sources have changed since this was shown; look again"
        return _shown(visit, Problem(409, Code.E_CONFLICT, text).answer().content)
    answer = visit.ask("apply", {"token": found["token"]})
    if is_refused(answer):
        return _shown(visit, answer.content)
    return visit.go("/", said(answer.content))
