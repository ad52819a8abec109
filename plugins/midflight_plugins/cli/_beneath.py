"""The admin that a command line asks for, beneath whatever configuration runs."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import attrs

from midflight import Document, ModuleConfig, hookimpl

_NAME = "admin"


class Beneath:
    """Lays the module of `--admin` under each document, so that any layer changes it.

    It is no layer, since what is read is also what is kept as the last good: that
    would bring back an admin that nobody asks for, or know none that somebody does.
    So no layer takes it away either; who does not want it leaves `--admin` out.

    Args:
        address: where it listens, unless a layer says otherwise.
    """

    def __init__(self, address: str) -> None:
        self._alone = _entry({"type": _NAME, "config": {"address": address}})

    @hookimpl(wrapper=True, trylast=True)
    def transform(self) -> Generator[None, Document, Document]:
        """Add the module, or what the document does not say of it."""
        document = yield
        above, entry = document.modules.get(_NAME), self._alone
        if above is not None:
            said = above.as_mapping()
            config = {**entry.config, **above.config}
            entry = _entry({"type": _NAME, **said, "config": config})
        modules = {_NAME: entry, **document.modules} | {_NAME: entry}
        return attrs.evolve(document, modules=modules)


def _entry(said: dict[str, Any]) -> ModuleConfig:
    return Document.from_mapping({"modules": {_NAME: said}}).modules[_NAME]
