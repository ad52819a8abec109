"""The source: one object of a bucket that holds the text of a configuration."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote

import attrs

from midflight import Document, Fault, Loaded, Place, Runtime, errors, hookimpl
from midflight.following import Following
from midflight.hookspecs import Version
from midflight_s3._bucket import Bucket, MissingError

_NOTES = "digest", "author", "message"
_Found = tuple[Mapping[str, Any], bytes]  # what S3 says of an object, and its text


class S3Source(Bucket):
    """The text of one object; its version is the version id, or else the ETag."""

    @classmethod
    def from_uri(cls, rest: str) -> Self:
        """Make a source of what follows `s3:`, as in `//bucket/shop.yaml?region=…`."""
        if not (found := re.fullmatch(r"//([\w.-]+)/([^?#]+)(\?[^#]*)?", rest)):
            msg = "write s3://bucket/key (`#` as %23), no credentials: boto3 finds them"
            raise ValueError(msg)
        bucket, key, query = found.groups("")
        return cls(bucket, unquote(key), **dict[str, Any](parse_qsl(query[1:])))

    @hookimpl
    def hash(self) -> str:
        """Return the version, by a request without the text."""
        return _version(self.ask("head_object"))

    @hookimpl
    def load(self, runtime: Runtime) -> Loaded:
        """Read the object, by one request."""
        return self._loaded(self._read(), runtime)

    @hookimpl
    def watch(self, notify: Callable[[], None]) -> Following:
        """Call `notify` when a look finds another token."""

        def follow(ending: threading.Event) -> None:
            known = ""
            while not ending.is_set():
                if known != (known := self.hash()):
                    notify()
                ending.wait(self.poll * random.SystemRandom().uniform(0.75, 1.25))

        return Following(self.name, follow, longest=self.poll)

    @hookimpl
    def put(
        self,
        document: Document,
        expected_version: str | int | None,
        author: str,
        message: str,
        text: str | None,
        runtime: Runtime,
    ) -> str:
        """Replace the object, if it still is the one of that version."""
        head, now = None, None
        with contextlib.suppress(MissingError):
            head, now = self._read()
        if (head and _version(head)) != expected_version:
            msg = f"{self.name}: it is not {expected_version} any more; read it again"
            raise errors.ConflictError(msg)
        data = self._written(document, text, now, runtime)
        if head and data == now:
            return _version(head)
        texts = document.digest, quote(author)[:500], quote(message)[:1200]
        more = {"Body": data, "Metadata": dict(zip(_NOTES, texts, strict=True))}
        more |= {"IfMatch": head["ETag"]} if head else {"IfNoneMatch": "*"}
        return _version(self.ask("put_object", uuid.uuid4().hex, **more))

    @hookimpl
    def history(self, limit: int) -> list[Version]:
        """Return the newest versions that the bucket keeps, newest first."""
        with self.talking():
            pages = self.client.get_paginator("list_object_versions")
            listed = pages.paginate(Bucket=self.bucket, Prefix=self.key)
            found = (each for page in listed for each in page.get("Versions", ()))
            mine = itertools.takewhile(lambda each: each["Key"] == self.key, found)
            return [self._described(each) for each in itertools.islice(mine, limit)]

    @hookimpl
    def read_version(self, version: str | int, runtime: Runtime) -> Loaded:
        """Read one version that is kept, or raise `KeyError`."""
        for which in ({"VersionId": str(version)}, {}):  # or an ETag: that of the head?
            with contextlib.suppress(MissingError):  # perhaps of a deletion
                found = self._read(**which)
                if which or _version(found[0]) == version:
                    return self._loaded(found, runtime)
        raise KeyError(version)

    @hookimpl
    def stop(self) -> None:
        """Close the connections that nobody uses; the next call opens another."""
        if self._made[0] == os.getpid():
            self.client.close()

    def _read(self, **which: str) -> _Found:
        answer = self.ask("get_object", **which)
        with self.talking(), contextlib.closing(answer["Body"]) as body:
            if answer["ContentLength"] <= self.max_size:
                return answer, body.read()
        msg = f"{self.name}: it is larger than `max_size`, {self.max_size:.0f} bytes"
        raise errors.SourceUnavailableError(msg)

    def _loaded(self, found: _Found, runtime: Runtime) -> Loaded:
        text = runtime.parse(found[1], self.format, self.name)
        mark, by = _version(found[0]), unquote(found[0]["Metadata"].get("author", ""))
        return attrs.evolve(text, version=mark, token=mark, author=by)

    def _described(self, listed: Mapping[str, Any]) -> Version:
        kept = {k: listed[k] for k in ("VersionId",) if listed[k] != "null"}
        notes = self.ask("head_object", **kept)["Metadata"]
        digest, author, message = (unquote(notes.get(each, "")) for each in _NOTES)
        at = listed["LastModified"].timestamp()
        return Version(_version(listed), digest, author, message, at)

    def _written(
        self, document: Document, text: str | None, now: bytes | None, runtime: Runtime
    ) -> bytes:
        new = json.dumps(document.as_mapping(), indent=2, ensure_ascii=False)
        for data in ((text or "").encode(errors="replace"), now or b"", new.encode()):
            with contextlib.suppress(errors.InvalidConfigurationError):
                found = runtime.parse(data, self.format, self.name).document
                if isinstance(found, Document) and found.digest == document.digest:
                    return data
        msg = f"the document cannot be written as {self.format} and read back"
        fault = Fault(errors.Code.E_VALUE, msg, place=Place(self.name))
        raise errors.InvalidConfigurationError(fault)


def _version(answer: Mapping[str, Any]) -> str:
    kept = answer.get("VersionId", "null")
    return str(answer["ETag"].strip('"') if kept == "null" else kept)
