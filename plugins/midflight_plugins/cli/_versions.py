"""Sources that keep versions: how a command names one, reads it and writes one."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs
import click

from midflight import Document, Loaded, hookimpl
from midflight.errors import (
    ConflictError,
    InvalidConfigurationError,
    MidflightError,
    PluginError,
    SourceUnavailableError,
    UnknownOutcomeError,
)
from midflight_plugins.cli._kinds import uri_of
from midflight_plugins.cli._passwords import redacted

if TYPE_CHECKING:
    from midflight import PluginRegistry, Runtime

_REPAIR = "repair it where it is stored, with the tools for that"
_PINNED = re.compile(r"(?P<uri>.+)@(?P<version>\d+)", re.DOTALL)


class MissingVersionError(MidflightError):
    """A source does not keep the version that was asked for."""


class Fixed:
    """A source of what was read already: content, or what is wrong with it.

    Args:
        name: how errors name it.
        content: what `load` returns or raises.
    """

    def __init__(self, name: str, content: Loaded | InvalidConfigurationError) -> None:
        self.name, self._content = name, content

    @hookimpl
    def load(self) -> Loaded:
        """Return the content.

        Raises:
            InvalidConfigurationError: if it is wrong.
        """
        if isinstance(self._content, InvalidConfigurationError):
            raise self._content
        return self._content


def split(uri: str, registry: PluginRegistry) -> tuple[str, int | None]:
    """Split `URI@VERSION`; only a source that keeps versions is read so."""
    found = _PINNED.fullmatch(uri)
    scheme = uri.partition(":")[0]
    if found is None or scheme not in registry.names("source"):
        return uri, None
    factory = registry.load("source", scheme)
    if not hasattr(getattr(factory, "read_version", None), "midflight_impl"):
        return uri, None
    return found["uri"], int(found["version"])


def layer(
    uri: str, registry: PluginRegistry, plugins: Sequence[str] = ()
) -> str | Fixed:
    """Return what `Runtime` takes for a URI, which may name a version.

    Args:
        uri: of a source, or `URI@VERSION`.
        registry: the plugins to find by name.
        plugins: names of cross-cutting plugins to allow.

    Raises:
        MissingVersionError: if that version is not kept.
        MidflightError: if it cannot be read.
    """
    from midflight import Runtime

    source, version = split(uri, registry)
    if version is None:
        return uri
    runtime = Runtime(source, plugins=plugins, registry=registry)
    try:
        content: Loaded | InvalidConfigurationError = read(runtime, source, version)
    except InvalidConfigurationError as exc:
        content = exc
    return Fixed(redacted(uri), content)


def writable(uri: str, plugins: Sequence[str] = ()) -> Runtime:
    """Return a runtime that can ask a source for its versions.

    Args:
        uri: of the source.
        plugins: names of cross-cutting plugins to allow.

    Raises:
        click.UsageError: if the URI names one of them.
    """
    from midflight import Runtime
    from midflight_plugins.cli._given import registry as installed

    registry = installed(plugins)
    source, version = split(uri_of(uri), registry)
    if version is not None:
        msg = f"{redacted(uri)} names one version; leave out `@{version}`"
        raise click.UsageError(msg)
    return Runtime(source, plugins=plugins, registry=registry)


def read(runtime: Runtime, uri: str, version: str | int) -> Loaded:
    """Read one version, its document checked.

    Raises:
        MissingVersionError: if it is not kept.
        MidflightError: if it cannot be read.
    """
    with asking(uri):
        try:
            return runtime.read_version(version)[1]
        except LookupError as exc:
            msg = f"{redacted(uri)} keeps no version {version}"
            error = MissingVersionError(msg)
            error.add_note(f"list them: midflight history {shlex.quote(redacted(uri))}")
            raise error from exc


def stored(
    runtime: Runtime,
    uri: str,
    loaded: Loaded,
    *,
    expected: str | int | None,
    author: str,
    message: str,
) -> tuple[str | int, bool]:
    """Put a document; return its version, and whether that is a new one.

    Raises:
        MidflightError: if it is not stored, or nobody can tell.
    """
    try:
        with asking(uri):
            version = runtime.put(
                document_of(loaded),
                expected_version=expected,
                author=author,
                message=message,
                text=loaded.text,
            )
    except ConflictError as exc:
        if expected is None:
            raise _taken(runtime, uri) from exc
        if isinstance(expected, int):
            base, newest = (
                shlex.quote(redacted(f"{uri}@{expected}")),
                shlex.quote(redacted(uri)),
            )
            exc.add_note(f"see what came since: midflight diff {base} {newest}")
        elif expected == _token(runtime, uri):
            exc.add_note(f"this source takes no token for a version; {_REPAIR}")
        raise
    return version, version != expected


def head(runtime: Runtime) -> str | int | None:
    """Return the version at the head of a source, `None` if there is none yet.

    Where the head cannot be read, since it is wrong or was never put, the history
    tells. If that is silent too, the put will say what is the matter. What has neither
    version nor history is known by the token of what was read.
    """
    token = None
    with contextlib.suppress(InvalidConfigurationError, SourceUnavailableError):
        loaded = runtime.read()[1]
        if loaded.version is not None:
            return loaded.version
        token = loaded.token
    with contextlib.suppress(MidflightError, OSError):
        return next((each.version for each in runtime.history(1)), None)
    return token


def _taken(runtime: Runtime, uri: str) -> ConflictError:
    """Return the refusal of what expected nothing, with the way on.

    What is wrong is not replaced unless its version is named: without a history it
    would be lost.
    """
    name = redacted(uri)
    # Before it is read: what comes in between must not be replaced unseen.
    version = head(runtime)
    version = _token(runtime, uri) if version is None else version
    try:
        runtime.read()
    except InvalidConfigurationError as exc:
        told = (attrs.evolve(f, found="", expected="", hint="") for f in exc.faults[:1])
        what = "".join(f": {fault}" for fault in told)
        error = ConflictError(f"{name}: what is there is no valid configuration{what}")
        way = f"to replace just that: --expect {shlex.quote(str(version))}"
        error.add_note(_REPAIR if version is None else way)
        return error
    except MidflightError:
        pass
    error = ConflictError(f"{name}: there is a version already")
    error.add_note(f"see it: midflight get {shlex.quote(name)}")
    return error


def _token(runtime: Runtime, uri: str) -> str | None:
    """Return the token of what is there now, be it wrong."""
    with contextlib.suppress(MidflightError, OSError):
        source = runtime.source(uri_of(uri))
        token: str | None = source.invoke("hash") if source.has("hash") else None
        return token
    return None


def version_of(word: str) -> str | int:
    """Return a version as its source tells it: digits are a number."""
    return int(word) if word.isascii() and word.isdigit() else word


def document_of(loaded: Loaded) -> Document:
    """Return the document that was loaded, before any plugin changed it."""
    found = loaded.document
    if isinstance(found, Document):
        return found
    return Document.from_mapping(found, loaded.positions)


@contextlib.contextmanager
def asking(uri: str) -> Iterator[None]:
    """Word what may go wrong when a source is asked for its versions.

    Raises:
        SourceUnavailableError: for an error of the system.
    """
    try:
        yield
    except UnknownOutcomeError as exc:
        word, which = shlex.quote(redacted(uri)), exc.write_id
        exc.add_note(
            f"it may be stored or not; find out: midflight db resolve {word} {which}"
            if uri.startswith("database:")
            else f"it may be stored or not; find out: midflight history {word}"
        )
        raise
    except PluginError:
        raise
    except OSError as exc:
        msg = f"{redacted(uri)}: {exc.strerror or exc}"
        raise SourceUnavailableError(msg) from exc
