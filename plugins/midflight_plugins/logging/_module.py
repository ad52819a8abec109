"""The module type `logging`."""

from __future__ import annotations

import logging
from typing import Any

import attrs

from midflight import Health, hookimpl
from midflight_plugins.logging._config import LoggerConfig, LoggingConfig
from midflight_plugins.logging._handlers import build, retire, shown

STAND_IN = "midflight-default"
"""A handler of this name on the root makes way while a `logging` module runs."""


@attrs.frozen(eq=False)
class Prepared:
    """Handlers by name, ready to take records, and which of them are new."""

    config: LoggingConfig
    handlers: dict[str, logging.Handler]
    fresh: tuple[logging.Handler, ...]


@attrs.frozen
class _Before:
    """What a logger was like before this module touched it."""

    level: int
    propagate: bool


class LoggingModule:
    """Configures the standard library's logging while records flow.

    New handlers are opened before the change; each logger then gets its new handlers
    by one assignment, and the old ones are closed after that, so no record is lost.
    Handlers that others attached stay. When the module stops, all is as it was before.

    Args:
        name: the module's name.
    """

    Config = LoggingConfig

    def __init__(self, name: str) -> None:
        self.name = name
        self._now: Prepared | None = None
        self._ready: Prepared | None = None  # prepared, neither used nor discarded
        self._before: dict[str, _Before] = {}
        self._aside: list[logging.Handler] = []

    @hookimpl
    def prepare(self, config: LoggingConfig) -> Prepared:
        """Open the handlers that are not open yet.

        Raises:
            OSError: a file or socket cannot be opened.
        """
        self._let_go()
        now = self._now
        handlers: dict[str, logging.Handler] = {}
        fresh: list[logging.Handler] = []
        try:
            for name, wanted in config.handlers.items():
                if now is not None and _is_same(now.config, config, name):
                    handlers[name] = now.handlers[name]
                else:
                    handlers[name] = build(wanted, config)
                    fresh.append(handlers[name])
        except BaseException:
            _close(fresh)
            raise
        self._ready = Prepared(config, handlers, tuple(fresh))
        return self._ready

    @hookimpl
    def start(self, prepared: Prepared) -> None:
        """Set the handlers that stand in until now aside, and begin."""
        root = logging.getLogger()
        self._aside = [each for each in root.handlers if each.name == STAND_IN]
        self._swap(prepared)

    @hookimpl
    def reconfigure(self, prepared: Prepared) -> None:
        """Give every logger its new handlers and level."""
        self._swap(prepared)

    @hookimpl
    def discard(self) -> None:
        """Close the handlers that were opened for nothing."""
        self._let_go()

    @hookimpl
    def probe(self) -> Health:
        """Show the levels in force and where records go to."""
        now = self._now  # read once: a change may come meanwhile
        if now is None:
            return Health(healthy=False, detail="not started")
        config = now.config
        names = ["root", *(name for name, _ in config.named_loggers())]
        values = {
            "levels": {name: _level(name) for name in names},
            "handlers": {name: shown(each) for name, each in config.handlers.items()},
            "format": config.format,
        }
        missing = [f"`{name}`" for name in names if not self._attached(name, now)]
        detail = f"handlers were taken off {', '.join(missing)}" if missing else ""
        return Health(not missing, values, detail)

    @hookimpl
    def stop(self) -> None:
        """Put every logger back as it was, and close the handlers."""
        self._let_go()
        now, self._now = self._now, None
        mine = set(now.handlers.values()) if now else set()
        for name in list(self._before):
            self._restore(name, mine)
        root = logging.getLogger()
        root.handlers = [*self._aside, *root.handlers]
        self._aside = []
        for handler in mine:
            retire(handler)

    def _let_go(self) -> None:
        """Close what was opened for a commit that did not come to begin."""
        ready, self._ready = self._ready, None
        _close(ready.fresh if ready else ())

    def _swap(self, new: Prepared) -> None:
        self._ready = None
        old, self._now = self._now, new
        mine = set(old.handlers.values()) if old else set()
        mine.update(self._aside)
        wanted = {"root": new.config.root, **dict(new.config.named_loggers())}
        for name, config in wanted.items():
            self._apply(name, config, new, mine)
        for name in self._before.keys() - wanted.keys():
            self._restore(name, mine)
        for handler in mine.difference(self._aside, new.handlers.values()):
            retire(handler)

    def _apply(
        self, name: str, config: LoggerConfig, new: Prepared, mine: set[Any]
    ) -> None:
        logger = logging.getLogger(None if name == "root" else name)
        before = self._before.setdefault(name, _Before(logger.level, logger.propagate))
        others = [each for each in logger.handlers if each not in mine]
        logger.handlers = [*others, *(new.handlers[each] for each in config.handlers)]
        logger.propagate = (
            before.propagate if config.propagate is None else config.propagate
        )
        logger.setLevel(before.level if config.level is None else config.level)

    def _restore(self, name: str, mine: set[Any]) -> None:
        logger = logging.getLogger(None if name == "root" else name)
        before = self._before.pop(name)
        logger.handlers = [each for each in logger.handlers if each not in mine]
        logger.propagate = before.propagate
        logger.setLevel(before.level)

    def _attached(self, name: str, now: Prepared) -> bool:
        config = (
            now.config.root
            if name == "root"
            else dict(now.config.named_loggers())[name]
        )
        logger = logging.getLogger(None if name == "root" else name)
        return all(now.handlers[each] in logger.handlers for each in config.handlers)


def _is_same(old: LoggingConfig, new: LoggingConfig, name: str) -> bool:
    """Whether a handler can go on as it is."""
    return (
        name in old.handlers
        and old.handlers[name] == new.handlers[name]
        and old.date_format == new.date_format
        and (old.format == new.format or new.handlers[name].format is not None)
    )


def _level(name: str) -> str:
    logger = logging.getLogger(None if name == "root" else name)
    return logging.getLevelName(logger.getEffectiveLevel())


def _close(handlers: Any) -> None:
    for handler in handlers:
        handler.close()
