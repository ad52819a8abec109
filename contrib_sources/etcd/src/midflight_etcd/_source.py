"""The source: one key of etcd, followed, and written by compare-and-swap."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

import attrs

from midflight import Document, Fault, Loaded, Place, Runtime, errors, hookimpl
from midflight.following import Following
from midflight_etcd._gateway import EtcdError, Gateway

_HOST = r"(?:[\w.-]+|\[[\w:.%]+\])(?::\d+)?"
_URL = rf"(?:etcd:)?//(?:([^/?#]*)@)?({_HOST}(?:,{_HOST})*)/?(?:\?([^@#]*))?#([^@#]+)"


class EtcdSource:
    """The text of a key, `etcd://user@host:2379#/key`; README has the options."""

    def __init__(self, url: str, **options: Any) -> None:
        if not (found := re.fullmatch(_URL, url.strip())):  # which may hold a password
            msg = "an etcd source is written as etcd://host:2379#/path/of/key, with "
            raise ValueError(msg + "`#`, `/`, `?`, `@` of a password percent-encoded")
        login, hosts, query, key = found.groups("")
        user, _, password = map(unquote, login.partition(":"))
        named = {"user": user, "password": password, **dict(parse_qsl(query))}
        self._format = (options := named | options).pop("format", "yaml")
        self._etcd = Gateway(hosts.split(","), **options)
        self._key, user = unquote(key).encode(), self._etcd.user
        self._newest, self._told = 0, threading.local()
        self.name = f"etcd://{user and f'{user}@'}{hosts}#{key}"

    @classmethod
    def from_uri(cls, rest: str) -> EtcdSource:
        """Make a source of what follows `etcd:`."""
        return cls(rest)

    @hookimpl
    def hash(self) -> str:
        """Return revision and a digest: a cluster that was made anew counts anew."""
        return self._read()[2]

    @hookimpl
    def load(self, runtime: Runtime) -> Loaded:
        """Read the key."""
        data, version, token = self._read()
        if not version:
            msg = f"{self.name}: there is no such key; `etcdctl put` makes it"
            raise errors.SourceUnavailableError(msg)
        loaded = runtime.parse(data, self._format, self.name)
        return attrs.evolve(loaded, version=version, token=token)

    @hookimpl
    def watch(self, notify: Callable[[], None]) -> Following:
        """Hint once a watch stands, for what happened before, and at each event."""
        request = {"create_request": {"key": self._key}}
        etcd = attrs.evolve(self._etcd, timeout=min(self._etcd.timeout, 2.0))

        def follow(ending: threading.Event) -> None:
            while not ending.wait(0.1):
                with contextlib.closing(etcd.answers("watch", request)) as answers:
                    for answer in answers:
                        if ending.is_set():  # before this stream could be ended
                            return
                        event = (answer["result"].get("events") or [{}])[-1]
                        self._told.pair = None if "type" in event else event.get("kv")
                        notify()  # where it is busy, another thread reads

        return Following(self.name, follow, interrupt=etcd.interrupt, longest=5.0)

    @hookimpl
    def put(
        self, document: Document, expected_version: Any, text: Any, runtime: Runtime
    ) -> int:
        """Swap the text if the key has that revision; author and message are lost."""
        head, base, token = self._read()
        if str(expected_version or 0) in {str(base), token}:
            data = self._written(document, (text, head), runtime)
            if data == head:
                return base
            is_base = {"key": self._key, "target": "MOD", "mod_revision": base}
            change = {"request_put": {"key": self._key, "value": data}}
            try:
                swap = {"compare": [is_base], "success": [change]}
                answer = next(self._etcd.answers("kv/txn", swap))
            except EtcdError as exc:
                lost = errors.UnknownOutcomeError(self.name, f"on revision {base}")
                raise (lost if exc.is_lost else exc) from None
            if answer.get("succeeded"):
                return int(answer["header"]["revision"])
        msg = f"{self.name}: revision {expected_version} is not the head; read it again"
        raise errors.ConflictError(msg)

    def _read(self) -> tuple[bytes, int, str]:  # revision 0 if there is no key; token
        found, self._told.pair = getattr(self._told, "pair", None), None
        if not found or int(found["mod_revision"]) <= self._newest:  # README says why
            answer = next(self._etcd.answers("kv/range", {"key": self._key}))
            (found,) = answer.get("kvs", [{}])
        data, version = b64decode(found.get("value", "")), found.get("mod_revision", 0)
        self._newest = max(self._newest, int(version))
        return data, int(version), f"{version}/{hashlib.sha256(data).hexdigest()[:32]}"

    def _written(self, document: Document, texts: Any, runtime: Runtime) -> bytes:
        """Return what means the document: its author's text, what is there, or JSON."""
        new = json.dumps(document.as_mapping(), indent=2, ensure_ascii=False) + "\n"
        for each in filter(None, (*texts, new)):
            data = each if isinstance(each, bytes) else each.encode(errors="replace")
            with contextlib.suppress(errors.InvalidConfigurationError):
                if runtime.parse(data, self._format, self.name).document == document:
                    return bytes(data)
        msg = f"the document cannot be written as {self._format} and read back"
        fault = Fault(errors.Code.E_VALUE, msg, place=Place(self.name))
        raise errors.InvalidConfigurationError(fault)
