"""Finds configurations that were in force: remembered, or as a plugin has kept them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midflight import Document, Loaded
from midflight.errors import Code, MidflightError
from midflight_plugins.api._events import Events
from midflight_plugins.api._http import Problem
from midflight_plugins.api._kept import InForce, below_of
from midflight_plugins.api._loaded import overrides_layer, raw_document
from midflight_plugins.api._preview import laid, transformed

if TYPE_CHECKING:
    from midflight import Runtime
    from midflight_plugins.api._api import Api


def of_generation(api: Api, number: int) -> InForce:
    """Return a generation.

    Raises:
        Problem: 404 if there never was one, 410 if it is not kept.
    """
    found = api.kept.generation(number)
    if found is not None:
        return found
    installs = Events.of(api.runtime).installs()
    digests = {each["generation"]: each["digest"] for each in installs}
    newest = api.runtime.snapshot.generation
    if not 0 < number <= newest:
        detail = f"there was no generation {number}; the newest is {newest}"
        raise Problem(404, Code.E_UNKNOWN, detail)
    if number not in digests:
        problem = gone(f"generation {number}")
        raise problem
    return of_digest(api, digests[number])


def of_digest(api: Api, digest: str) -> InForce:
    """Return a configuration by its digest.

    Raises:
        Problem: 410 if it is not kept.
    """
    found = api.kept.digest(digest)
    return found or InForce(0, digest, raw=_restored(api.runtime, digest))


def raw_of(runtime: Runtime, was: InForce) -> Document:
    """Return what was read for a configuration, before any `transform`.

    Raises:
        Problem: 410 if it is not kept.
    """
    if was.raw is not None:
        return was.raw
    top = overrides_layer(runtime.snapshot)
    if top is not None and was.held is not None and is_above_the_same(runtime, was):
        return raw_document(laid(runtime, top, Loaded(was.held)))
    return _restored(runtime, was.digest)


def is_above_the_same(runtime: Runtime, was: InForce) -> bool:
    """Tell whether all layers but the overrides hold what they held then."""
    return was.held is not None and was.below == below_of(runtime.snapshot)


def document_of(api: Api, digest: str) -> Document:
    """Return a configuration as modules got it.

    Raises:
        Problem: 410 if it is not kept, or a plugin makes another one of it by now.
    """
    snapshot = api.runtime.snapshot
    if snapshot.digest == digest:
        return snapshot.document
    was = of_digest(api, digest)
    if was.document is not None:
        return was.document
    try:
        found = transformed(api.runtime, raw_of(api.runtime, was))
    except MidflightError:
        found = Document()
    if found.digest != digest:
        problem = gone(_named(digest))
        raise problem
    return found


def gone(what: str) -> Problem:
    """Return the answer to who asks for what is not kept any more."""
    return Problem(410, Code.E_UNKNOWN, f"{what} is not kept")


def _restored(runtime: Runtime, digest: str) -> Document:
    restored: Loaded | None = runtime.hook.restore(digest=digest, runtime=runtime)
    if restored is None:
        problem = gone(_named(digest))
        raise problem
    return raw_document(restored)


def _named(digest: str) -> str:
    return f"the configuration with digest {digest[:12]}"
