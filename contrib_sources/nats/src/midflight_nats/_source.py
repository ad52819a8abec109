"""The source: one key of a bucket that holds the text of a configuration."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from queue import SimpleQueue
from threading import Event
from typing import Any, Self
from urllib.parse import quote, unquote
from weakref import WeakKeyDictionary

from midflight import Document, Loaded, Runtime, errors, hookimpl
from midflight.following import Following
from midflight.hookspecs import Version
from midflight_nats._address import parsed

_BASE = "Nats-Expected-Last-Subject-Sequence"
_SAID = ("Midflight-Digest", "Midflight-Author", "Midflight-Message")
_NEW: Any = {"deliver_policy": "new", "ordered_consumer": True}
_MARKS = {"KV-Operation", "Nats-Marker-Reason"}  # of what a deletion leaves behind
_TOLD = ContextVar[Any]("told", default=(None, None))  # whom a hint tells what
_NO_MESSAGE, _NO_BUCKET, _CONFLICT = 10037, 10059, {10071, 10164}  # of JetStream


class NatsSource:
    """The text of a key, `nats://user@host:4222#bucket/key`; README has the options."""

    def __init__(self, url: str, **options: Any) -> None:
        own, self._client = parsed(url, options)
        self.name, self._format, self._stream, self._subject, self._timeout = own
        self._watching = WeakKeyDictionary[Any, Any]()  # the client of each loop
        self._newest = 0  # revision that was loaded

    @classmethod
    def from_uri(cls, rest: str) -> Self:
        """Make a source of what follows `nats:`, as in `//127.0.0.1#config/shop`."""
        return cls(f"nats:{rest}")

    @hookimpl
    async def hash(self) -> str:
        """Tell the newest revision; of a bucket made anew the numbers begin again."""
        found, _ = await self._revision()
        return f"{found.version}@{found.at or 0:.3f}"

    @hookimpl
    async def load(self, runtime: Runtime) -> Loaded:
        """Read the newest revision, from the leader or with the hint."""
        whom, told = _TOLD.get()
        if whom is not self or not told or told[0].version <= self._newest:
            told = await self._revision()
        self._newest = max(self._newest, int(told[0].version))
        return self._loaded(told[0], told[1], runtime)

    @hookimpl
    async def watch(self, notify: Callable[[], None]) -> Following:
        """Give a hint for each new connection, and for each revision."""
        hints, loop = SimpleQueue[object](), asyncio.get_running_loop()

        async def pump(ending: Event, over: Event) -> None:
            try:
                async with self._talk(stays=True) as js:
                    new = await js.subscribe(self._subject, stream=self._stream, **_NEW)
                    if ending.is_set():  # its cancellation may be swallowed
                        return
                    hints.put(())
                    async for each in new.messages:
                        it = each.metadata
                        hints.put(_stored(it.sequence.stream, it.timestamp, each))
            finally:
                over.set()

        def follow(ending: Event) -> object:
            task = asyncio.run_coroutine_threadsafe(pump(ending, over := Event()), loop)
            task.add_done_callback(hints.put)
            try:
                while (told := hints.get()) is not task and not ending.is_set():
                    _TOLD.set((self, told))
                    notify()  # where it is busy, another thread reads
                return ending.is_set() or task.result()
            finally:
                task.cancel()
                over.wait(3)  # before the loop is stopped

        return Following(self.name, follow, interrupt=lambda: hints.put(None))

    @hookimpl
    async def put(
        self,
        document: Document,
        expected_version: str | int | None,
        author: str,
        message: str,
        text: str | None,
        runtime: Runtime,
    ) -> int:
        """Store a revision on top of the one it is based on."""
        head, now = await self._revision()
        base = str(expected_version or (head.version if now is None else 0))
        new = text or json.dumps(document.as_mapping(), indent=2, ensure_ascii=False)
        data = new.encode(errors="replace")
        same = data == now or (now and not text and self._means(now, document, runtime))
        if same and base == str(head.version):
            return int(head.version)
        if not self._means(data, document, runtime):
            msg = f"{self.name}: not stored, since it would not be read back as it is"
            raise errors.PluginError(msg)
        said = zip(_SAID, map(quote, (document.digest, author, message)), strict=True)
        headers = {_BASE: base, **dict(said)}
        async with self._talk(sent=document.digest) as js:
            return int((await js.publish(self._subject, data, headers=headers)).seq)

    @hookimpl
    async def history(self, limit: int) -> list[Version]:
        """List the revisions that the bucket keeps, newest first."""
        found: list[Version] = []
        each, data = await self._revision(1)
        while each.version:
            found = found if data is None else [each, *found]
            each, data = await self._revision(int(each.version) + 1)
        return found[:limit]

    @hookimpl
    async def read_version(self, version: str | int, runtime: Runtime) -> Loaded:
        """Read one revision that the bucket keeps."""
        number = min(int(version), 2**63) if str(version).isdecimal() else 0
        found, data = await self._revision(number)
        if data is None or str(found.version) != str(version):
            msg = f"{self.name} keeps no version {version}"
            raise KeyError(msg)
        return self._loaded(found, data, runtime)

    async def _revision(self, since: int = 0) -> tuple[Version, bytes | None]:
        where = {"seq": since, "next": True} if since else {}
        async with self._talk() as js:
            found = await js.get_msg(self._stream, subject=self._subject, **where)
            return _stored(found.seq, found.time, found)
        return Version(0), None  # there is none

    def _loaded(self, found: Version, data: bytes | None, runtime: Runtime) -> Loaded:
        if data is None:
            msg = f"{self.name}: there is no such key; `nats kv put` makes it"
            raise errors.SourceUnavailableError(msg)
        read = runtime.parse(data, self._format, self.name)
        mark = found.version, read.positions, f"{found.version}@{found.at:.3f}"
        return Loaded(read.document, *mark, read.text, author=found.author)

    def _means(self, data: bytes, document: Document, runtime: Runtime) -> bool:
        with contextlib.suppress(errors.InvalidConfigurationError):
            return runtime.parse(data, self._format, self.name).document == document
        return False

    @contextlib.asynccontextmanager
    async def _talk(self, *, stays: bool = False, sent: str = "") -> AsyncIterator[Any]:
        import nats.aio.client

        loop, limit = asyncio.get_running_loop(), None if stays else self._timeout
        errs: list[Exception] = []  # why no server is available

        async def note(exc: Exception) -> None:
            errs[:] = [exc]

        try:
            async with asyncio.timeout(limit), contextlib.AsyncExitStack() as stack:
                link = None if stays else self._watching.get(loop)
                if link is None:
                    stack.push_async_callback((link := nats.aio.client.Client()).close)
                    task = loop.create_task(link.connect(error_cb=note, **self._client))
                    stack.push_async_callback(asyncio.wait, {task}, timeout=2)
                    stack.callback(lambda: loop.call_later(1, task.cancel))  # not now
                    await asyncio.shield(task)
                if stays:
                    self._watching[loop] = link
                    stack.callback(self._watching.pop, loop, None)
                patience = self._timeout if sent else min(self._timeout, 1.0)  # README
                yield link.jetstream(timeout=patience)
        except (nats.errors.Error, OSError) as exc:
            if (code := getattr(exc, "err_code", None)) in _CONFLICT:
                msg = f"{self.name}: it is another one by now; read it again"
                raise errors.ConflictError(msg) from None
            if sent and isinstance(exc, OSError):  # timeouts are such
                raise errors.UnknownOutcomeError(self.name, sent) from None
            if code != _NO_MESSAGE:
                said = dict.fromkeys(str(each) or repr(each) for each in (exc, *errs))
                text = errors.masked(": ".join(said), [self._client["token"]])
                more = "; `nats kv add` makes the bucket" if code == _NO_BUCKET else ""
                msg = f"{self.name}: {errors.plain(text)}{more}"
                raise errors.SourceUnavailableError(msg) from None


def _stored(number: int, at: Any, found: Any) -> tuple[Version, bytes | None]:
    headers = found.headers or {}
    digest, author, why = (unquote(headers.get(name, "")) for name in _SAID)
    version = Version(number, digest, author, why, at.timestamp())
    return version, None if _MARKS & headers.keys() else found.data or b""
