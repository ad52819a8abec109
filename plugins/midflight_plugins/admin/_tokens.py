"""Who has a token, and what it lets him do: a file that only its owner reads."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from midflight.errors import MidflightError
from midflight_plugins.api import Caller

NAME = "admin-tokens.json"
_TOKEN = re.compile(r"mf_(?P<id>[0-9a-f]{8})_(?P<secret>[A-Za-z0-9_-]{43})")
_SCOPE = re.compile(r"read|rollback|admin|write:\S{1,64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")
_NOBODY = "0" * 64  # the digest of no secret that anybody knows
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@attrs.frozen
class Token:
    """One token, without its secret.

    Args:
        id: the part of it that is no secret.
        name: of whom or what it is for.
        scopes: what it lets do.
        sha256: of its secret, in hexadecimal.
        created: seconds since 1970.
        expires: seconds since 1970; `None` for never.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    sha256: str = attrs.field(repr=False)
    created: float
    expires: float | None = None

    def is_valid(self, now: float) -> bool:
        """Tell whether it has not expired."""
        return self.expires is None or now < self.expires


@attrs.define(eq=False)
class Tokens:
    """The tokens of a file, read again when it changes; safe from any thread.

    Args:
        path: the file.
    """

    path: Path
    _seen: object = attrs.field(default=None, init=False, repr=False)
    _known: Mapping[str, Token] = attrs.field(factory=dict, init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def identify(self, text: str) -> Caller | None:
        """Return who has a token, or `None`, after the same time for all who have none.

        A file that cannot be read lets nobody in.
        """
        found = _TOKEN.fullmatch(text)
        try:
            token = self._current().get(found["id"]) if found else None
        except (OSError, MidflightError):
            token = None
        digest = hashlib.sha256((found["secret"] if found else "").encode()).hexdigest()
        is_same = hmac.compare_digest(token.sha256 if token else _NOBODY, digest)
        if token is None or not is_same or not token.is_valid(time.time()):
            return None
        return Caller(f"token {token.name}", token.scopes)

    def list(self) -> tuple[Token, ...]:
        """Return every token, oldest first.

        Raises:
            OSError: the file cannot be read.
            MidflightError: it is none of ours, or others may write it.
        """
        return tuple(sorted(self._current().values(), key=lambda each: each.created))

    def create(
        self, name: str, scopes: tuple[str, ...], seconds: float | None = None
    ) -> str:
        """Make a token and return it: nobody can show it again.

        Args:
            name: of whom or what it is for; no other token has it.
            scopes: what it lets do.
            seconds: after which it expires; by default never.

        Raises:
            ValueError: the name or a scope is none, or another token has the name.
            OSError: the file cannot be written.
            MidflightError: it is none of ours, or others may write it.
        """
        check(name, scopes)
        id_, secret, now = secrets.token_hex(4), secrets.token_urlsafe(32), time.time()
        sha256 = hashlib.sha256(secret.encode()).hexdigest()
        ends = None if seconds is None else now + seconds
        with self._changing() as known:
            if any(each.name == name for each in known.values()):
                msg = f"there is a token `{name}` already; revoke it first"
                raise ValueError(msg)
            known[id_] = Token(id_, name, scopes, sha256, now, ends)
        return f"mf_{id_}_{secret}"

    def revoke(self, name: str) -> None:
        """Take a token away, by its name or its id, at once.

        Raises:
            KeyError: there is no such token.
            OSError: the file cannot be written.
            MidflightError: it is none of ours, or others may write it.
        """
        with self._changing() as known:
            gone = [each.id for each in known.values() if name in {each.name, each.id}]
            for id_ in gone:
                del known[id_]
            if not gone:
                raise KeyError(name)

    def _current(self) -> Mapping[str, Token]:
        with self._lock:
            mark = _mark(self.path)
            if mark != self._seen:
                self._known, self._seen = _read(self.path), mark
            return self._known

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Token]]:
        """Hold the file for one change, which is written if nothing is raised."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(self.path.with_name(f".{self.path.name}.lock"), flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = dict(_read(self.path)) if self.path.exists() else {}
            yield known
            rows = [attrs.asdict(each) for each in known.values()]
            write(self.path, json.dumps({"tokens": rows}, indent=1) + "\n")
        finally:
            os.close(lock)


def check(name: str, scopes: tuple[str, ...]) -> None:
    """Refuse what no token can have.

    Raises:
        ValueError: the name or a scope is none.
    """
    if not _NAME.fullmatch(name):
        msg = f"{name!r} is no name: letters, digits and . _ @ -, at most 63"
        raise ValueError(msg)
    wrong = [each for each in scopes if not _SCOPE.fullmatch(each)]
    if wrong or not scopes:
        shown = repr(wrong[0]) if wrong else "nothing"
        msg = f"{shown} is no scope: read, write:GLOB, rollback or admin"
        raise ValueError(msg)


def write(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    with tempfile.NamedTemporaryFile(  # is made with mode 0600
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _mark(path: Path) -> object:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _read(path: Path) -> dict[str, Token]:
    """Read a file that nobody else may write."""
    with path.open(encoding="utf-8") as file:
        status = os.fstat(file.fileno())
        others = status.st_uid not in {0, os.geteuid()}
        if others or status.st_mode & _OTHERS_WRITE:
            msg = f"{path} can be written by others; run: chmod 600 {path}"
            raise MidflightError(msg)
        try:
            tokens = [_token(**row) for row in json.load(file)["tokens"]]
            return {each.id: each for each in tokens}
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            msg = f"{path} is no file of tokens; `midflight token` writes one"
            raise MidflightError(msg) from exc


def _token(*, sha256: str, expires: float | None, **row: Any) -> Token:
    """Take a row of the file; one that nobody can have is refused as a whole."""
    scopes = tuple(row.pop("scopes"))
    check(row["name"], scopes)
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(sha256)
    ends = None if expires is None else float(expires)
    return Token(scopes=scopes, sha256=sha256, expires=ends, **row)
