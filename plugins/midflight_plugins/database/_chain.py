"""The chain of digests over the history of one key, and what breaks it.

Each row of ours stores the digest of everything up to it, in the order in which rows
were written. Rows that another system wrote have none; the next row of ours takes them
in. The head row stores the newest, so that a cut tail is found. It does not help
against somebody who computes the whole chain anew: keep its newest value elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import attrs

_TRIES = 50  # rows of others that are tried one by one for the one that was added
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen
class Link:
    """One row of history, as far as the chain covers it.

    Args:
        sha: the sha256 of its bytes.
        chain: what it says the chain is, `None` if it was written by others.
    """

    key: str
    version: int
    sha: str
    hash: str
    changed_by: str
    changed_at: datetime | None
    message: str | None = None
    digest: str | None = None
    write_id: str | None = None
    chain: str | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it holds what only we write, whatever became of its chain."""
        return {self.message, self.digest, self.write_id} != {None}


def chained(running: str, link: Link) -> str:
    """Return the chain that ends with `link`, whose own `chain` does not count."""
    at = link.changed_at
    row = (
        link.key,
        link.version,
        link.sha,
        link.hash,
        link.changed_by,
        None if at is None else (at - _EPOCH) // timedelta(microseconds=1),
        link.message,
        link.digest,
        link.write_id,
    )
    text = f"{running}\n{json.dumps(row, separators=(',', ':'))}"
    return hashlib.sha256(text.encode()).hexdigest()


@attrs.frozen
class Finding:
    """One thing that is wrong with a history.

    Args:
        version: the version it is about.
        reason: `altered`, `missing`, `added`, `doubled` or `reordered`.
        text: the same in words.
    """

    version: int
    reason: str
    text: str


@attrs.frozen
class Report:
    """What `verify` found.

    Args:
        findings: what is wrong, in the order of the history.
        unsealed: the versions that others wrote and no row of ours has taken in yet.
        rows: how many rows were looked at.
        chain: the newest value of the chain, to be kept elsewhere; empty if none.
        anchored: whether the anchor is part of the chain, `None` if none was given.
    """

    findings: tuple[Finding, ...]
    unsealed: tuple[int, ...]
    rows: int
    chain: str
    anchored: bool | None

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and self.anchored is not False


class _Verifier:
    """Looks at the rows of one key, in the order in which they were written."""

    def __init__(self, links: list[Link]) -> None:
        self.findings: list[Finding] = []
        self.running = ""
        self.pending: list[Link] = []  # rows of others since the last of ours
        self.chains = {each.chain for each in links if each.chain}
        self.seen: set[int] = set()
        self._newest = links[-1] if links else None
        self._last = 0  # the version before this one
        self._least = [each.version for each in links]  # that is still to come
        for index in range(len(links) - 2, -1, -1):
            self._least[index] = min(self._least[index : index + 2])
        for index, link in enumerate(links):
            self._feed(link, self._least[index])
        self._gaps([each.version for each in self.pending], "its row was taken out")

    def _feed(self, link: Link, least: int) -> None:
        if link.chain is None:
            if link.is_ours:
                text = "its place in the chain was taken away"
                self._find(link.version, "altered", text)
            self.pending.append(link)
            return
        running = self.running
        for each in (*self.pending, link):
            running = chained(running, each)
        if running != link.chain:
            # Where most rows are wrong, why each of them is no longer matters.
            starts = ("", *self.chains) if len(self.findings) < _TRIES else ()
            whole = any(chained(each, link) == link.chain for each in starts)
            self._explain(link, least, whole=whole)
            if whole and link.version <= self._last:
                self.pending.clear()  # go on as if it were not here
                return
        # One fault is told once: what follows is measured by what stands here.
        self.running, self._last = link.chain, link.version
        self.seen.add(link.version)
        self.pending.clear()

    def look_at_head(self, head: Link | None) -> None:
        """Look at the head row, after the last of the history."""
        chain = self.running
        if head is None:
            if self.seen or self.pending:
                self._find(self._last, "missing", "the document itself is gone")
        elif head.chain is None:
            if chain:
                text = "the document was written anew: a cut tail cannot be seen"
                self._find(head.version, "altered", text)
            else:
                self._compare(head)
        elif head.chain in self.chains and head.chain != chain:
            text = "the document was taken back, and its history was not"
            self._find(head.version, "altered", text)
        elif head.chain != chain and head.version in self.seen:
            text = "history and document do not belong together"
            self._find(head.version, "altered", text)
        elif head.chain != chain:
            end = max(head.version, self._last + 1) + 1
            self._miss(self._last + 1, end, "the newest history was cut off")
        else:
            self._compare(head)

    def _compare(self, head: Link) -> None:
        """Look whether the document is what the last row of its history holds."""
        last = self._newest
        if last is None:
            text = "the document was written by others: history does not have it"
            self._find(head.version, "missing", text)
        elif head.sha != last.sha and not self._is_told(last.version):
            text = f"the document was edited by others since version {last.version}"
            if head.sha == head.hash and last.sha != last.hash:
                text = "its bytes are not those of the document"
            self._find(last.version, "altered", text)
        elif head.version != last.version and not self.findings:
            text = f"the document says version {head.version}, its history does not"
            self._find(head.version, "altered", text)

    def _miss(self, first: int, end: int, text: str) -> None:
        """Note the missing versions from `first` up to `end`, many of them as one."""
        each = end if end - first <= _TRIES else first
        for version in range(first, each):
            self._find(version, "missing", text)
        if each < end:
            self._find(first, "missing", f"versions {first} to {end - 1}: {text}")

    def _is_told(self, version: int) -> bool:
        return any(each.version == version for each in self.findings)

    def _find(self, version: int, reason: str, text: str) -> None:
        self.findings.append(Finding(version, reason, text))

    def _explain(self, link: Link, least: int, *, whole: bool) -> None:
        """Name what broke the chain at a row of ours."""
        count, version = len(self.findings), link.version
        versions = [each.version for each in self.pending]
        if whole:
            # The row is as it was; it follows another one than it did.
            if version in self.seen:
                self._find(version, "doubled", "its row stands there twice")
            elif least < version or version < self._last:
                self._find(version, "reordered", "its row stands elsewhere")
            for other in versions:
                self._find(other, "added", "its row was added afterwards")
            if self.findings:
                return
        if (added := self._added(link)) is not None:
            self._find(added, "added", "its row was added afterwards")
            return
        self._gaps([*versions, version], "its row was taken out", at_first=True)
        for each in self.pending:
            if each.sha != each.hash:
                self._find(each.version, "altered", "its bytes are not those it had")
        if len(self.findings) == count:
            words = f"one of the versions {versions[0]} to " if versions else "version "
            self._find(version, "altered", f"{words}{version} is not as it was written")

    def _added(self, link: Link) -> int | None:
        """Return the version of a row of others without which the chain holds."""
        for index, other in enumerate(self.pending[:_TRIES]):
            running = self.running
            for each in (*self.pending[:index], *self.pending[index + 1 :], link):
                running = chained(running, each)
            if running == link.chain:
                return other.version
        return None

    def _gaps(self, versions: list[int], text: str, *, at_first: bool = False) -> None:
        """Name what the numbers of some rows alone tell."""
        last = self._last
        for version in versions:
            if last or at_first:
                self._miss(last + 1, version, text)
            if version <= last:
                reason = "doubled" if version == last else "reordered"
                self._find(version, reason, "its number does not follow")
            last = max(last, version)


def verify(
    links: Iterable[Link], head: Link | None, anchor: str | None = None
) -> Report:
    """Recompute a history's chain and name every row that does not fit.

    Args:
        links: the rows of one key in the order in which they were written.
        head: the head row, `None` if there is none.
        anchor: a value of the chain that was kept elsewhere.
    """
    rows = list(links)
    looked = _Verifier(rows)
    looked.look_at_head(head)
    return Report(
        findings=tuple(looked.findings),
        unsealed=tuple(each.version for each in looked.pending),
        rows=len(rows),
        chain=looked.running,
        anchored=None if anchor is None else anchor in looked.chains,
    )
