"""`midflight modules`: what each module type can do and what it takes."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import click

from midflight import PluginRegistry
from midflight.errors import PluginError
from midflight_plugins.cli._text import json_text, table, value_text

_PRIVATE = re.compile(r"\bmidflight\._\w+\.")  # what is imported from `midflight`


def modules(given: Mapping[str, Any], form: str) -> None:
    """Write every module type; importing one that is broken spoils no other."""
    registry = PluginRegistry()
    names = sorted({*given, *registry.names("module")})
    found = [_described(name, registry, given) for name in names]
    click.echo(json_text(found) if form == "json" else "\n\n".join(map(_text, found)))


def _described(
    name: str, registry: PluginRegistry, given: Mapping[str, Any]
) -> dict[str, Any]:
    origins = {
        entry.name: f"{entry.distribution} {entry.version}"
        for entry in registry.entries()
        if entry.role == "module"
    }
    head = {"type": name, "from": origins[name] if name not in given else "--module"}
    try:
        factory = given.get(name) or registry.load("module", name)
    except PluginError as exc:
        return {**head, "error": str(exc)}
    return {
        **head,
        "doc": _line(factory),
        "reconfigurable": _has_hook(factory, "reconfigure"),
        "overlap": bool(getattr(factory, "overlap", False)),
        "sections": sorted(getattr(factory, "sections", ())),
        "config": list(_fields(getattr(factory, "Config", None))),
    }


def _line(factory: Callable[..., Any]) -> str:
    return (inspect.getdoc(factory) or "").partition("\n")[0]


def _has_hook(factory: Any, name: str) -> bool:
    """Tell whether a class marks a method as that hook."""
    return hasattr(getattr(factory, name, None), "midflight_impl")


def _fields(config: Any) -> Iterator[dict[str, Any]]:
    """Yield name, type and default of what a `Config` takes, where it can be told."""
    if isinstance(config, Mapping):
        required = config.get("required", ())
        for name, schema in config.get("properties", {}).items():
            kind = str(schema.get("type", ""))
            yield _field(name, kind, name in required, schema.get("default"))
    elif isinstance(config, type) and attrs.has(config):
        for field in attrs.fields(config):
            if field.init:
                missing = field.default is attrs.NOTHING
                yield _field(
                    field.alias, _type(field.type), missing, _default(field.default)
                )
    elif isinstance(config, type) and dataclasses.is_dataclass(config):
        for item in dataclasses.fields(config):
            if item.init:
                choices = (item.default, item.default_factory)
                default = next(
                    (each for each in choices if each is not dataclasses.MISSING), None
                )
                missing = all(each is dataclasses.MISSING for each in choices)
                yield _field(item.name, _type(item.type), missing, _default(default))
    else:
        for name, kind in getattr(config, "__annotations__", {}).items():
            missing = not hasattr(config, name)
            yield _field(name, _type(kind), missing, getattr(config, name, None))


def _field(name: str, kind: str, required: bool, default: Any) -> dict[str, Any]:
    field = {"name": name, "type": kind, "required": required}
    return field if required else {**field, "default": default}


def _type(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    text = inspect.formatannotation(kind) if kind else ""
    return _PRIVATE.sub("", text)


def _default(value: Any) -> Any:
    """Return a default as it would stand in a file; a factory is called for it."""
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # a class at run time
        return None if value.takes_self else value.factory()
    return value() if callable(value) else value


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
    return "required" if field["required"] else f"= {value_text(field['default'])}"


def _table(rows: list[tuple[str, str, str]]) -> list[str]:
    return [table(rows, "    ")] if rows else []
