"""What was decided, by whom and why; and the way back."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from midflight.errors import Code
from midflight_plugins.admin.page._change import once, said
from midflight_plugins.admin.page._desk import is_refused
from midflight_plugins.api import Problem

if TYPE_CHECKING:
    from starlette.responses import Response

    from midflight_plugins.admin.page._desk import Visit

PER_PAGE = 50  # records
_BLANK: Mapping[str, Any] = {
    **dict.fromkeys(("steps", "faults", "warnings", "degraded"), ()),
    **dict.fromkeys(("actor", "cause", "reason", "base", "digest"), ""),
    **dict.fromkeys(("at", "generation", "seconds", "changes")),
}


def records(visit: Visit, limit: int, before: int | str | None = None) -> Any:
    """Return a page of the history; what was decided elsewhere may say less."""
    found = visit.get("getHistory", limit=limit, before=before)
    return {**found, "records": [{**_BLANK, **each} for each in found["records"]]}


def history(visit: Visit) -> Response:
    """Answer `GET /history`."""
    before = visit.request.query_params.get("before")
    found = records(visit, PER_PAGE, before)
    return visit.page(
        "history.html",
        records=found["records"],
        before=before,
        older=found["next"],
        is_kept=found["kept"] == "journal",
        kept=_kept(visit),
        in_force=visit.get("getStatus")["generation"],
    )


def entry(visit: Visit) -> Response:
    """Answer `GET /history/{number}`."""
    number = _number(visit, "number")
    found = records(visit, 1, number + 1)["records"]
    if not found or found[0]["number"] != number:
        raise Problem(404, Code.E_UNKNOWN, f"the journal has no record {number}")
    return visit.page(
        "entry.html",
        record=found[0],
        changes=_changes(visit, found[0]),
        kept=_kept(visit),
        in_force=visit.get("getStatus")["generation"],
    )


def _changes(visit: Visit, record: Mapping[str, Any]) -> Sequence[Any] | None:
    """Return the values that a change was about, while both sides are kept."""
    if not (record.get("base") and record.get("digest")):
        return None
    answer = visit.ask("getDiff", base=record["base"], digest=record["digest"])
    found: Sequence[Any] | None = answer.content.get("changes")
    return found


def confirm(visit: Visit) -> Response:
    """Answer `GET /rollback/{generation}`: what it would do."""
    return _confirm(visit, _number(visit, "generation"), None)


def _confirm(
    visit: Visit, generation: int, problem: Mapping[str, Any] | None
) -> Response:
    answer = visit.ask("rollback", {"generation": generation}, dry_run="true")
    plan: Any = None if is_refused(answer) else answer.content
    problem = problem or (None if plan else answer.content)
    return visit.page(
        "rollback.html",
        generation=generation,
        plan=plan,
        once=secrets.token_urlsafe(16),
        problem=problem,
    )


def rollback(visit: Visit) -> Response:
    """Answer `POST /rollback/{generation}`."""
    generation = _number(visit, "generation")
    body = {"generation": generation, "message": visit.form.get("message", "")}
    asked = {key: each for key, each in body.items() if each}
    headers = once(visit.form.get("once", ""))
    answer = visit.ask("rollback", asked, headers=headers)
    if is_refused(answer):
        return _confirm(visit, generation, answer.content)
    return visit.go("/history", said(answer.content))


def _kept(visit: Visit) -> frozenset[int]:
    """Return the generations that somebody who may do so can roll back to."""
    if visit.caller is None or not visit.caller.may("rollback"):
        return frozenset()
    found = visit.get("getGenerations")["generations"]
    return frozenset(each["generation"] for each in found)


def _number(visit: Visit, name: str) -> int:
    text = visit.request.path_params[name]
    if not (text.isascii() and text.isdecimal() and len(text) < 16):  # noqa: PLR2004  # a JSON number
        raise Problem(404, Code.E_UNKNOWN, f"`{text[:20]}` is no number")
    return int(text)
