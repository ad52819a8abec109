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

    def encode(self, document: Document) -> bytes:
        """Return a document as bytes, with its secrets in clear: seal them."""
        diff, texts = Diff.between(self._before, document), self._texts
        names = (*diff.added, *diff.modified)
        new = {name: _text(document.modules[name].as_mapping()) for name in names}
        for name in diff.removed:
            del texts[name]
        texts.update(new)
        self._before = document
        modules = ",".join(map(texts.__getitem__, document.modules))
        sections = _text(dict(document.sections))
        return f'{{"modules":[{modules}],"sections":{sections}}}'.encode()


def decode(data: bytes) -> Document:
    """Read a document out of bytes.

    Raises:
        ValueError, KeyError, TypeError: if they hold none.
        InvalidConfigurationError: if it breaks a rule of documents.
    """
    found = json.loads(data, object_hook=_object)
    return Document.from_mapping({**found["sections"], "modules": found["modules"]})


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
