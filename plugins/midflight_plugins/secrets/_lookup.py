"""What references stand for, each looked up once in one transform."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import attrs

from midflight_plugins.secrets._grammar import Reference
from midflight_plugins.secrets._resolvers import (
    Resolver,
    Resolvers,
    UnresolvedError,
    resolved,
)

if TYPE_CHECKING:
    from midflight import Runtime


@attrs.frozen
class Found:
    """What a reference stands for.

    Args:
        text: the value; `None` for an unset variable, or where `problem` says why.
        problem: why it could not be resolved.
        token: that of the resolver, taken before it resolved.
    """

    text: str | None = attrs.field(default=None, repr=False)
    problem: UnresolvedError | None = attrs.field(default=None, eq=False)
    token: str = ""


class Lookup:
    """Finds values; one that is the same as the last time is the same object.

    Args:
        resolvers: by scheme.
        runtime: which resolvers may ask for.
        before: what the last transform found.
    """

    def __init__(
        self, resolvers: Resolvers, runtime: Runtime, before: Mapping[Reference, Found]
    ) -> None:
        self._resolvers, self._runtime, self._before = resolvers, runtime, before
        self.found: dict[Reference, Found] = {}

    def find(self, reference: Reference) -> Found:
        """Return what a reference stands for."""
        found = self.found.get(reference)
        if found is None:
            last = self._before.get(reference)
            found = self._find(reference, last)
            same = found == last and found.problem is None
            self.found[reference] = found = last if same and last else found
        return found

    def _find(self, reference: Reference, last: Found | None) -> Found:
        name, token = reference.rest, ""
        if not reference.scheme:
            value = os.environ.get(name)
            return Found(
                value if value or reference.default is None else reference.default
            )
        try:
            resolver = self._resolvers.get(reference.scheme, self._runtime)
            token = token_of(resolver, name)
            if token and last and last.problem is None and last.token == token:
                return last
            return Found(resolved(resolver, name), token=token)
        except UnresolvedError as exc:
            return Found(problem=exc, token=token)


def token_of(resolver: Resolver, rest: str) -> str:
    """Return a resolver's token; empty if it has none to tell."""
    try:
        if resolver.token is not None:
            return str(resolver.token(rest))
        files = resolver.paths(rest) if resolver.paths is not None else ()
        return ";".join(map(_identity, files))
    except (Exception, SystemExit):  # noqa: BLE001  # to resolve will tell what is wrong
        return ""


def _identity(path: str) -> str:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return f"{path} missing"
    return f"{path} {status.st_ino} {status.st_size} {status.st_mtime_ns}"


def inputs(
    uses: Mapping[Reference, Found], resolvers: Resolvers, runtime: Runtime, key: bytes
) -> str:
    """Return a token of what references stand for now."""
    code = hashlib.blake2b(key=key, digest_size=16)
    for reference in sorted(uses, key=str):
        try:
            token = os.environ.get(reference.rest, "\0")
            if reference.scheme:
                resolver = resolvers.get(reference.scheme, runtime)
                token = token_of(resolver, reference.rest)
        except UnresolvedError as exc:
            token = str(exc)
        code.update(f"{reference}\0{token}\0".encode(errors="surrogateescape"))
    return code.hexdigest()


def watched(
    uses: Mapping[Reference, Found], resolvers: Resolvers, runtime: Runtime
) -> Iterator[str]:
    """Yield the files behind references, as absolute paths."""
    for reference in uses:
        with contextlib.suppress(Exception):  # what is wrong was told when it resolved
            resolver = resolvers.get(reference.scheme, runtime)
            if reference.scheme and resolver.paths is not None:
                yield from map(os.path.abspath, resolver.paths(reference.rest))
