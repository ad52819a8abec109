"""The source: one key of a ConfigMap or of a Secret, followed by list and watch."""

from __future__ import annotations

import base64
import functools
import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from midflight import Loaded, Runtime, errors, hookimpl
from midflight.following import Following
from midflight_kubernetes._api import METADATA, OBJECT, Api

_ADDRESS = re.compile(r"(configmap|secret)/([a-z0-9-]+)/([a-z0-9.-]+)")


class KubernetesSource:
    """The text of one key; its version is the object's `resourceVersion`.

    It takes `configmap/NAMESPACE/NAME#KEY` or `secret/NAMESPACE/NAME#KEY`, with the
    options of README as `?timeout=2` or by name.
    """

    def __init__(self, url: str, **options: Any) -> None:
        parts = urlsplit(url.removeprefix("kubernetes:"))
        found = _ADDRESS.fullmatch(parts.path)
        if found is None or parts.netloc:
            msg = "write a kubernetes source as kubernetes:configmap/NAMESPACE/NAME#KEY"
            raise ValueError(msg)
        kind, namespace, name = found.groups()
        options = {**dict(parse_qsl(parts.query)), **options}
        self._kind, self._key = kind, unquote(parts.fragment)
        self._format = options.pop("format", "yaml")
        options["events"] = OBJECT if kind == "configmap" else METADATA
        self._newest, self._told = 0, threading.local()
        self._api = Api(f"api/v1/namespaces/{namespace}/{kind}s", name, **options)
        self.name = f"kubernetes:{parts.path}" + (f"#{self._key}" if self._key else "")

    @classmethod
    def from_uri(cls, rest: str) -> KubernetesSource:
        """Make a source of what follows `kubernetes:`."""
        return cls(rest)

    @hookimpl
    def hash(self) -> str:
        """Return the version of the object, without its data."""
        return _token(self._api.read(METADATA)["metadata"])

    @hookimpl
    def load(self, runtime: Runtime) -> Loaded:
        """Read the object.

        Raises:
            SourceUnavailableError: there is no such object or key.
            InvalidConfigurationError: with every fault; it shows nothing of a Secret.
        """
        found, self._told.object = getattr(self._told, "object", None), None
        if self._kind == "secret" or not found or _number(found) <= self._newest:
            found = self._api.read()  # README says when it need not
        self._newest = max(self._newest, _number(found))
        try:
            loaded = runtime.parse(self._chosen(found), self._format, self.name)
        except errors.InvalidConfigurationError as exc:
            if self._kind == "configmap":
                raise
            faults = [attrs.evolve(each, found="") for each in exc.faults]
            raise errors.InvalidConfigurationError(faults) from None
        version = found["metadata"]["resourceVersion"]
        return attrs.evolve(loaded, version=version, token=_token(found["metadata"]))

    @hookimpl
    def watch(self, notify: Callable[[], None]) -> Following:
        """Hint whenever the object may have changed."""
        api = attrs.evolve(self._api, timeout=min(self._api.timeout, 2.0))

        def hint(found: Any) -> None:
            self._told.object = found
            notify()  # where it is busy, another thread reads

        follow = functools.partial(api.follow, notify=hint)
        return Following(self.name, follow, interrupt=api.interrupt, longest=5.0)

    def _chosen(self, found: dict[str, Any]) -> bytes:
        texts, coded = found.get("data") or {}, found.get("binaryData") or {}
        if self._kind == "secret":
            texts, coded = {}, texts
        keys = sorted({*texts, *coded})
        key = self._key or (keys[0] if len(keys) == 1 else "")
        if key in texts:
            return bytes(texts[key].encode())
        if key in coded:
            return base64.b64decode(coded[key])
        named = f"no key `{key}`" if key else "no key, or several: name one after `#`"
        msg = f"{self.name}: there is {named}; it has: {', '.join(keys) or 'none'}"
        raise errors.SourceUnavailableError(msg)


def _token(metadata: dict[str, Any]) -> str:
    return f"{metadata['uid']}/{metadata['resourceVersion']}"  # or it counts anew


def _number(found: dict[str, Any]) -> int:
    version = found["metadata"]["resourceVersion"]  # a number that grows: KEP 5504
    return int(version) if version.isdecimal() else 0
