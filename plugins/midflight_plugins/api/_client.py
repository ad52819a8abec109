"""Asks a running service, over a socket of the file system or over TCP.

Nothing but the standard library: who asks need not have what serves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from midflight import Fault, Place
from midflight.errors import Code, MidflightError, Path, SourceUnavailableError, plain
from midflight_plugins.api._http import NOTHING, Answer
from midflight_plugins.api._paths import keys_of

if TYPE_CHECKING:
    from midflight_plugins.api._wire import Reply

CONTROL = "control.sock"
_BASE = "/api/v1/"
_LOOK = 10.0  # s for an answer that needs no work
_WORK = 300.0  # s for one that waits for modules
_DETAIL = 1_000  # characters that are kept of what an answer says


class AnswerError(MidflightError):
    """A service does not do what it was asked.

    Args:
        status: of HTTP.
        code: what kind of refusal; one that is not known here counts as `E_STEP`.
        detail: what is wrong and what to do.
        faults: what is wrong with a configuration, place by place.
        outcome: how the attempt to apply it ended, such as `rolled_back`, if there was
            one.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        faults: tuple[Fault, ...] = (),
        outcome: str = "",
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.faults = status, detail, faults
        self.outcome = outcome
        self.code = _code(code)


class Client:
    """Asks one service; each question has a connection of its own.

    Redirects are not followed, and proxies of the environment are not used.

    Args:
        url: `http://127.0.0.1:8900`, `https://host/prefix` or `unix:/path/to.sock`.
        token: who asks; empty where the socket itself tells.
        ca_file: certificates to trust instead of the system's.

    Raises:
        ValueError: the URL is none of these, or would show the token to the network.
    """

    def __init__(self, url: str, token: str = "", ca_file: str | None = None) -> None:
        from midflight_plugins.api._target import is_here, target_of

        self._target = target_of(url)
        if token and self._target.scheme == "http" and not is_here(self._target):
            msg = f"a token goes to another host by https:// only, not to {url}"
            raise ValueError(msg)
        self.url, self._ca_file = url, ca_file
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    @classmethod
    def of(cls, state_dir: str | os.PathLike[str]) -> Client:
        """Return one that asks the service of a state directory, as its owner."""
        path = os.path.join(os.path.abspath(state_dir), CONTROL)  # noqa: PTH100, PTH118  # a `Path` keeps `..`
        return cls(f"unix:{path}")

    @classmethod
    def beside(cls, state_dir: str | os.PathLike[str]) -> Client | None:
        """Return the same, `None` if no service has left a socket there."""
        found = os.path.exists(os.path.join(state_dir, CONTROL))  # noqa: PTH110, PTH118  # no heavier import for it
        return cls.of(state_dir) if found else None

    @classmethod
    def at(
        cls,
        url: str,
        *,
        token_file: str | None = None,
        ca_file: str | None = None,
        state_dir: str | None = None,
    ) -> Client:
        """Return one that asks the service of a URL, with the token that is found.

        Args:
            url: where it is.
            token_file: holds the token; without it, `$MIDFLIGHT_TOKEN`, and for a
                service of this host the first token in its state directory.
            ca_file: certificates to trust instead of the system's.
            state_dir: where a service of this host keeps its state.

        Raises:
            ValueError: the URL is none, or the token or its file cannot be used.
        """
        from midflight_plugins.api._target import is_here, read_token, target_of

        own = state_dir if is_here(target_of(url)) else None
        return cls(url, read_token(token_file, own), ca_file)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] = NOTHING,
        patience: float | None = None,
    ) -> Answer:
        """Ask, and return the answer; names of its headers are in lower case.

        Args:
            method: of HTTP.
            path: below `/api/v1/`, such as `status`; names in it are quoted already.
            body: sent as JSON; nothing is sent for `None`.
            query: parameters; those that are `None` are left out.
            headers: further ones, such as `If-Match`.
            patience: seconds without a byte; by default enough for what is asked.

        Raises:
            AnswerError: the service does not do it.
            SourceUnavailableError: no service answers there, or it is none of ours.
        """
        import urllib.parse

        from midflight_plugins.api._wire import SilentError, exchange

        given = {name: each for name, each in (query or {}).items() if each is not None}
        where = f"{self._target.prefix}{_BASE}{path}"
        where += f"?{urllib.parse.urlencode(given)}" if given else ""
        content = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if content is not None else {}
        try:
            reply = exchange(
                self._target,
                (method, where, content, {**self._headers, **kind, **headers}),
                patience or (_LOOK if method == "GET" else _WORK),
                self._ca_file,
            )
            return _answer(reply)
        except SilentError as exc:
            msg = f"{self.url}: no answer: {exc}"
            raise SourceUnavailableError(msg) from exc.__cause__


def _answer(reply: Reply) -> Answer:
    if reply.status >= HTTPStatus.BAD_REQUEST:
        raise _refusal(reply)
    return Answer(reply.content, reply.status, reply.headers, reply.kind)


def _refusal(reply: Reply) -> AnswerError:
    told = reply.content if isinstance(reply.content, Mapping) else {}
    detail = told.get("detail") or told.get("title") or reply.reason
    listed = told.get("faults")
    rows = listed if isinstance(listed, list) else ()
    faults = tuple(fault_of(row) for row in rows if isinstance(row, Mapping))
    shown = plain(str(detail), _DETAIL)
    outcome = str(told.get("outcome") or "")
    error = AnswerError(reply.status, str(told.get("code")), shown, faults, outcome)
    notes = told.get("notes")
    for note in notes if isinstance(notes, list) else ():
        error.add_note(plain(str(note), _DETAIL))
    return error


def fault_of(told: Mapping[str, Any]) -> Fault:
    """Return a fault of what an answer says of it."""
    place = None
    if told.get("file"):
        where = told["file"], told.get("line"), told.get("column")
        place = Place(*where, told.get("layer") or "")
    texts = (str(told.get(key) or "") for key in ("found", "expected", "hint"))
    path = _path(str(told["path"])) if told.get("path") else ()
    message = str(told.get("message", ""))
    return Fault(_code(told.get("code")), message, path, place, *texts)


def _path(text: str) -> Path:
    try:
        return keys_of(text)
    except ValueError:  # of another release
        return (text,)


def _code(name: object) -> Code:
    return Code.__members__.get(str(name), Code.E_STEP)
