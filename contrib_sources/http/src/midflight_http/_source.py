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

from midflight import Loaded, Runtime, Secret, errors, hookimpl
from midflight.following import Following

_CLOUDS = "fd00:ec2::/32 fd20:ce::254 100.100.100.200 168.63.129.16 192.0.0.192"
_WRAPS = "::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48"  # of IPv4
_REFUSED, _OUTER = ([*map(ip_network, nets.split())] for nets in (_CLOUDS, _WRAPS))
_POSITIVE: Any = attrs.validators.and_(attrs.validators.gt(0), attrs.validators.lt(1e9))
_FORM = "(json|toml|ya?ml)?"
_LINE = re.compile(r"[!-~]([ -~]*[!-~])?|")  # what a header may be
_DATES, _SETTLED = ("Date", "Last-Modified"), 2.0  # s: nginx makes ETags of whole ones
_trust = functools.cache(ssl.create_default_context)  # 70 ms each
_WAITS = "start_tls.started", "send_request_body.complete"


class _Line:  # the connection of one request, which another thread may cut
    is_cut = False
    limit: Any = None

    def cut(self) -> None:
        self.is_cut = True
        with contextlib.suppress(OSError, AttributeError):  # an `SSLSocket`'s is not so
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

    @property
    def name(self) -> str:
        """The URL without password and query; a lone user may be a token as well."""
        user = quote(self.url.username, "") + ":" if self.url.password else ""
        login = f"{user}***".encode() if self.url.userinfo else b""
        query = b"***" if self.url.query else None
        return errors.plain(str(self.url.copy_with(userinfo=login, query=query)), 500)

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
        line.is_cut, base, known = False, None, ""
        if self.sse and not ending.is_set():
            with self._asked(line, self.sse, Accept="text/event-stream") as answer:
                answer.encoding, self._told.pair = "utf-8", None
                notify()
                for event in httpx2.EventSource(answer, 2 * int(self.max_size) + 2**16):
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
        base, told = vars(self._told).pop("pair", None) or (None, None)
        if told and base is self._seen:
            self._seen = told
            return told
        seen, limit = self._seen, threading.Timer(self.timeout, line.cut)
        asking = {"If-None-Match": seen[4]} if seen[4] else {}  # no ETag of an event
        limit.daemon, line.limit = True, limit
        try:
            with self._asked(line, **asking) as answer:
                seen = self._received(answer) if answer.is_success else seen
                return seen
        finally:
            limit.cancel()
            self._seen = (*seen,)  # another: no event counts past a read

    def _received(self, answer: httpx2.Response) -> tuple[str, str, str, bytes, str]:
        data = bytearray()
        for part in answer.iter_raw():
            data += part
            if len(data) > self.max_size:
                msg = f"it is larger than `max_size`, {self.max_size:.0f} bytes"
                raise errors.SourceUnavailableError(msg)
        kinds = Path(self.url.path).suffix + answer.headers.get("Content-Type", "")
        known = filter(None, re.findall(_FORM, kinds.lower()))
        form = self.format or next(known, "yaml")
        tag = "".join(re.findall(r'^"[ -~]*"\Z', answer.headers.get("ETag", "")))
        with contextlib.suppress(KeyError, TypeError, ValueError):
            sent, made = (parsedate_to_datetime(answer.headers[it]) for it in _DATES)
            tag = "" if (sent - made).total_seconds() < _SETTLED else tag
        return f"{form} {hashlib.sha256(data).hexdigest()}", tag, form, bytes(data), tag

    @contextlib.contextmanager
    def _asked(self, line: _Line, path: str = "", **more: str) -> Iterator[Any]:
        patience = 60.0 if path else self.timeout  # s; streams have at least comments
        try:
            request = self._request(path, dict(more))
            request.extensions |= {"timeout": {"read": patience}, "trace": line.trace}
            pool = httpx2.HTTPTransport(verify=_trust(cafile=self.ca_file))
            with pool, contextlib.closing(self._sent(pool, request)) as answer:
                self._check(answer, bool(path), "If-None-Match" in more)
                yield answer
        except (httpx2.HTTPError, OSError, UnicodeError, errors.MidflightError) as exc:
            msg = f"{self.name}: {errors.plain(str(exc)) or type(exc).__name__}"
            if line.is_cut or isinstance(exc, httpx2.TimeoutException):
                msg = f"{self.name}: there is no whole answer within {patience:g} s"
            raise errors.SourceUnavailableError(msg) from exc

    def _request(self, path: str, headers: dict[str, str]) -> httpx2.Request:
        for name, value in self.headers.items():
            headers[name] = value.reveal() if isinstance(value, Secret) else str(value)
        if self.auth_file:
            headers["Authorization"] = Path(self.auth_file).read_text("utf-8").strip()
        if not all(map(_LINE.fullmatch, (*headers, *headers.values()))):
            msg = "a header is no line of printable ASCII without blanks round it"
            raise errors.SourceUnavailableError(msg)
        headers["Accept-Encoding"] = "identity"  # else servers weaken their ETags
        url = self.url.copy_with(raw_path=path.encode()) if path else self.url
        known = {"sni_hostname": url.raw_host.decode().rstrip(".")}
        request = httpx2.Request("GET", url, headers=headers, extensions=known)
        if url.userinfo:
            next(httpx2.BasicAuth(url.username, url.password).auth_flow(request))
        return request

    def _sent(self, transport: Any, request: Any) -> Any:
        url, left = request.url, []
        found = self.resolve(url.raw_host.decode(), url.port, type=socket.SOCK_STREAM)
        for ip in (ip_address(each[4][0]) for each in found):
            inner, outer = int(ip) % 2**32, getattr(ip, "sixtofour", None) or ip
            real = ip_address(inner) if any(ip in n for n in _OUTER) else outer
            refused = real.is_link_local or any(real in net for net in _REFUSED)
            if refused or not (self.allow_private or real.is_global):
                kind = "link-local or of cloud metadata" if refused else "private"
                msg = f"the address {ip} is refused: it is {kind}"
                raise errors.SourceUnavailableError(msg)
            left.append(str(ip))
        request.extensions["timeout"]["connect"] = self.timeout / len(left)
        while True:
            request.url = url.copy_with(host=left.pop(0))
            dead = (httpx2.ConnectError, httpx2.ConnectTimeout) if left else ()
            with contextlib.suppress(*dead):
                answer = transport.handle_request(request)
                answer.request = request
                return answer

    def _check(self, answer: httpx2.Response, live: bool, known: bool) -> None:
        status, heads = answer.status_code, answer.headers
        msg = "the answer does not say where it ends, so it may be cut short"
        if known and status == httpx2.codes.NOT_MODIFIED:
            return
        if status in {404, 410}:
            msg = "there is no such text"
        elif answer.has_redirect_location:
            msg = "redirects are refused: give the URL it leads to"
        elif heads.get("Content-Encoding", "identity") != "identity":
            msg = "it is compressed, although nobody asked for that"
        elif status != httpx2.codes.OK:
            msg = "it is not served"
        elif live or heads.keys() & {"content-length", "transfer-encoding"}:
            return
        msg = f"{msg} (status {status})"
        raise errors.SourceUnavailableError(msg)


class HttpsSource(HttpSource):
    """`HttpSource` for what follows `https:` in a URI."""

    _scheme: ClassVar[str] = "https"
