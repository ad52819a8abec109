"""What `${…}` means in a text, and nothing about where values come from.

    text      = { escape | reference | any other character }
    escape    = "$${"                                   a literal "${"
    reference = "${" NAME "}" | "${" NAME ":-" default "}" | "${" scheme ":" rest "}"

Neither a default nor what a resolver is given may hold a brace, so nothing nests.
"""

from __future__ import annotations

import re

import attrs

_TOKEN = re.compile(r"\$\$\{|\$\{(?P<body>[^{}]*)\}|\$\{")
_VARIABLE = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL
)
_RESOLVED = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+._-]*):(?P<rest>[^-].*)")


class MalformedError(ValueError):
    """A text holds a `${` that begins no reference; says why, not what it holds."""


@attrs.frozen
class Reference:
    """One reference.

    Args:
        rest: the variable's name, or what the resolver is given.
        scheme: the resolver's; empty for a variable.
        default: for a variable that is unset or empty.
    """

    rest: str
    scheme: str = ""
    default: str | None = None

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}" if self.scheme else self.rest


def parse(text: str) -> tuple[str | Reference, ...]:
    """Cut a text into literal parts, freed of escapes, and references.

    Raises:
        MalformedError: for a `${` that begins no reference.
    """
    parts: list[str | Reference] = [""]
    at = 0
    for found in _TOKEN.finditer(text):
        _append(parts, text[at : found.start()])
        at = found.end()
        if found[0] == "$${":
            _append(parts, "${")
        elif found["body"] is None:
            msg = "`${` is not closed, or holds another brace"
            raise MalformedError(msg)
        else:
            parts.append(_reference(found["body"]))
    _append(parts, text[at:])
    return tuple(part for part in parts if part != "")


def escaped(text: str) -> str:
    """Return what to write for a text that shall be taken as it is."""
    return text.replace("${", "$${")


def _append(parts: list[str | Reference], text: str) -> None:
    last = parts[-1]
    if isinstance(last, str):
        parts[-1] = last + text
    else:
        parts.append(text)


def _reference(body: str) -> Reference:
    if found := _VARIABLE.fullmatch(body):
        return Reference(found["name"], default=found["default"])
    found = _RESOLVED.fullmatch(body)
    if found and body.isprintable():
        return Reference(found["rest"], found["scheme"])
    msg = "what stands in `${…}` is no reference"
    raise MalformedError(msg)
