"""What a runtime does beside following its source: parse, and keep versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from midflight._document import Document
from midflight._driver import drive_here
from midflight._engine import Engine
from midflight._plugins import Participant, create
from midflight._reading import document_of
from midflight._registry import PluginRegistry
from midflight._reloader import Reloader
from midflight.errors import (
    Code,
    Fault,
    InvalidConfigurationError,
    Place,
    PluginApiError,
    PluginError,
)
from midflight.hookspecs import Loaded, Version

Source = str | object  # a mapping is a `type` and its options


class Stored:
    """The part of `Runtime` that serves sources and those who write to them."""

    _engine: Engine
    _reloader: Reloader
    notes: dict[str, str]
    registry: PluginRegistry

    def source(self, source: Source | Sequence[Source], name: str = "") -> Participant:
        """Make a source, such as one that is a layer of another.

        Args:
            source: a URI, a mapping of a `type` and its options, a source object, or a
                list of them.
            name: how errors name it; by default, as it names itself.

        Raises:
            PluginError: if there is none of that type, or its hooks are wrong.
        """
        hooks, load = self._engine.hooks, self.registry.load
        while isinstance(source, list | tuple):  # a list of one is what it holds
            layers = {"type": "composite", "layers": list(source)}
            source = source[0] if len(source) == 1 else layers
        label = type(source).__name__
        if isinstance(source, str):
            label, colon, rest = source.partition(":")
            if not colon:
                msg = f"source `{source}` is no URI; write `file:{source}` for a file"
                raise PluginError(msg)
            make = getattr(load("source", label), "from_uri", None)
            if make is None:
                msg = f"source `{label}` has no classmethod `from_uri(rest)`"
                raise PluginApiError(msg)
            source = create(make, f"source `{label}`", rest)
        elif isinstance(source, Mapping):
            options = {str(key): value for key, value in source.items()}
            label = str(options.pop("type", ""))
            source = create(load("source", label), f"source `{label}`", **options)
        label = f"source `{name or getattr(source, 'name', None) or label}`"
        return hooks.participant("source", source, label, self._engine.deadline)

    def schema(self, type_name: str) -> Mapping[str, Any] | None:
        """Return the JSON Schema of what a module type takes, if it says so.

        Raises:
            PluginError: if there is no such type, or it cannot be imported.
        """
        kind = drive_here(self._engine.kind(type_name))
        if kind.config is None:
            return None
        return cast(
            "Mapping[str, Any] | None",
            self._engine.hooks.hook.json_schema(type=kind.config, runtime=self),
        )

    def parse(self, data: bytes, format: str, name: str) -> Loaded:  # noqa: A002  # the hook's name
        """Read a document out of bytes that a source fetched.

        Args:
            data: the whole text.
            format: `yaml`, `json`, `toml`, or what else a plugin reads.
            name: what errors call it.

        Raises:
            InvalidConfigurationError: with every fault, each with its place.
        """
        loaded: Loaded | None = self._engine.hooks.hook.parse(
            data=data, format=format, name=name, runtime=self
        )
        if loaded is None:
            raise InvalidConfigurationError(
                Fault(
                    Code.E_FORMAT,
                    f"no installed plugin reads the format `{format}`",
                    place=Place(name),
                )
            )
        return loaded

    def put(
        self,
        document: Document,
        *,
        expected_version: str | int | None,
        author: str = "",
        message: str = "",
        text: str | None = None,
    ) -> str | int:
        """Store a new version of the source's configuration.

        Args:
            document: what is stored, whole.
            expected_version: the version it is based on, `None` if there is none yet.
            author: who puts it.
            message: why.
            text: what the author wrote, if it means just that document.

        Returns:
            The new version, or that of the head if it is equal.

        Raises:
            ConflictError: if `expected_version` is not the head.
            UnknownOutcomeError: if nobody can tell whether it was stored.
            PluginError: if the source cannot be written.
        """
        return cast(
            "str | int",
            self._ask(
                "put",
                document=document,
                expected_version=expected_version,
                author=author,
                message=message,
                text=text,
            ),
        )

    def history(self, limit: int = 20) -> list[Version]:
        """Return the newest stored versions of the source, newest first.

        Raises:
            PluginError: if the source keeps none.
        """
        return list(self._ask("history", limit=limit))

    def read_version(self, version: str | int) -> tuple[Document, Loaded]:
        """Read one stored version of the source, without any `transform`.

        Raises:
            KeyError: if it is not kept.
            PluginError: if the source keeps none.
        """
        return document_of(self._ask("read_version", version=version))

    def _ask(self, hook: str, **arguments: Any) -> Any:
        """Call a hook that a source need not have, on this thread."""
        source = self._reloader.attempts.source
        if not source.has(hook):
            msg = f"{source.label} keeps no versions: it has no hook `{hook}`"
            raise PluginError(msg)
        return source.invoke(hook, **arguments)
