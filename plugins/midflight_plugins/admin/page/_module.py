"""One module: its configuration, who set each value, how it is, and an editor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from midflight_plugins.admin.page._yaml import written

if TYPE_CHECKING:
    from starlette.responses import Response

    from midflight_plugins.admin.page._desk import Visit

_NOTHING: Mapping[str, Any] = {}


def module(visit: Visit) -> Response:
    """Answer `GET /modules/{name}`."""
    return with_module(visit)


def health(visit: Visit) -> Response:
    """Answer `GET /modules/{name}/health`: asking may take as long as its deadline."""
    name = visit.request.path_params["name"]
    found = visit.get("getModule", params={"name": name}, probe="true")
    return visit.page("health.html", health=found.get("health"))


def with_module(
    visit: Visit,
    *,
    text: str | None = None,
    faults: Sequence[Mapping[str, Any]] = (),
    problem: Mapping[str, Any] | None = None,
    plan: Mapping[str, Any] | None = None,
) -> Response:
    """Return the page of a module, and what came of an edit.

    Args:
        visit: who asks.
        text: what the editor shows; by default what is in force.
        faults: what is wrong with that text.
        problem: why it was refused.
        plan: what it would do.
    """
    name = visit.request.path_params["name"]
    found, etag = current(visit, name)
    explained = visit.get("explain", path=f"modules.{name}")
    return visit.page(
        "module.html",
        module=found,
        etag=etag,
        rows=_rows(explained["values"], f"{explained['path']}.config.", found["marks"]),
        editable=visit.caller is not None and visit.caller.may("write", name),
        text=written(found["config"]) if text is None else text,
        edited=text is not None,
        faults=faults,
        problem=problem,
        plan=plan,
    )


def current(visit: Visit, name: str) -> tuple[Any, str]:
    """Return a module as it is in force, and the mark of just that state."""
    answer = visit.checked(visit.ask("getModule", params={"name": name}))
    headers = {key.lower(): value for key, value in answer.headers.items()}
    return answer.content, headers.get("etag", "")


def _rows(
    values: Sequence[Mapping[str, Any]], head: str, marks: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Return where each value of a configuration was set, and what is said of it."""
    rows = [
        {**each, "key": each["path"].removeprefix(head)}
        for each in values
        if each["path"].startswith(head)
    ]
    return [{**row, "marks": _marks(row["key"], marks)} for row in rows]


def _marks(key: str, marks: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return the marks of a key, or of the nearest that it is part of."""
    while key and key not in marks:
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return marks.get(key, ())
