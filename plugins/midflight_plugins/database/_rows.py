"""Rows as values, and the queries that fetch them."""

from __future__ import annotations

import functools
import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from midflight_plugins.database._chain import Link
from midflight_plugins.database._tables import documents, history, sha256, token

AUTHOR, MESSAGE = 255, 4000  # characters that are kept


@attrs.frozen
class Row:
    """One stored version.

    Args:
        token: what `tokens` says of it while it is the head; empty for an old version.
        at: when it was written, seconds since 1970, `None` if unknown.
        is_sealed: whether it is a row of ours in history.
    """

    key: str
    data: bytes
    hash: str
    version: int
    token: str = ""
    author: str = ""
    at: float | None = None
    message: str = ""
    digest: str = ""
    write_id: str = ""
    is_sealed: bool = False


@attrs.frozen
class Write:
    """What is to be put, and under which name it can be found again."""

    key: str
    data: bytes
    expected: str | int | None
    author: str
    message: str
    digest: str
    same: Callable[[bytes], bool] | None = None
    id: str = attrs.field(factory=lambda: uuid.uuid4().hex)

    @property
    def sha(self) -> str:
        """The sha256 of the bytes, in hex."""
        return hashlib.sha256(self.data).hexdigest()

    def link(self, version: int, now: datetime) -> Link:
        """Return the row of history that this becomes."""
        sha, who, why = self.sha, self.author, self.message
        return Link(self.key, version, sha, sha, who, now, why, self.digest, self.id)


def kept(text: str, limit: int) -> str:
    """Return what is kept of a text: what every database can hold."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text
    )[:limit]


def joined(version: int, hash: str, mark: str) -> str:  # noqa: A002  # the column's name
    """Return the token of a head."""
    return f"{version}|{hash}|{mark}"


def seconds(at: datetime | None) -> float | None:
    """Return a point in time as seconds since 1970."""
    return None if at is None else at.timestamp()


def old(row: Any) -> Row:
    """Return a row of history as a value; the original's lacks some columns."""
    more = row._mapping  # noqa: SLF001  # the public name of a row's columns
    return Row(
        row.key,
        more.get("data") or b"",
        row.hash,
        row.version,
        author=row.changed_by,
        at=seconds(row.changed_at),
        message=more.get("message") or "",
        digest=more.get("digest") or "",
        write_id=more.get("write_id") or "",
        is_sealed=more.get("chain") is not None,
    )


def columns(link: Link, chain: str) -> dict[str, Any]:
    """Return the columns of history that a link and its chain fill."""
    values = attrs.asdict(attrs.evolve(link, chain=chain))
    del values["sha"]
    return values


def to_link(row: Any) -> Link:
    """Return a row of `links` as the chain sees it."""
    return Link(
        row.key,
        row.version,
        row.sha,
        row.hash,
        row.changed_by,
        row.changed_at,
        row.message,
        row.digest,
        row.write_id,
        row.chain,
    )


def top(row: Any) -> Row:
    """Return a row of `heads` as a value; what was edited since has no author."""
    is_kept = row.kept == row.sha
    author, digest = (row.changed_by, row.digest) if is_kept else ("", "")
    at, data = seconds(row.updated_at), b""
    return Row(
        *(row.key, data, row.hash, row.version),
        author=author,
        at=at,
        digest=digest or "",
    )


def head_link(key: str, row: Any) -> Link:
    """Return a row of `head_of` as the chain sees it."""
    return Link(key, row.version, row.sha, row.hash, "", None, chain=row.chain)


# Queries that are asked often are made once: making one costs more than asking it.
_KEY = sa.bindparam("key", type_=sa.Text)


@functools.cache
def read_head(backend: str) -> sa.Select[Any]:
    """Select the head of `:key`, with its bytes and what its token is made of."""
    c = documents.c
    columns = (c.data, c.hash, c.version, c.updated_at, c.created_by)
    return sa.select(*columns, token(backend).label("mark")).where(c.key == _KEY)


@functools.cache
def read_tokens(backend: str) -> sa.Select[Any]:
    """Select what the tokens of all `:keys` are made of."""
    c = documents.c
    query = sa.select(c.key, c.version, c.hash, token(backend).label("mark"))
    return query.where(c.key.in_(sa.bindparam("keys", expanding=True)))


@functools.cache
def head_of(backend: str, *, lock: bool = False) -> sa.Select[Any]:
    """Select what a write needs to know of the head of `:key`, without the bytes."""
    c = documents.c
    sha = sha256(c.data, backend).label("sha")
    query = sa.select(c.version, c.hash, sha, c.digest, c.chain).where(c.key == _KEY)
    return query.with_for_update() if lock and backend != "sqlite" else query


@functools.cache
def links(backend: str) -> sa.Select[Any]:
    """Select the history of `:key` as the chain sees it, in the order of writing.

    That is the order of `id`: it is given out under the lock of the head row, and goes
    on where a document was deleted and begins again at version 1.
    """
    c = history.c
    sha = sha256(c.data, backend).label("sha")
    names = [f.name for f in attrs.fields(Link) if f.name != "sha"]
    query = sa.select(sha, *(c[name] for name in names))
    return query.where(c.key == _KEY).order_by(c.id)


@functools.cache
def _tail(backend: str) -> sa.Select[Any]:
    c = history.c
    ours = sa.select(c.id).where(c.key == _KEY, c.chain.is_not(None))
    last = ours.order_by(c.id.desc()).limit(1).scalar_subquery()
    newest = sa.select(sa.func.max(c.version)).where(c.key == _KEY).scalar_subquery()
    query = links(backend).add_columns(newest.label("newest"))
    return query.where(c.id >= sa.func.coalesce(last, 0))


def tail(connection: Connection, key: str, backend: str) -> tuple[int, list[Link]]:
    """Return the greatest version in history, and the rows from the last of ours on."""
    rows = connection.execute(_tail(backend), {"key": key}).all()
    return (rows[0].newest if rows else 0), [to_link(row) for row in rows]


@functools.cache
def heads(backend: str, *, with_ours: bool) -> sa.Select[Any]:
    """Select the head of every key, with what history says of its version."""
    d, c = documents.c, history.c
    sha = sha256(d.data, backend).label("sha")
    digest = c.digest if with_ours else sa.literal("")
    query = sa.select(
        *(d.key, d.hash, d.version, d.updated_at, sha),
        *(c.hash.label("kept"), c.changed_by, digest.label("digest")),
    )
    same = (c.key == d.key) & (c.version == d.version)
    return query.outerjoin_from(documents, history, same).order_by(d.key, c.id)


def versions(key: str, *, with_ours: bool) -> sa.Select[Any]:
    """Select the versions of a key, without the bytes; perhaps with our columns."""
    c = history.c
    chosen: list[Any] = [c.key, c.hash, c.version, c.changed_at, c.changed_by]
    ours = [c.message, c.digest, c.write_id, c.chain] if with_ours else []
    query = sa.select(*chosen, *ours).where(c.key == key)
    return query.order_by(c.version.desc(), c.id.desc())
