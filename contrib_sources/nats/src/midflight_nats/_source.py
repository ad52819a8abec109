"""The source: one key of a bucket that holds the text of a configuration."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from queue import SimpleQueue
from typing import Any, Self
from urllib.parse import quote, unquote
from weakref import WeakKeyDictionary

from midflight import Document, Loaded, Runtime, errors, hookimpl
from midflight.following import Following
from midflight.hookspecs import Version
from midflight_nats._address import parsed

_BASE = "Nats-Expected-Last-Subject-Sequence"
_SAID = ("Midflight-Digest", "Midflight-Author", "Midflight-Message")
_MARKS = {"KV-Operation", "Nats-Marker-Reason"}  # of what a deletion leaves behind
_NO_MESSAGE, _NO_BUCKET, _CONFLICT = 10037, 10059, {10071, 10164}  # of JetStream


class NatsSource:
    """The text of one key, as `nats kv put config shop "$(cat app.yaml)"` stores it.

    Args:
        url: `nats://user@host:4222#bucket/key`; commas between servers of a cluster;
            `${NAME}` and `${file:/path}` stand for a variable and a file's first line.
        options: as in the query of `url`: `timeout` in seconds (5), `format` (`yaml`,
            `json`, `toml`), `password`, also a token, `credentials`, a file of `nsc`.
    """

    def __init__(self, url: str, **options: Any) -> None:
        own, self._client = parsed(url, options)
        self.name, self._format, self._stream, self._subject, self._timeout = own
        self._watching = WeakKeyDictionary[Any, Any]()  # the client of each loop

    @classmethod
    def from_uri(cls, rest: str) -> Self:
        """Make a source of what follows `nats:`, as in `//127.0.0.1#config/shop`."""
        return cls(f"nats:{rest}")

    @hookimpl
    async def hash(self) -> str:
        """Tell the newest revision; of a bucket made anew the numbers begin again."""
        found, _ = await self._revision()
        return f"{found.version}@{found.at}"

    @hookimpl
    async def load(self, runtime: Runtime) -> Loaded:
        """Read the newest revision, from the leader of the bucket."""
        return self._loaded(*await self._revision(), runtime)

    @hookimpl
    async def watch(self, notify: Callable[[], None]) -> Following:
        """Give a hint for each new connection, and for each revision."""
        news: dict[str, Any] = {"stream": self._stream, "deliver_policy": "new"}
        news |= {"ordered_consumer": True, "headers_only": True}
        hints, loop = SimpleQueue[object](), asyncio.get_running_loop()

        async def pump(ended: threading.Event) -> None:
            try:
                async with self._talk(stays=True) as js:
                    hints.put(found := await js.subscribe(self._subject, **news))
                    async for message in found.messages:
                        hints.put(message)
            finally:
                ended.set()

        def follow(ending: threading.Event) -> object:
            ended = threading.Event()
            task = asyncio.run_coroutine_threadsafe(pump(ended), loop)
            task.add_done_callback(hints.put)
            try:
                while hints.get() is not task and not ending.is_set():
                    notify()
                return ending.is_set() or task.result()
            finally:
                task.cancel()
                ended.wait(1)  # before the loop is stopped

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
        is_new = expected_version is None and now is None
        base = str(head.version if is_new else expected_version or 0)
        new = text or json.dumps(document.as_mapping(), indent=2, ensure_ascii=False)
        data = new.encode(errors="replace")
        same = data == now or (now and not text and self._means(now, document, runtime))
        if same and base == str(head.version):
            return int(head.version)
        if not self._means(data, document, runtime):
            msg = f"{self.name}: not stored, since it would not be read back as it is"
            raise errors.PluginError(msg)
        said = map(quote, (document.digest, author, message))
        headers = {_BASE: base, **dict(zip(_SAID, said, strict=True))}
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
        number = int(version) if str(version).isdecimal() else 0
        found, data = await self._revision(number)
        if str(found.version) != str(version):
            msg = f"{self.name} keeps no version {version}"
            raise KeyError(msg)
        return self._loaded(found, data, runtime)

    async def _revision(self, since: int = 0) -> tuple[Version, bytes | None]:
        """Return the newest revision, or the first since a number; 0 if none is."""
        where = {"seq": since, "next": True} if since else {}
        async with self._talk() as js:
            found = await js.get_msg(self._stream, subject=self._subject, **where)
            headers = found.headers or {}
            digest, author, why = (unquote(headers.get(name, "")) for name in _SAID)
            version = Version(found.seq, digest, author, why, found.time.timestamp())
            return version, None if _MARKS & headers.keys() else found.data or b""
        return Version(0), None

    def _loaded(self, found: Version, data: bytes | None, runtime: Runtime) -> Loaded:
        if data is None:
            msg = f"{self.name}: there is no such key; `nats kv put` makes it"
            raise errors.SourceUnavailableError(msg)
        read = runtime.parse(data, self._format, self.name)
        mark = found.version, read.positions, f"{found.version}@{found.at}"
        return Loaded(read.document, *mark, read.text, author=found.author)

    def _means(self, data: bytes, document: Document, runtime: Runtime) -> bool:
        with contextlib.suppress(errors.InvalidConfigurationError):
            found = runtime.parse(data, self._format, self.name).document
            return bool(getattr(found, "digest", "") == document.digest)
        return False

    @contextlib.asynccontextmanager
    async def _talk(self, *, stays: bool = False, sent: str = "") -> AsyncIterator[Any]:
        """Give what talks to JetStream; say in our words what it raises."""
        from nats.aio.client import Client
        from nats.errors import Error

        loop, limit = asyncio.get_running_loop(), None if stays else self._timeout
        errs: list[Exception] = []  # why no server is available

        async def noted(exc: Exception) -> None:
            errs[:] = [exc]

        try:
            async with asyncio.timeout(limit), contextlib.AsyncExitStack() as stack:
                client = None if stays else self._watching.get(loop)
                if client is None:
                    client = Client()
                    stack.push_async_callback(client.close)
                    await client.connect(error_cb=noted, **self._client)
                if stays:
                    self._watching[loop] = client
                    stack.callback(self._watching.pop, loop, None)
                # A server that has just started gives some questions no answer.
                patience = self._timeout if sent else min(self._timeout, 1.0)
                yield client.jetstream(timeout=patience)
        except (Error, OSError) as exc:
            code = getattr(exc, "err_code", None)
            if code in _CONFLICT:
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
