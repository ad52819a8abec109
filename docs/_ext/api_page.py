"""Write `docs/reference/http-api.md` from the routes; run this file to do so."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from midflight_plugins.admin._openapi import described
from midflight_plugins.api import ROUTES, Route

PAGE = Path(__file__).parents[1] / "reference" / "http-api.md"
HEAD = Path(__file__).with_name("api_head.md")
MADE = """\
<!-- made by docs/_ext/api_page.py from the routes and api_head.md: edit there -->
"""
OPEN, READ = "nothing", "`read`"
LEAST_ERROR = 400


def page() -> str:
    """Return the text of the page."""
    api = described()
    known = {(each.method, each.path): each for each in ROUTES}
    found = [
        _Operation(method.upper(), path, entry, known.get((method.upper(), path)))
        for path, methods in api["paths"].items()
        for method, entry in methods.items()
    ]
    groups = {
        "Look": [each for each in found if each.route and each.method == "GET"],
        "Change": [each for each in found if each.route and each.method != "GET"],
        "For machines": [each for each in found if not each.route],
    }
    parts = [MADE, HEAD.read_text(), *_overview(found)]
    for title, group in groups.items():
        parts += [f"\n## {title}\n", *(each.text() for each in group)]
    parts.append("\n## Bodies and answers\n")
    schemas = api["components"]["schemas"]
    parts += [_schema(name, schemas[name]) for name in sorted(schemas)]
    return "\n".join(parts)


def _overview(found: list[_Operation]) -> Iterator[str]:
    yield "## All routes\n"
    yield "| route | scope | does |\n|---|---|---|"
    for each in found:
        link = f"[{each.title}](#{_anchor(each.title)})"
        yield f"| {link} | {each.scope} | {each.entry['summary']} |"


class _Operation:
    """One thing that can be asked."""

    def __init__(
        self, method: str, path: str, entry: Mapping[str, Any], route: Route | None
    ) -> None:
        self.method, self.path, self.entry, self.route = method, path, entry, route
        self.title = f"`{method} {path}`"
        self.scope = OPEN if entry.get("security") == [] else READ
        if route is not None:
            self.scope = _scope(route)

    def text(self) -> str:
        """Return its section."""
        lines = [f"### {self.title}\n", f"{self.entry['summary']}\n"]
        lines += [f"- **Scope:** {self.scope}", f"- **Body:** {self._body()}"]
        lines.append(f"- **Answers:** {self._answers()}")
        if self.route and self._refusals():
            lines.append(f"- **Refuses with:** {self._refusals()}, and as every route")
        lines.append(f"- **Name:** `{self.entry['operationId']}`\n")
        if params := self.entry["parameters"]:
            lines.append("| parameter | in | is | type |\n|---|---|---|---|")
            lines += map(_parameter, params)
            lines.append("")
        return "\n".join(lines)

    def _body(self) -> str:
        body = self.entry.get("requestBody")
        if body is None:
            return "none"
        kinds = " or ".join(f"`{kind}`" for kind in body["content"])
        [schema] = {str(each): each for each in _schemas(body["content"])}.values()
        needed = "" if body["required"] else ", or none"
        return f"{_type(schema)}, as {kinds}{needed}"

    def _answers(self) -> str:
        found = []
        for status, answer in self.entry["responses"].items():
            if int(status) >= LEAST_ERROR:
                continue
            content = answer.get("content", {})
            told = {_type(each): None for each in _schemas(content)}
            kinds = [f"`{kind}`" for kind in content if kind != "application/json"]
            words = [*(told if not kinds else ()), *kinds]
            found.append(" ".join([status, *(words or ["without a body"])]))
        return ", ".join(found)

    def _refusals(self) -> str:
        statuses = self.route.statuses if self.route else ()
        return ", ".join(str(each) for each in statuses if each >= LEAST_ERROR)


def _scope(route: Route) -> str:
    if route.scope != "write":
        return f"`{route.scope}`"
    if "{name}" in route.path:
        return "`write:{name}`"
    return "`write` for each module" if route.checks else "`write:*`"


def _schemas(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each["schema"] for each in content.values()]


def _parameter(param: Mapping[str, Any]) -> str:
    needed = ", required" if param["required"] else ""
    about = f"{param['description']}{needed}"
    return f"| `{param['name']}` | {param['in']} | {about} | {_type(param['schema'])} |"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    about = inspect.cleandoc(schema.get("description", ""))
    lines = [f"### {name}\n", f"{about}\n", "| field | type | |", "|---|---|---|"]
    for field, kind in schema["properties"].items():
        needed = "" if field in schema.get("required", ()) else "may be left out"
        lines.append(f"| `{field}` | {_type(kind)} | {needed} |")
    return "\n".join([*lines, ""])


def _type(schema: Mapping[str, Any]) -> str:
    """Return a JSON Schema in words, with a link to what it refers to."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and schema.get("additionalProperties"):
        return f"object of {_type(schema['additionalProperties'])}"
    return f"{kind}{_bounds(schema)}"


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return ""
    return f", {low} to {high:,}" if high is not None else f", from {low}"


def _anchor(title: str) -> str:
    """Return the anchor that a heading gets, as GitHub and MyST make it."""
    kept = (each for each in title.lower() if each.isalnum() or each in " -_")
    return "".join(kept).replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page())
