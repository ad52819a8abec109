"""How `midflight run` logs until a `logging` module takes over."""

from __future__ import annotations

import datetime
import json
import logging

from midflight_plugins.cli._text import printable

_STAND_IN = "midflight-default"
"""A handler of this name makes way while a `logging` module runs."""


class TextFormatter(logging.Formatter):
    """Lines for people: `12:00:01 INFO midflight: generation 2 applied: …`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; control characters of a configuration are written out."""
        return printable(super().format(record), keep="\n\t")


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as an object; times are UTC."""
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        entry = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def configure(form: str, level: str) -> None:
    """Log to standard error."""
    handler = logging.StreamHandler()
    handler.name = _STAND_IN
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
