"""Building handlers: a closed set of kinds, so that data never becomes code."""

from __future__ import annotations

import logging
import logging.handlers
import sys

from midflight_plugins.logging._config import (
    AnyHandler,
    ConsoleHandler,
    FileHandler,
    LoggingConfig,
    RotatingHandler,
)


def build(config: AnyHandler, whole: LoggingConfig) -> logging.Handler:
    """Make a handler; files and sockets are opened here.

    Raises:
        OSError: the file or socket cannot be opened.
    """
    handler = _bare(config)
    handler.setLevel(logging.NOTSET if config.level is None else config.level)
    formatter = logging.Formatter(config.format or whole.format, whole.date_format)
    handler.setFormatter(formatter)
    return handler


def retire(handler: logging.Handler) -> None:
    """Close a handler that no logger has any more.

    A thread that fetched the old list of handlers may still bring a record. The
    standard library then opens the file once more and leaves it open; here the record
    is written and the file closed again.
    """
    emit = handler.emit

    def emit_late(record: logging.LogRecord) -> None:
        emit(record)
        handler.close()

    handler.acquire()
    try:
        handler.emit = emit_late  # type: ignore[method-assign]  # of this object only
        handler.close()
    finally:
        handler.release()


def shown(config: AnyHandler) -> str:
    """Say in a few words where a handler writes to."""
    if isinstance(config, ConsoleHandler):
        return config.stream
    if isinstance(config, FileHandler | RotatingHandler):
        return f"{config.kind} {config.path}"
    return f"syslog {config.address}"


def _bare(config: AnyHandler) -> logging.Handler:
    if isinstance(config, ConsoleHandler):
        return logging.StreamHandler(getattr(sys, config.stream))
    if isinstance(config, FileHandler):
        return logging.handlers.WatchedFileHandler(config.path, encoding="utf-8")
    if isinstance(config, RotatingHandler):
        return logging.handlers.RotatingFileHandler(
            config.path,
            maxBytes=config.max_bytes,
            backupCount=config.backups,
            encoding="utf-8",
        )
    host, _, port = config.address.rpartition(":")
    return logging.handlers.SysLogHandler(
        (host, int(port)) if host else config.address, config.facility
    )
