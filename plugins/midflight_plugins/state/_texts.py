"""A document as bytes, and back: whatever a document can hold, with its types."""

from __future__ import annotations

import datetime
import json
from typing import Any

from midflight import Diff, Document, Secret

_KINDS: dict[str, Any] = {
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "time": datetime.time.fromisoformat,
}
_MARK = "\0"  # in front of a kind; no key of a document can hold it


class Encoder:
    """Writes documents; what it wrote of a module is used again while that stays."""

    def __init__(self) -> None:
        self._before = Document()
        self._texts: dict[str, str] = {}
        # Of the document that was last encoded whole, and which modules are new since:
        self._order: list[str] = []
        self._sections = ""
        self._since: set[str] = set()

    def digest(self, document: Document) -> str:
        """Return a document's digest, by what is known of the one written before."""
        return digest_after(self._before, document)

    def encode(self, document: Document) -> bytes:
        """Return a document as bytes, with its secrets in clear: seal them."""
        self._sections = self._taken(document)
        self._order, self._since = list(document.modules), set()
        modules = ",".join(map(self._texts.__getitem__, self._order))
        return f'{{"modules":[{modules}],"sections":{self._sections}}}'.encode()

    def patch(self, document: Document) -> bytes:
        """Return what makes a document of the one that was last encoded whole."""
        sections, order, texts = self._taken(document), "null", self._texts
        if self._order != (names := list(document.modules)):
            order = _text(names)
        if sections == self._sections:
            sections = "null"
        modules = ",".join(texts[name] for name in sorted(self._since & texts.keys()))
        return (
            f'{{"modules":[{modules}],"order":{order},"sections":{sections}}}'
        ).encode()

    def _taken(self, document: Document) -> str:
        """Have a text of each module; return that of the sections."""
        diff = Diff.between(self._before, document)
        names = (*diff.added, *diff.modified)
        new = {name: _text(document.modules[name].as_mapping()) for name in names}
        sections = _text(dict(document.sections))
        for name in diff.removed:
            del self._texts[name]
        self._texts.update(new)
        self._since.update(new)
        self._before = document
        return sections


def digest_after(before: Document, document: Document) -> str:
    """Return a document's digest, by what is known of the one before."""
    diff = Diff.between(before, document)
    if not (diff.added or diff.removed):
        document.share_digests(before, diff.modified)
    return document.digest


def decode(data: bytes, patch: bytes | None = None) -> Document:
    """Read a document out of bytes.

    Args:
        data: what `Encoder.encode` returned.
        patch: what `Encoder.patch` returned after that, for the document that it was
            given.

    Raises:
        ValueError, KeyError, TypeError: if they hold none.
        InvalidConfigurationError: if it breaks a rule of documents.
    """
    found = json.loads(data, object_hook=_object)
    modules, sections = found["modules"], found["sections"]
    if patch is not None:
        more = json.loads(patch, object_hook=_object)
        named = {each["name"]: each for each in (*modules, *more["modules"])}
        order = more["order"]
        if order is None:
            order = [each["name"] for each in modules]
        modules = [named[name] for name in order]
        sections = sections if more["sections"] is None else more["sections"]
    return Document.from_mapping({**sections, "modules": modules})


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), default=_other)


def _other(value: Any) -> dict[str, Any]:
    if isinstance(value, Secret):
        return {f"{_MARK}secret": [value.reveal(), value.fingerprint]}
    kind = type(value).__name__
    if kind not in _KINDS:
        msg = f"a document cannot hold a {kind}"
        raise TypeError(msg)
    return {f"{_MARK}{kind}": value.isoformat()}


def _object(pairs: dict[str, Any]) -> Any:
    for key, value in pairs.items():
        if key.startswith(_MARK):
            if key[1:] == "secret":
                return Secret(*value)
            return _KINDS[key[1:]](value)
    return pairs
