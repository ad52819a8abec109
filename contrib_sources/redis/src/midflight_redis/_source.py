"""The source: one key of Redis that holds the text of a configuration."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self
from urllib.parse import quote

from midflight import Document, Fault, Loaded, Place, Runtime, errors, hookimpl
from midflight.following import Following
from midflight_redis._address import filled, parsed

# Compares and sets in one step; a key that is not there is `false`.
_SWAP = """if redis.call('GET', KEYS[1]) ~= (ARGV[2] or false) then return 0 end
redis.call('SET', KEYS[1], ARGV[1]) return 1"""


class RedisSource:
    """The text of one key, as `redis-cli set shop "$(cat app.yaml)"` stores it.

    Its version is a digest of the text: whoever sets the key need not know of us.

    Args:
        url: `redis://user@host:6379/0#key`, `rediss://…` for TLS.
        key: the key; by default what follows `#`.
        password: by default that in `url`. In both, `${NAME}` stands for an environment
            variable and `${file:/path}` for the first line of a file.
        format: `yaml` (the default), `json` or `toml`.
        timeout: seconds that a connect or a command may take; by default 5.
    """

    scheme: ClassVar[str] = "redis"

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        password: str | None = None,
        format: str | None = None,  # noqa: A002  # the option's name
        timeout: float | None = None,
    ) -> None:
        self._url, where, own = parsed(url)
        self.key = key or own["key"]
        self.name = f"{where}#{quote(self.key)}"
        if not self.key:
            msg = f"`{self.name}` names no key: write it behind the `#`"
            raise ValueError(msg)
        self._password = filled(password or "") or own["password"] or None
        self._format = format or own["format"] or "yaml"
        self._timeout = float(timeout or own["timeout"] or 5)
        self._redis: Any = None

    @classmethod
    def from_uri(cls, rest: str) -> Self:
        """Make a source of what follows `redis:`, as in `//127.0.0.1:6379/0#shop`."""
        return cls(f"{cls.scheme}:{rest}")

    @hookimpl
    def hash(self) -> str:
        """Return the version of the text that is there."""
        return _version(self._read())

    @hookimpl
    def load(self, runtime: Runtime) -> Loaded:
        """Read the text, by one command."""
        data = self._read()
        found, version = runtime.parse(data, self._format, self.name), _version(data)
        return Loaded(found.document, version, found.positions, version, found.text)

    @hookimpl
    def watch(self, notify: Callable[[], None]) -> Following:
        """Give a hint when Redis says that the key was touched."""
        pool = self._client.connection_pool
        pushing = pool.connection_class(**{**pool.connection_kwargs, "protocol": 3})
        return Following(
            self.name,
            lambda ending: self._follow(pushing, notify, ending),
            interrupt=lambda: (pushing.disconnect(), self.stop()),
        )

    @hookimpl
    def put(
        self,
        document: Document,
        expected_version: str | int | None,
        text: str | None,
        runtime: Runtime,
    ) -> str:
        """Replace the text, if it has that version; author and message are not kept."""
        with self._talking(), self._client.client() as one:
            now: bytes | None = one.get(self.key)
            head = None if now is None else _version(now)
            if head == (expected_version and str(expected_version)):
                data = self._written(document, text, now, runtime)
                base = () if now is None else (now,)
                with self._talking(write_id=_version(data)):
                    if data == now or one.eval(_SWAP, 1, self.key, data, *base):
                        return _version(data)
        msg = f"{self.name}: it is not {expected_version} any more; read it again"
        raise errors.ConflictError(msg)

    @hookimpl
    def stop(self) -> None:
        """Close the connections that nobody uses; the next call opens another."""
        if self._redis is not None:
            self._redis.connection_pool.disconnect(inuse_connections=False)

    @property
    def _client(self) -> Any:
        """The client; its pool serves every thread, and begins anew after a fork."""
        if self._redis is None:
            from redis import Redis

            limits = ("socket_connect_timeout", "socket_timeout")
            more: dict[str, Any] = dict.fromkeys(limits, self._timeout)
            more |= {"password": self._password, "protocol": 2}
            self._redis = Redis.from_url(self._url, **more)
        return self._redis

    @contextlib.contextmanager
    def _talking(self, write_id: str = "") -> Iterator[None]:
        """Say what the client raises as ours, without the password."""
        import redis

        try:
            yield
        except (redis.RedisError, OSError) as exc:
            if write_id and isinstance(exc, redis.ConnectionError | redis.TimeoutError):
                raise errors.UnknownOutcomeError(self.name, write_id) from None
            text = errors.plain(errors.masked(str(exc), [self._password or ""]))
            msg = f"{self.name}: {text}"
            raise errors.SourceUnavailableError(msg) from None

    def _read(self) -> bytes:
        with self._talking():
            data: bytes | None = self._client.get(self.key)
        if data is None:
            msg = f"{self.name}: there is no such key; redis-cli set KEY TEXT makes it"
            raise errors.SourceUnavailableError(msg)
        return data

    def _follow(
        self, pushing: Any, notify: Callable[[], None], ending: threading.Event
    ) -> None:
        """Track the keys that begin like ours; when all is quiet, ask for life."""
        asked = False
        try:
            pushing.send_command("CLIENT TRACKING ON BCAST PREFIX", self.key)
            pushing.read_response()
            notify()
            while not ending.is_set():
                if pushing.can_read(self._timeout):
                    asked = False
                    if pushing.read_response(push_request=True) != b"PONG":
                        notify()
                elif asked:
                    msg = f"no sign of life for {2 * self._timeout:g} s"
                    raise TimeoutError(msg)
                else:
                    pushing.send_command("PING")
                    asked = True
        finally:
            pushing.disconnect()

    def _written(
        self, document: Document, text: str | None, now: bytes | None, runtime: Runtime
    ) -> bytes:
        """Return what means the document: its author's text, what is there, or JSON."""
        new = json.dumps(document.as_mapping(), indent=2, ensure_ascii=False)
        each: str | bytes | None
        for each in (text, now, f"{new}\n"):
            data = each.encode(errors="replace") if isinstance(each, str) else each
            with contextlib.suppress(errors.InvalidConfigurationError):
                found = runtime.parse(data or b"", self._format, self.name).document
                if getattr(found, "digest", "") == document.digest:
                    return data or b""
        msg = f"the document cannot be written as {self._format} and read back"
        fault = Fault(errors.Code.E_VALUE, msg, place=Place(self.name))
        raise errors.InvalidConfigurationError(fault)


class TlsRedisSource(RedisSource):
    """As `RedisSource`, for `rediss:`."""

    scheme: ClassVar[str] = "rediss"


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
