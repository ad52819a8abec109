"""Where the events of a YAML text come from: ruamel.yaml's C parser, or its own.

The C parser (the extra `fast`) reads YAML 1.1, and here and there it takes what the
other refuses, or the other way round. It is asked only about texts that both read
alike, and believed only if it has nothing to complain of: `clear` and `from_c` say
when. What they turn away, and every fault, is read by ruamel.yaml's own parser.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import types
from collections.abc import Iterator
from typing import Any

_ODD = ("\t", "\x85", "\u2028", "\u2029", "\ufeff")
_LINES = ("\n%", "\n---", "\n...")  # directives, and further documents
# A block that begins empty, or with what may be a comment.
_BLOCK = re.compile(r"[|>][-+0-9]*[ ]*(?:#|\r?\n[ ]*\r?\n)")
_NAME = re.compile(r"(?<![0-9A-Za-z_])[&*][0-9A-Za-z_-]+[:?%@`]")  # of an anchor
_NOTE = "(?:#[^\t\r\n\x85\u2028\u2029\ufeff]*)?\r?\n"
_OPENING = re.compile(f"(?:[ ]*{_NOTE})*---(?:[ ]+|(?=\r?\n)){_NOTE}")
_DIRECTIVE = re.compile("(?:^|[\r\n\ufeff])%")
_INNER = re.compile(r"(?<=[0-9A-Za-z_./-])[:?](?=[0-9A-Za-z_/])")
_MASKS = {":": "\ue000", "?": "\ue001"}
_UNMASKED = {ord(mask): plain for plain, mask in _MASKS.items()}
# A mask that the text itself holds, or gives by an escape.
_TAKEN = re.compile(r"[\ue000\ue001]|\\(?:u|U0000)[Ee]00[01]")
# Of ruamel.yaml: those that `_steady` was compared with. It uses what is private there.
_KNOWN = ((0, 19, 0), (0, 19, 1))
# What a parser wants to know of its user; `False` keeps it from leaving itself here.
_LOADER = types.SimpleNamespace(comment_handling=None, _parser=False)


class DoubtError(Exception):
    """The C parser may have read this text in another way."""


def clear(text: str) -> bool:
    """Tell whether nothing in a text is known to be read in two ways."""
    opening = _OPENING.match(text)
    body = "\n" + (text[opening.end() :] if opening else text)
    return not (
        any(odd in body for odd in _ODD)
        or any(line in body for line in _LINES)
        or ("\r" in body and body.count("\r") != body.count("\r\n"))
        or (("|" in body or ">" in body) and _BLOCK.search(body))
        or (("&" in body or "*" in body) and _NAME.search(body))
    )


def enabled() -> bool:
    """Tell whether the C parser may be used; an environment variable turns it off."""
    return os.environ.get("MIDFLIGHT_YAML", "") != "pure"


@functools.cache
def c_parser() -> Any:
    """Return the class of the C parser, or `None` if it is not installed."""
    try:
        found = importlib.import_module("ruamel.yaml.cyaml").CParser
    except (ImportError, AttributeError):
        return None
    # There is another build of it, with which nothing was compared.
    known = found.__module__ == "ruamel.yaml.clib._ruamel_yaml"
    return found if known else None


def from_c(text: str) -> Iterator[Any]:
    """Return the events that the C parser finds.

    Raises:
        DoubtError: the other parser may find something else.
    """
    from ruamel.yaml.events import MappingStartEvent, ScalarEvent, SequenceStartEvent

    shown = _masked(text)
    masks = shown is not text
    get = c_parser()(shown).get_event
    while (event := get()) is not None:
        kind = type(event)
        if kind is ScalarEvent or kind is SequenceStartEvent:
            if event.ctag is not None:
                raise DoubtError
            if masks and kind is ScalarEvent and not event.value.isascii():
                event.value = event.value.translate(_UNMASKED)
        elif kind is MappingStartEvent and (
            event.ctag is not None
            # One pair in a list, `["a":1]`, without a brace.
            or (event.flow_style and text[event.end_mark.index - 1] != "{")
        ):
            raise DoubtError
        yield event


def _masked(text: str) -> str:
    """Hide what the C parser refuses inside of braces, as in `[http://a:80/?b=1]`."""
    if not ("[" in text or "{" in text) or _TAKEN.search(text):
        return text
    return _INNER.sub(lambda found: _MASKS[found[0]], text)


@functools.cache
def reader() -> Any:
    """Return ruamel.yaml's class, which looks for no plugins of its own on the disk.

    It would at each parse, and that takes longer than a module of a few lines.
    """
    from ruamel.yaml import YAML

    class Reader(YAML):
        def official_plug_ins(self) -> list[str]:
            return []

    return Reader


def from_python(text: str) -> Iterator[Any]:
    """Return the events that ruamel.yaml's own parser finds."""
    from ruamel.yaml import version_info

    if version_info not in _KNOWN or _DIRECTIVE.search(text):
        return iter(reader()(typ="safe", pure=True).parse(text))
    return _steady(text)


def _steady(text: str) -> Iterator[Any]:
    read, scan, parse = _classes()
    parser = parse(scan(read(text)))
    while parser.check_event():
        yield parser.get_event()


@functools.cache
def _classes() -> tuple[Any, Any, Any]:
    """Return ruamel.yaml's reader, scanner and parser, joined for one text of YAML 1.2.

    They ask each other for one another, and for the version of YAML, some ten times for
    each token; that is a third of the time. Here they have it at hand.
    """
    from ruamel.yaml.error import FileMark
    from ruamel.yaml.parser import Parser
    from ruamel.yaml.reader import Reader
    from ruamel.yaml.scanner import Scanner

    class QuickReader(Reader):
        def forward(self, length: int = 1) -> None:
            end = self.pointer + length
            passed = self.buffer[self.pointer : end]
            if "\n" in passed or "\r" in passed or "\ufeff" in passed:
                super().forward(length)
                return
            self.pointer = end
            self.index += length
            self.column += length

        def get_mark(self) -> Any:
            return FileMark("", self.index, self.line, self.column)

    class QuickScanner(Scanner):
        reader: Any = None
        scanner_processing_version = (1, 2)

        def __init__(self, reader: Any) -> None:
            self.reader = reader
            super().__init__(None)

        def need_more_tokens(self) -> bool:
            if self.done or not self.tokens or not self.possible_simple_keys:
                return not self.done and not self.tokens
            return bool(super().need_more_tokens())

        def check_token(self, *choices: Any) -> bool:
            while self.need_more_tokens():
                self.fetch_more_tokens()
            found = self.tokens
            return bool(found) and (not choices or isinstance(found[0], choices))

    class QuickParser(Parser):
        scanner: Any = None
        resolver = types.SimpleNamespace(processing_version=(1, 2))

        def __init__(self, scanner: Any) -> None:
            self.scanner = scanner
            super().__init__(_LOADER)

    return QuickReader, QuickScanner, QuickParser
