"""Entity tags of what can be changed, and the conditions that requests put on them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from midflight.errors import Code
from midflight_plugins.api._http import Problem, Request
from midflight_plugins.api._loaded import overrides_layer, raw_in_force

if TYPE_CHECKING:
    from midflight_plugins.api._api import Api

_KEY = os.urandom(32)  # a tag must not tell what it was made of


def etag_of(api: Api, name: str) -> str:
    """Return the tag of a module's configuration, and of what is stored above it.

    Raises:
        SourceUnavailableError: the store of the overrides cannot be read.
    """
    layer = overrides_layer(api.runtime.snapshot)
    tree = layer.participant.target.head().tree if layer else {}
    return module_tag(api.runtime.snapshot, tree, name)


def module_tag(snapshot: Any, tree: Mapping[str, Any], name: str) -> str:
    """Return the tag of a module's configuration.

    Args:
        snapshot: the generation in force.
        tree: what the overrides layer stores.
        name: the module.
    """
    entry = raw_in_force(snapshot).modules.get(name)
    return _tag([entry.digest if entry else "", overrides_of(tree, name)])


def store_tag(version: str | int | None) -> str:
    """Return the tag of the whole overrides layer at a version."""
    return _tag(["store", version])


def overrides_of(tree: Mapping[str, Any], name: str) -> Any:
    """Return what the overrides layer stores for a module, `None` if nothing."""
    modules = tree.get("modules")
    return modules.get(name) if isinstance(modules, Mapping) else None


def _tag(content: Any) -> str:
    data = json.dumps(content, sort_keys=True, default=repr).encode()
    return f'"{hashlib.blake2b(data, key=_KEY, digest_size=16).hexdigest()}"'


def check_match(request: Request, tag: str, *, required: bool) -> None:
    """Refuse a request that is about something else than what is there.

    Args:
        request: may have `If-Match`.
        tag: of what is there.
        required: whether it must have it.

    Raises:
        Problem: 428 if it is missing, 412 if it is another tag.
    """
    given = request.headers.get("if-match")
    if given is None:
        if required:
            detail = (
                "this is overridden already: send `If-Match` with the `ETag` of what "
                "was looked at, or `*` to replace whatever it is"
            )
            raise Problem(428, Code.E_REQUIRED, detail)
        return
    known = [each.strip() for each in given.split(",")]
    if "*" not in known and tag not in known:
        detail = "it has changed since it was looked at; read it again"
        raise Problem(412, Code.E_CONFLICT, detail, headers={"ETag": tag})
