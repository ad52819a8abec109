"""`midflight modules`: what each module type can do and what it takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from midflight import Loaded, Runtime
from midflight_plugins.cli._options import Sources
from midflight_plugins.cli._text import json_text, table, value_text
from midflight_plugins.cli._versions import Fixed


def modules(sources: Sources, form: str) -> None:
    """Write every module type; importing one that is broken spoils no other."""
    registry, given = sources.registry(), sources.types()
    runtime = Runtime(
        Fixed("nothing", Loaded({})),
        plugins=sources.allowed,
        modules=given,
        registry=registry,
    )
    names = sorted({*given, *registry.names("module")})
    found = [_described(name, runtime, given) for name in names]
    click.echo(json_text(found) if form == "json" else "\n\n".join(map(_text, found)))


def _described(name: str, runtime: Runtime, given: Mapping[str, Any]) -> dict[str, Any]:
    origins = {
        entry.name: f"{entry.distribution} {entry.version}"
        for entry in runtime.registry.entries()
        if entry.role == "module"
    }
    head = {"type": name, "from": origins[name] if name not in given else "--module"}
    try:
        factory = given.get(name) or runtime.registry.load("module", name)
        fields = list(_fields(runtime.schema(name) or {}))
    except Exception as exc:  # noqa: BLE001  # whatever a type's author got wrong
        return {**head, "error": str(exc)}
    return {
        **head,
        "doc": _line(factory),
        "reconfigurable": _has_hook(factory, "reconfigure"),
        "overlap": bool(getattr(factory, "overlap", False)),
        "sections": sorted(getattr(factory, "sections", ())),
        "config": fields,
    }


def _line(factory: Callable[..., Any]) -> str:
    return (inspect.getdoc(factory) or "").partition("\n")[0]


def _has_hook(factory: Any, name: str) -> bool:
    """Tell whether a class marks a method as that hook."""
    return hasattr(getattr(factory, name, None), "midflight_impl")


def _fields(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield name, type and default of what a JSON Schema lets in, if it says so."""
    named = str(schema.get("$ref", "")).rpartition("/")[2]
    top = schema.get("$defs", {}).get(named, schema)
    required = top.get("required", ())
    for name, field in top.get("properties", {}).items():
        said = field if isinstance(field, Mapping) else {}
        # That of a secret is nobody's business.
        keys = () if said.get("writeOnly") else said.keys() & {"default"}
        yield {"name": name, "type": _type(said), "required": name in required} | {
            key: said[key] for key in keys
        }


def _type(schema: Any) -> str:
    """Return what a JSON Schema lets in, in a few words."""
    if not isinstance(schema, Mapping):
        return "any"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(value_text, schema["enum"]))
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return " | ".join(dict.fromkeys(map(_type, choices)))
    if schema.get("writeOnly"):
        return "secret"
    kinds = schema.get("type", "any")
    words = " | ".join([kinds] if isinstance(kinds, str) else map(str, kinds))
    inner = schema.get("items") or schema.get("additionalProperties")
    return f"{words} of {_type(inner)}" if isinstance(inner, Mapping) else words


def _text(found: dict[str, Any]) -> str:
    head = f"{click.style(found['type'], bold=True)}  {found['from']}"
    if "error" in found:
        return f"{head}\n  {click.style('error', fg='red')}: {found['error']}"
    traits = ["reconfigurable" if found["reconfigurable"] else "restarted on a change"]
    if found["overlap"]:
        traits.append("old and new overlap")
    if found["sections"]:
        traits.append(f"reads sections {', '.join(found['sections'])}")
    rows = [(field["name"], field["type"], _given(field)) for field in found["config"]]
    lines = [head, f"  {found['doc']}", f"  {', '.join(traits)}"]
    return "\n".join([*(line for line in lines if line.strip()), *_table(rows)])


def _given(field: dict[str, Any]) -> str:
    if field["required"]:
        return "required"
    return f"= {value_text(field['default'])}" if "default" in field else "optional"


def _table(rows: list[tuple[str, str, str]]) -> list[str]:
    return [table(rows, "    ")] if rows else []
