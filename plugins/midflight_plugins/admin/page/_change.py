"""Changing a module: check and plan first, then apply just that plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from midflight.errors import Code, InvalidConfigurationError, dotted
from midflight_plugins.admin.page._desk import is_refused
from midflight_plugins.admin.page._edit import patch, read
from midflight_plugins.admin.page._module import current, with_module
from midflight_plugins.api import Problem

if TYPE_CHECKING:
    from starlette.responses import Response

    from midflight import Fault
    from midflight_plugins.admin.page._desk import Visit


def plan(visit: Visit) -> Response:
    """Answer `POST /modules/{name}/plan`: what an edit would do, or what is wrong."""
    name, text = visit.request.path_params["name"], visit.form.get("text")
    if visit.form.get("action") == "remove":
        return _planned(visit, {"module": name, "remove": True}, None)
    text = (text or "").replace("\r\n", "\n")
    try:
        wanted = read(visit.desk.context.api.runtime, text)
        module, etag = current(visit, name)
        if visit.form.get("etag") != etag:
            return with_module(visit, text=text, problem=_stale())
        asked = patch(module["config"], wanted)
    except InvalidConfigurationError as exc:
        return with_module(
            visit, text=text, faults=[_data(each) for each in exc.faults]
        )
    if not asked:
        problem = {"title": "Nothing to do", "detail": "the text says what is in force"}
        return with_module(visit, text=text, problem=problem)
    return _planned(visit, {"module": name, "patch": asked}, text)


def _planned(visit: Visit, body: Mapping[str, Any], text: str | None) -> Response:
    answer = visit.ask("plan", body)
    if is_refused(answer):
        return with_module(visit, text=text, problem=answer.content)
    return with_module(visit, text=text, plan=answer.content)


def apply(visit: Visit) -> Response:
    """Answer `POST /modules/{name}/apply`: carry out the plan that was shown."""
    name = visit.request.path_params["name"]
    token = visit.form.get("token", "")
    answer = visit.ask("apply", {"token": token}, headers=once(token))
    if is_refused(answer):
        text = visit.form.get("text") or None
        return with_module(visit, text=text, problem=answer.content)
    return visit.go(f"/modules/{name}", said(answer.content))


def once(key: str) -> Mapping[str, str]:
    """Return what makes a form that is sent twice, by two clicks, one request."""
    return {"idempotency-key": key} if key else {}


def said(content: Mapping[str, Any]) -> str:
    """Say how a change ended."""
    generation = content.get("generation")
    if content.get("status") == "ok":
        return f"Applied: generation {generation} is in force."
    return f"Stored, not applied yet: generation {generation} is still in force."


def _stale() -> Mapping[str, Any]:
    text = "the module has changed since this text was loaded; load the page again"
    return Problem(412, Code.E_CONFLICT, text).answer().content  # type: ignore[no-any-return]  # plain data


def _data(fault: Fault) -> dict[str, Any]:
    place = fault.place
    return {
        "code": str(fault.code),
        "message": fault.message,
        "path": dotted(fault.path),
        "file": None,
        "line": place and place.line,
        "column": place and place.column,
        "layer": None,
        "found": fault.found,
        "expected": fault.expected,
        "hint": fault.hint,
    }
