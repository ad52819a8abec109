"""Read YAML 1.2 with ruamel.yaml's event stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from midflight.errors import Code, Fault, Place
from midflight_plugins.file import _events
from midflight_plugins.file._builder import Builder, Refused
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._text import (
    Parsed,
    empty,
    first_token,
    may_be_secret,
    spot_at,
)


def parse(text: str, source: str, limits: Limits, *, record: bool = False) -> Parsed:
    """Parse one YAML document.

    Args:
        text: the document, without control characters.
        source: the file, as places name it.
        limits: bounds on depth and aliases.
        record: whether to note the place of every path.
    """
    if _events.enabled() and _events.c_parser() and _events.clear(text):
        parsed = _from_c(Builder(source, limits, record=record), text)
        if parsed is not None:
            return parsed
    builder = Builder(source, limits, record=record)
    run(builder, text, source)
    return builder.parsed


def _from_c(builder: Builder, text: str) -> Parsed | None:
    """Return what the C parser finds, or `None`: then the other one is to be asked."""
    try:
        _feed(builder, _events.from_c(text), text)
    except Exception:  # noqa: BLE001  # whatever it is, the other parser has words for it
        return None
    parsed = builder.parsed
    # A text at the top may begin at the margin, which they do not agree about either.
    sound = isinstance(parsed.value, dict | list) and not parsed.faults
    return parsed if sound else None


def run(builder: Builder, text: str, source: str) -> None:
    """Feed a text to a builder; every fault ends up in `builder.parsed`."""
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    parsed = builder.parsed
    try:
        _feed(builder, _events.from_python(text), text)
    except Refused:
        parsed.complete = False
    except MarkedYAMLError as exc:
        parsed.complete = False
        parsed.faults.append(_syntax(exc, builder, text))
    except (YAMLError, ValueError, OverflowError, IndexError, KeyError) as exc:
        parsed.complete = False
        line = str(exc).splitlines()[0][:120] if str(exc) else type(exc).__name__
        fault = Fault(Code.E_SYNTAX, f"not YAML: {line}", place=Place(source, 1, 1))
        parsed.faults.append(fault)
    except (RecursionError, AttributeError, AssertionError, TypeError) as exc:
        parsed.complete = False
        msg = f"the YAML parser gave up: {type(exc).__name__}"
        fault = Fault(Code.E_SYNTAX, msg, place=Place(source, 1, 1))
        parsed.faults.append(fault)
    if parsed.complete and parsed.value is None and not parsed.faults:
        parsed.faults.append(empty(source))


def _feed(builder: Builder, found: Iterator[Any], text: str) -> None:
    from ruamel.yaml import events

    scalar, alias = events.ScalarEvent, events.AliasEvent
    opens = {events.MappingStartEvent: True, events.SequenceStartEvent: False}
    closes = (events.MappingEndEvent, events.SequenceEndEvent)
    for event in found:
        kind = type(event)
        if kind is scalar:
            builder.scalar(event)
        elif kind in opens:
            builder.open(event, mapping=opens[kind])
        elif kind in closes:
            builder.close()
        elif kind is alias:
            builder.alias(event)
        elif kind is events.DocumentStartEvent:
            _start(builder, event, text)


def _start(builder: Builder, event: Any, text: str) -> None:
    from ruamel.yaml.error import FileMark

    builder.documents += 1
    if builder.documents > 1:
        builder.fault(
            Code.E_MULTIDOC,
            "the file holds more than one document",
            event.start_mark,
            expected="one document",
            hint="split it and list the parts under `imports:`",
        )
        raise Refused
    if event.version not in (None, (1, 2)):
        # The event's own mark is that of the `---` below the directive.
        directive = re.search(r"^%YAML", text, re.MULTILINE)
        mark = event.start_mark
        if directive is not None:
            line, column = spot_at(text, directive.start())
            mark = FileMark("", directive.start(), line - 1, column - 1)
        builder.fault(
            Code.E_FORMAT,
            "the file asks for another version of YAML",
            mark,
            found="%YAML " + ".".join(map(str, event.version)),
            expected="YAML 1.2",
            hint="remove the `%YAML` line and quote what only 1.1 reads otherwise",
        )


def _syntax(exc: Any, builder: Builder, text: str) -> Fault:
    """Word a parser's complaint, with the place of what was left open."""
    met, opened = exc.problem_mark or exc.context_mark, exc.context_mark
    message, hint = str(exc.problem or exc.context or "cannot be read"), ""
    rest = text[met.index :] if met is not None else ""
    mark = met
    if opened is not None and exc.context and exc.problem:
        flow = "flow" in exc.context and met.line > opened.line
        if not rest.strip() or flow:
            # What was opened is the mistake; where the parser noticed is only far away.
            if "parsing" in exc.context and builder.innermost() is not None:
                opened = builder.innermost()
            mark, hint = opened, "close what is opened here"
        line, column = builder.spot(opened)
        message = f"{exc.context} that begins at {line}:{column}, {message}"
    if "\\t" in message or rest.startswith("\t"):
        hint = "indent with spaces, not with tabs"
    place = builder.place(mark) if mark is not None else None
    line_rest = rest.split("\n", 1)[0].strip()
    found = first_token(line_rest) if line_rest else "the end of the line or file"
    if met is not None and line_rest and may_be_secret(text, met.index):
        found = ""
    return Fault(
        Code.E_SYNTAX, " ".join(message.split())[:200], (), place, found, hint=hint
    )
