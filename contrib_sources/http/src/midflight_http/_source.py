"""The source: a text of a web server, asked for so that nothing leads elsewhere."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, ClassVar, Self

import attrs
import h11
import httpx2

from midflight import Loaded, Runtime, Secret, errors, hookimpl
from midflight.following import Following

_CLOUDS = "fd00:ec2::/32 fd20:ce::254 100.100.100.200 168.63.129.16 192.0.0.192"
_WRAPS = "::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48"  # of IPv4
_REFUSED, _OUTER = ([*map(ip_network, nets.split())] for nets in (_CLOUDS, _WRAPS))
_POSITIVE: Any = attrs.validators.and_(attrs.validators.gt(0), attrs.validators.lt(1e9))
_FORM = "json|toml|ya?ml|"
_LOGIN = re.compile(r"^(\w+://)([^/?:@]*:(?=[^@]))?[^/?@]*@")
_LINE = re.compile(r"[!-~]([ -~]*[!-~])?|")  # what a header may be
_DATES, _SETTLED = ("last-modified", "date"), 2.0  # s: nginx makes ETags of whole ones
_trust = functools.cache(ssl.create_default_context)  # 70 ms each
_FAULTS = h11.ProtocolError, httpx2.HTTPError, OSError, UnicodeError
_FRAMES, _HINTS = {"content-length", "transfer-encoding"}, {100, *range(102, 200)}
_MOVED = "redirects are refused: give the URL it leads to"
_STATUS = dict.fromkeys((301, 302, 303, 307, 308), _MOVED) | {200: ""}
_STATUS |= dict.fromkeys((404, 410), "there is no such text")


class _Line:  # the connection of one request, which another thread may cut
    link: Any = None
    due, is_cut = 0.0, False

    def cut(self) -> None:
        self.is_cut = True
        with contextlib.suppress(OSError, TypeError):  # an `SSLSocket`'s is not so
            socket.socket.shutdown(self.link, socket.SHUT_RDWR)

    def ask(self, request: h11.Request, silence: float) -> Iterator[Any]:
        http, last = h11.Connection(h11.CLIENT, 100 << 10), h11.EndOfMessage()
        with self.link:
            self.link.sendall(http.send(request) + http.send(last))
            while type(event := http.next_event()) is not h11.EndOfMessage:
                if event is h11.NEED_DATA:
                    left = min(self.due - time.monotonic(), silence)
                    if self.is_cut or left <= 0:
                        raise TimeoutError
                    self.link.settimeout(left)
                    data = self.link.recv(1 << 16)
                    if not data and http.their_state is h11.SEND_RESPONSE:
                        raise ConnectionResetError(104, "the server gave no answer")
                    http.receive_data(data)
                elif getattr(event, "status_code", 0) not in _HINTS:
                    yield getattr(event, "data", event)


def _url(text: str) -> httpx2.URL:  # what is refused may hold a password
    with contextlib.suppress(httpx2.InvalidURL):
        url, is_torn = httpx2.URL(text), "@" in str(text).partition("#")[2]
        if url.scheme in {"http", "https"} and url.host and not is_torn:
            return url.copy_with(fragment=None)
    msg = "the URL is none such as https://config.example.org/shop.yaml, with "
    raise ValueError(msg + "`#`, `/`, `?`, `@` of a password percent-encoded")


@attrs.define(eq=False, repr=False)
class HttpSource:
    """Reads what one URL gives; README has the options, `resolve` is for tests."""

    url: httpx2.URL = attrs.field(converter=_url)
    headers: Mapping[str, Any] = attrs.field(factory=dict)
    auth_file: str = ""
    format: str = attrs.field(default="", validator=attrs.validators.matches_re(_FORM))
    timeout: float = attrs.field(default=5.0, converter=float, validator=_POSITIVE)
    max_size: float = attrs.field(default=2**24, converter=float, validator=_POSITIVE)
    poll: float = attrs.field(default=5.0, converter=float, validator=_POSITIVE)
    sse: str = attrs.field(default="", validator=attrs.validators.matches_re("(/.*)?"))
    ca_file: str | None = None
    allow_private: bool = attrs.field(default=True, converter=attrs.converters.to_bool)
    resolve: Any = socket.getaddrinfo
    _told: Any = attrs.field(factory=threading.local, init=False)
    _seen: Any = attrs.field(default=("",) * 5, init=False)  # as `_received` returns
    _scheme: ClassVar[str] = "http"

    @functools.cached_property
    def name(self) -> str:
        """The URL without password and query; a lone user may be a token as well."""
        text = re.sub(_LOGIN, r"\1\2***@", str(self.url))
        return errors.plain(re.sub(r"\?.*", "?***", text), 500)

    @classmethod
    def from_uri(cls, rest: str) -> Self:
        """Make a source of a URL, with its options behind a `#`, as in `#poll=1`."""
        url = str(_url(f"{cls._scheme}:{rest}"))  # refused before an option is named
        return cls(url, **httpx2.QueryParams(rest.partition("#")[2]))  # type: ignore[arg-type]  # converted

    @hookimpl
    def hash(self) -> str:
        """Return the format and a digest of the text, which a 304 need not send."""
        return str(self._read(_Line())[0])

    @hookimpl
    def load(self, runtime: Runtime) -> Loaded:
        """Read the document, unless the server says that it is still as it was."""
        token, etag, form, data, _ = self._read(_Line())
        loaded = runtime.parse(data, form, self.name)
        return attrs.evolve(loaded, version=etag or None, token=token)

    @hookimpl
    def watch(self, notify: Callable[[], None]) -> Following:
        """Call `notify` at each event of the server, or when a look finds a change."""
        line = _Line()
        follow = functools.partial(self._follow, line, notify)
        return Following(self.name, follow, interrupt=line.cut, longest=self.poll)

    def _follow(self, line: _Line, notify: Any, ending: threading.Event) -> None:
        line.is_cut, base, known, it = False, None, "", httpx2.Request("GET", self.url)
        if self.sse and not ending.is_set():
            with self._asked(line, self.sse, Accept="text/event-stream") as (_, *got):
                live = httpx2.Response(200, headers=got[0], content=got[1], request=it)
                live.encoding, line.due, self._told.pair = "utf-8", 1e99, None
                notify()
                for event in httpx2.EventSource(live, 2 * int(self.max_size) + 2**16):
                    self._told.pair = base and self._told_by(event, base)
                    notify()  # where it is busy, another thread reads
                    base = seen if (seen := self._seen)[1] == event.id != "" else None
        while not (self.sse or ending.is_set()):
            if known != (known := self._read(line)[0]):
                notify()
            ending.wait(self.poll * random.SystemRandom().uniform(0.75, 1.25))

    def _told_by(self, event: Any, base: Any) -> Any:  # README has the convention
        data, tag, form = event.data.encode(), event.id, base[2]
        is_whole = event.event == "document" and 0 < len(data) <= self.max_size
        is_new = tag[:1] == '"' and tag != base[1] and "\ufffd" not in event.data
        token = f"{form} {hashlib.sha256(data).hexdigest()}"
        return (base, (token, tag, form, data, "")) if is_whole and is_new else None

    def _read(self, line: _Line) -> Any:
        seen, (base, told) = self._seen, vars(self._told).pop("pair", None) or (0, 0)
        if told and base is seen:
            self._seen = told
            return told
        asking = {"If-None-Match": seen[4]} if seen[4] else {}
        try:
            with self._asked(line, **asking) as (is_known, heads, parts):
                return (seen := seen if is_known else self._received(heads, parts))
        finally:
            self._seen = (*seen,)  # another: no event counts past a read

    def _received(self, heads: Any, parts: Any) -> tuple[str, str, str, bytes, str]:
        data = bytearray()
        for part in parts:
            data += part
            if len(data) > self.max_size:
                msg = f"it is larger than `max_size`, {self.max_size:.0f} bytes"
                raise errors.SourceUnavailableError(msg)
        kinds = Path(self.url.path).suffix + heads.get("content-type", "")
        form = self.format or re.findall(f"{_FORM}$", kinds.lower())[0] or "yaml"
        tag = "".join(re.findall(r'^"[ !#-~]*"\Z', heads.get("etag", "")))
        with contextlib.suppress(KeyError, TypeError, ValueError):
            made, sent = (parsedate_to_datetime(heads[it]) for it in _DATES)
            tag = "" if (sent - made).total_seconds() < _SETTLED else tag
        return f"{form} {hashlib.sha256(data).hexdigest()}", tag, form, bytes(data), tag

    @contextlib.contextmanager
    def _asked(self, line: _Line, path: str = "", **more: str) -> Iterator[Any]:
        silence = 60.0 if path else self.timeout  # s; streams have at least comments
        try:
            with contextlib.closing(self._sent(line, path, {**more}, silence)) as parts:
                status, raw = (it := next(parts)).status_code, it.headers
                heads: Any = {it[0].decode(): it[1].decode("latin-1") for it in raw}
                heads = heads if len(heads) == len(raw) else httpx2.Headers(raw)  # join
                known = "If-None-Match" in more and status == httpx2.codes.NOT_MODIFIED
                msg = _STATUS.get(status, "it is not served")
                if not msg and heads.get("content-encoding", "identity") != "identity":
                    msg = "it is compressed, although nobody asked for that"
                elif not (msg or path or _FRAMES & heads.keys()):
                    msg = "it does not say where it ends, so it may be cut short"
                if msg and not known:
                    raise errors.SourceUnavailableError(msg + f" (status {status})")
                yield known, raw if path else heads, parts
        except (*_FAULTS, errors.MidflightError) as exc:
            msg = f"{self.name}: {errors.plain(str(exc)) or type(exc).__name__}"
            if line.is_cut or isinstance(exc, TimeoutError):
                msg = f"{self.name}: there is no whole answer within {silence:g} s"
            raise errors.SourceUnavailableError(msg) from exc

    def _sent(self, line: _Line, path: str, headers: Any, silence: float) -> Any:
        for name, value in self.headers.items():
            headers[name] = value.reveal() if isinstance(value, Secret) else str(value)
        if self.auth_file:
            headers["Authorization"] = Path(self.auth_file).read_text("utf-8").strip()
        if not all(map(_LINE.fullmatch, (*headers, *headers.values()))):
            msg = "a header is no line of printable ASCII without blanks round it"
            raise errors.SourceUnavailableError(msg)
        headers["Accept-Encoding"] = "identity"  # else servers weaken their ETags
        url = self.url.copy_with(raw_path=path.encode()) if path else self.url
        request = httpx2.Request("GET", url, headers=headers)
        if url.userinfo:
            next(httpx2.BasicAuth(url.username, url.password).auth_flow(request))
        it = h11.Request(method="GET", target=url.raw_path, headers=request.headers.raw)
        return self._connected(line, url, silence).ask(it, silence)

    def _connected(self, line: _Line, url: httpx2.URL, silence: float) -> _Line:
        host, tls, left = url.raw_host.decode().rstrip("."), url.scheme == "https", []
        trust = tls and _trust(cafile=self.ca_file)
        found = self.resolve(url.raw_host.decode(), url.port, type=socket.SOCK_STREAM)
        for ip in (ip_address(each[4][0]) for each in found):
            inner, outer = int(ip) % 2**32, getattr(ip, "sixtofour", None) or ip
            real = ip_address(inner) if any(ip in n for n in _OUTER) else outer
            refused = real.is_link_local or any(real in net for net in _REFUSED)
            if refused or not (self.allow_private or real.is_global):
                kind = "link-local or of cloud metadata" if refused else "private"
                msg = f"the address {ip} is refused: it is {kind}"
                raise errors.SourceUnavailableError(msg)
            left.append((str(ip), url.port or (443 if tls else 80)))
        while True:
            at, dead = left.pop(0), (OSError,) if left else ()
            with contextlib.suppress(*dead):
                line.link = socket.create_connection(at, self.timeout / len(found))
                line.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line.due = time.monotonic() + silence
                if trust:
                    line.link = trust.wrap_socket(line.link, server_hostname=host)
                return line


class HttpsSource(HttpSource):
    """`HttpSource` for what follows `https:` in a URI."""

    _scheme: ClassVar[str] = "https"
