"""What an operator may set for a `logging` module."""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Mapping
from typing import Any, Literal

import attrs
from attrs import validators

LevelName = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Level = LevelName | int

DEFAULT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def _is_format(_instance: Any, _attribute: Any, value: str | None) -> None:
    """Refuse a format that a plain record cannot fill."""
    if value is None:
        return
    try:
        logging.Formatter(value).format(logging.makeLogRecord({}))
    except KeyError as exc:
        msg = f"log records have no field {exc}"
        raise ValueError(msg) from exc


@attrs.frozen(kw_only=True)
class Handler:
    """What every kind of handler takes.

    Args:
        level: records below it are not written; all are by default.
        format: a `%`-style format; by default that of the module.
    """

    level: Level | None = None
    format: str | None = attrs.field(default=None, validator=_is_format)


@attrs.frozen(kw_only=True)
class ConsoleHandler(Handler):
    """Writes to standard error or standard output."""

    kind: Literal["console"] = "console"
    stream: Literal["stderr", "stdout"] = "stderr"


@attrs.frozen(kw_only=True)
class FileHandler(Handler):
    """Appends to a file, in UTF-8; a file that was moved away is begun anew."""

    kind: Literal["file"] = "file"
    path: str = attrs.field(validator=validators.min_len(1))


@attrs.frozen(kw_only=True)
class RotatingHandler(Handler):
    """Appends to a file of at most `max_bytes`, and keeps `backups` older ones."""

    kind: Literal["rotating"] = "rotating"
    path: str = attrs.field(validator=validators.min_len(1))
    max_bytes: int = attrs.field(default=10_000_000, validator=validators.ge(1))
    backups: int = attrs.field(default=5, validator=validators.ge(1))


@attrs.frozen(kw_only=True)
class SyslogHandler(Handler):
    """Sends to syslog, at a socket's path or at `host:port` by UDP."""

    kind: Literal["syslog"] = "syslog"
    address: str = attrs.field(
        default="/dev/log", validator=validators.matches_re(r"/.+|[^/:]+:\d{1,5}")
    )
    facility: str = attrs.field(
        default="user",
        validator=validators.in_(logging.handlers.SysLogHandler.facility_names),
    )


AnyHandler = ConsoleHandler | FileHandler | RotatingHandler | SyslogHandler


@attrs.frozen(kw_only=True)
class LoggerConfig:
    """Settings of one logger by name; what is not set stays as it is.

    Args:
        level: its level; by default that of its parent.
        handlers: names of handlers that take this logger's records.
        propagate: whether its records go to its parents' handlers too.
    """

    level: Level | None = None
    handlers: tuple[str, ...] = ()
    propagate: bool | None = None


@attrs.frozen(kw_only=True)
class LoggingConfig:
    """Settings of a `logging` module.

    Args:
        level: the root logger's level.
        format: a `%`-style format for every handler that has none of its own.
        date_format: how `asctime` is written, for `time.strftime`.
        handlers: handlers by name; one to standard error by default. A handler takes
            the records of the loggers that name it; if none does, those of the root.
        loggers: a level, or more settings, by the name of a logger.
    """

    level: Level = "INFO"
    format: str = attrs.field(default=DEFAULT_FORMAT, validator=_is_format)
    date_format: str | None = None
    handlers: Mapping[str, AnyHandler] = attrs.field(
        factory=lambda: {"console": ConsoleHandler()}
    )
    loggers: Mapping[str, Level | LoggerConfig] = attrs.field(factory=dict)

    @loggers.validator
    def _name_handlers(self, _attribute: Any, value: Mapping[str, Any]) -> None:
        """Refuse a second root, and a handler which is not there."""
        if "root" in value:
            msg = "the root logger's level is the module's own `level`"
            raise ValueError(msg)
        for name, logger in self.named_loggers(value):
            for handler in logger.handlers:
                if handler not in self.handlers:
                    msg = (
                        f"logger `{name}` names handler `{handler}`, which is not there"
                    )
                    raise ValueError(msg)

    def named_loggers(
        self, loggers: Mapping[str, Level | LoggerConfig] | None = None
    ) -> list[tuple[str, LoggerConfig]]:
        """Return the loggers other than the root, a bare level written out."""
        items = (self.loggers if loggers is None else loggers).items()
        return [
            (name, each if isinstance(each, LoggerConfig) else LoggerConfig(level=each))
            for name, each in items
        ]

    @property
    def root(self) -> LoggerConfig:
        """The root's level, and the handlers that no other logger names."""
        named = {
            handler for _, each in self.named_loggers() for handler in each.handlers
        }
        rest = tuple(name for name in self.handlers if name not in named)
        return LoggerConfig(level=self.level, handlers=rest)
