"""Requests and answers, without a server: who asks what, and what he may."""

from __future__ import annotations

import fnmatch
import http
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from midflight.errors import Code

NOTHING: Mapping[str, str] = {}


@attrs.frozen
class Caller:
    """Who asks, and what he may.

    Args:
        name: for the history and the journal, such as `alice` or `token ci`.
        scopes: `read`, `write:<glob of module names>`, `rollback`, `admin`; `admin` is
            all of them, and each of the others is `read` as well.
        names_others: whether he is believed who else asks; he owns the process.
    """

    name: str
    scopes: tuple[str, ...] = ()
    names_others: bool = False

    def may(self, scope: str, module: str = "*") -> bool:
        """Tell whether he may.

        Args:
            scope: such as `write`.
            module: with which one; `*` for all that there can be, and what is none.
        """
        if "admin" in self.scopes or (scope == "read" and self.scopes):
            return True
        if scope != "write":
            return scope in self.scopes
        globs = (each.partition(":") for each in self.scopes)
        return any(
            word == "write"
            and (glob == "*" or (module != "*" and fnmatch.fnmatchcase(module, glob)))
            for word, _, glob in globs
        )


@attrs.frozen
class Request:
    """What is asked.

    Args:
        caller: who asks.
        params: what the path names, such as `name`.
        query: what follows its `?`; of one that is given twice, the last.
        headers: by name in lower case.
        body: as it came.
    """

    caller: Caller
    params: Mapping[str, str] = NOTHING
    query: Mapping[str, str] = NOTHING
    headers: Mapping[str, str] = NOTHING
    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen
class Answer:
    """What is answered.

    Args:
        content: plain data, written as JSON.
        status: of HTTP.
        headers: further ones.
        kind: the media type.
    """

    content: Any
    status: int = 200
    headers: Mapping[str, str] = NOTHING
    kind: str = "application/json"


class Problem(Exception):  # noqa: N818  # what RFC 9457 calls it
    """An answer that is not what was asked for.

    Args:
        status: of HTTP.
        code: the stable error code.
        detail: what is wrong and what to do; nothing that is secret.
        headers: further ones, such as `Retry-After`.
        faults: what is wrong, as data, if it is more than one thing.
        more: further members of the answer.
    """

    def __init__(
        self,
        status: int,
        code: Code,
        detail: str,
        *,
        headers: Mapping[str, str] = NOTHING,
        faults: Sequence[Mapping[str, Any]] = (),
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.faults, self.more = headers, faults, more or {}

    def answer(self) -> Answer:
        """Return it as `application/problem+json`."""
        content = {
            "type": "about:blank",
            "title": http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": str(self.code),
            "detail": self.detail,
            **({"faults": list(self.faults)} if self.faults else {}),
            **self.more,
        }
        kind = "application/problem+json"
        return Answer(content, self.status, self.headers, kind)
