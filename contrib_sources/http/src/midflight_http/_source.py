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
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, quote

import attrs
import httpx2

from midflight import Loaded, Runtime, Secret, hookimpl
from midflight.errors import SourceUnavailableError, plain
from midflight.following import Following

_LOCAL = "169.254.0.0/16 fe80::/10 fd00:ec2::/32 fd20:ce::254 "
_LOCAL += "100.100.100.200 168.63.129.16 192.0.0.192"
_WRAPS = "::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48"  # of IPv4
_REFUSED, _OUTER = ([*map(ip_network, nets.split())] for nets in (_LOCAL, _WRAPS))
_POSITIVE: Any = attrs.validators.and_(attrs.validators.gt(0), attrs.validators.lt(1e9))
_FORMATS = "json", "toml", "yaml", "yml"
_KNOWN: Any = attrs.validators.in_(("", *_FORMATS))
_LINE = re.compile(r"[!-~]([ -~]*[!-~])?|")  # what a header may be
_DATES, _SETTLED = ("Date", "Last-Modified"), 2.0  # s: nginx makes ETags of whole ones
_trust = functools.cache(ssl.create_default_context)  # 70 ms each
_WAITS = "start_tls.started", "send_request_body.complete"
_SILENCE = 60.0  # s after which a stream without even a comment counts as dead


class _Line:  # the connection of one request, which another thread may cut
    is_cut = False
    limit: Any = None
    _socket: Any = None

    def cut(self) -> None:
        self.is_cut = True
        with contextlib.suppress(OSError, TypeError):  # `SSLSocket`'s is its reader's
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
        elif self.limit and not self.limit.ident and event.endswith(_WAITS):
            self.limit.start()  # while the server is at work
        if self.is_cut:
            self.cut()


def _url(text: str) -> httpx2.URL:
    with contextlib.suppress(httpx2.InvalidURL):
        url = httpx2.URL(text).copy_with(fragment=None)
        if url.scheme in {"http", "https"} and url.host:
            return url
    msg = "the URL is none such as https://config.example.org/shop.yaml"
    raise ValueError(msg)  # without it: it may hold a password


@attrs.define(eq=False, repr=False)
class HttpSource:
    """Reads what one URL gives; README has the options, `resolve` is for tests."""

    url: httpx2.URL = attrs.field(converter=_url)
    headers: Mapping[str, Any] = attrs.field(factory=dict)
    auth_file: str = ""
    format: str = attrs.field(default="", validator=_KNOWN)
    timeout: float = attrs.field(default=5.0, converter=float, validator=_POSITIVE)
    max_size: float = attrs.field(default=2**24, converter=float, validator=_POSITIVE)
    poll: float = attrs.field(default=5.0, converter=float, validator=_POSITIVE)
    sse: str = attrs.field(default="", validator=attrs.validators.matches_re("(/.*)?"))
    ca_file: str | None = None
    allow_private: bool = attrs.field(default=True, converter=attrs.converters.to_bool)
    resolve: Any = socket.getaddrinfo
    _seen: Any = attrs.field(default=("",) * 4, init=False)  # token, ETag, format, text
    _scheme: ClassVar[str] = "http"

    @property
    def name(self) -> str:
        """The URL without password and query; a lone user may be a token as well."""
        user = quote(self.url.username, "") + ":" if self.url.password else ""
        login = f"{user}***".encode() if self.url.userinfo else b""
        query = b"***" if self.url.query else None
        return plain(str(self.url.copy_with(userinfo=login, query=query)), 500)

    @classmethod
    def from_uri(cls, rest: str) -> Self:
        """Make a source of a URL, with its options behind a `#`, as in `#poll=1`."""
        url, _, options = rest.partition("#")
        return cls(f"{cls._scheme}:{url}", **dict(parse_qsl(options)))  # type: ignore[arg-type]  # converted

    @hookimpl
    def hash(self) -> str:
        """Return the format and a digest of the text, which a 304 need not send."""
        return str(self._read(_Line())[0])

    @hookimpl
    def load(self, runtime: Runtime) -> Loaded:
        """Read the document, unless the server says that it is still as it was."""
        token, etag, form, data = self._read(_Line())
        loaded = runtime.parse(data, form, self.name)
        return attrs.evolve(loaded, version=etag or None, token=token)

    @hookimpl
    def watch(self, notify: Callable[[], None]) -> Following:
        """Call `notify` at each event of the server, or when a look finds a change."""
        line = _Line()

        def follow(ending: threading.Event) -> None:
            line.is_cut = False
            for _ in () if ending.is_set() else self._hints(line, ending):
                notify()

        return Following(self.name, follow, interrupt=line.cut, longest=self.poll)

    def _hints(self, line: _Line, ending: threading.Event) -> Iterator[object]:
        if self.sse:
            with self._asked(line, self.sse, Accept="text/event-stream") as answer:
                yield None
                yield from httpx2.EventSource(answer)
        known = ""
        while not (self.sse or ending.is_set()):
            if known != (known := self._read(line)[0]):
                yield None
            ending.wait(self.poll * random.SystemRandom().uniform(0.75, 1.25))

    def _read(self, line: _Line) -> Any:
        seen, limit = self._seen, threading.Timer(self.timeout, line.cut)
        asking = {"If-None-Match": seen[1]} if seen[1] else {}
        limit.daemon, line.limit = True, limit
        try:
            with self._asked(line, **asking) as answer:
                if answer.is_success:
                    self._seen = seen = self._received(answer)
                return seen
        finally:
            limit.cancel()

    def _received(self, answer: httpx2.Response) -> tuple[str, str, str, bytes]:
        data = bytearray()
        for part in answer.iter_raw():
            data += part
            if len(data) > self.max_size:
                msg = f"it is larger than `max_size`, {self.max_size:.0f} bytes"
                raise SourceUnavailableError(msg)
        hints = Path(self.url.path).suffix, answer.headers.get("Content-Type", "")
        known = (form for hint in hints for form in _FORMATS if form in hint.lower())
        form = self.format or next(known, "yaml")
        etag = answer.headers.get("ETag", "")
        with contextlib.suppress(KeyError, TypeError, ValueError):
            sent, made = (parsedate_to_datetime(answer.headers[it]) for it in _DATES)
            etag = "" if (sent - made).total_seconds() < _SETTLED else etag
        strong = etag if etag.startswith('"') and _LINE.fullmatch(etag) else ""
        return f"{form} {hashlib.sha256(data).hexdigest()}", strong, form, bytes(data)

    @contextlib.contextmanager
    def _asked(self, line: _Line, path: str = "", **more: str) -> Iterator[Any]:
        patience = _SILENCE if path else self.timeout
        try:
            with httpx2.HTTPTransport(verify=_trust(cafile=self.ca_file)) as transport:
                request = self._request(path, dict(more))
                request.extensions |= {
                    "timeout": {"read": patience},
                    "trace": line.trace,
                }
                with contextlib.closing(self._sent(transport, request)) as answer:
                    self._check(answer, bool(path), "If-None-Match" in more)
                    yield answer
        except (httpx2.HTTPError, OSError, UnicodeError, SourceUnavailableError) as exc:
            msg = f"{self.name}: {plain(str(exc)) or type(exc).__name__}"
            if line.is_cut or isinstance(exc, httpx2.TimeoutException):
                msg = f"{self.name}: there is no whole answer within {patience:g} s"
            raise SourceUnavailableError(msg) from exc

    def _request(self, path: str, headers: dict[str, str]) -> httpx2.Request:
        for name, value in self.headers.items():
            headers[name] = value.reveal() if isinstance(value, Secret) else str(value)
        if self.auth_file:
            headers["Authorization"] = Path(self.auth_file).read_text("utf-8").strip()
        if not all(map(_LINE.fullmatch, (*headers, *headers.values()))):
            msg = "a header is no line of printable ASCII without blanks round it"
            raise SourceUnavailableError(msg)
        headers["Accept-Encoding"] = "identity"  # else servers weaken their ETags
        url = self.url.copy_with(raw_path=path.encode()) if path else self.url
        known = {"sni_hostname": url.raw_host.decode().rstrip(".")}
        request = httpx2.Request("GET", url, headers=headers, extensions=known)
        if url.userinfo:
            next(httpx2.BasicAuth(url.username, url.password).auth_flow(request))
        return request

    def _sent(self, transport: Any, request: Any) -> Any:
        url, left = request.url, self._addresses(request.url)
        request.extensions["timeout"]["connect"] = self.timeout / len(left)
        while True:
            request.url = url.copy_with(host=left.pop(0))
            dead = (httpx2.ConnectError, httpx2.ConnectTimeout) if left else ()
            with contextlib.suppress(*dead):
                answer = transport.handle_request(request)
                answer.request = request
                return answer

    def _addresses(self, url: httpx2.URL) -> list[str]:
        port = url.port or (443 if url.scheme == "https" else 80)
        found = self.resolve(url.raw_host.decode(), port, type=socket.SOCK_STREAM)
        for ip in (ip_address(each[4][0]) for each in found):
            inner, outer = int(ip) % 2**32, getattr(ip, "sixtofour", None) or ip
            real = ip_address(inner) if any(ip in n for n in _OUTER) else outer
            refused = any(real in net for net in _REFUSED)
            if refused or not (self.allow_private or real.is_global):
                kind = "link-local or of cloud metadata" if refused else "private"
                msg = f"the address {ip} is refused: it is {kind}"
                raise SourceUnavailableError(msg)
        return [str(each[4][0]) for each in found]

    def _check(self, answer: httpx2.Response, live: bool, known: bool) -> None:
        status, msg = answer.status_code, "it is not served"
        if status == httpx2.codes.NOT_MODIFIED and known:
            return
        if status in {404, 410}:
            msg = "there is no such text"
        elif answer.has_redirect_location:
            msg = "redirects are refused: give the URL it leads to"
        elif answer.headers.get("Content-Encoding", "identity") != "identity":
            msg = "it is compressed, although nobody asked for that"
        elif status == httpx2.codes.OK:
            if live or answer.headers.keys() & {"content-length", "transfer-encoding"}:
                return
            msg = "the answer does not say where it ends, so it may be cut short"
        msg = f"{msg} (status {status})"
        raise SourceUnavailableError(msg)


class HttpsSource(HttpSource):
    """`HttpSource` for what follows `https:` in a URI."""

    _scheme: ClassVar[str] = "https"
