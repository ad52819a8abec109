"""A small HTTP service that greets: a module, written the way a user writes one."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import attrs
from attrs.validators import gt, in_, min_len

from midflight import hookimpl


@attrs.frozen
class Settings:
    """What the operator of a greeter may write under `config:`.

    Args:
        port: where it listens, on this machine only.
        greeting: what it says before a name.
        rate: requests it answers per second; the others get status 429.
    """

    port: int = attrs.field(validator=in_(range(1, 65536)))
    greeting: str = attrs.field(default="hello", validator=min_len(1))
    rate: float = attrs.field(default=10.0, validator=gt(0))


class Bucket:
    """A token bucket: it holds one second's worth, and refills all the time."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._tokens, self._at = max(rate, 1.0), time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take one token, if there is one."""
        with self._lock:
            now = time.monotonic()
            refilled = self._tokens + (now - self._at) * self.rate
            self._tokens, self._at = min(refilled, max(self.rate, 1.0)), now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class Greeter:
    """Answers `GET /Ada` with a greeting for Ada."""

    Config = Settings

    def __init__(self, name: str) -> None:
        self.name = name
        self.answered = 0
        self.server: ThreadingHTTPServer | None = None

    @hookimpl
    def prepare(self, config: Settings) -> ThreadingHTTPServer | None:
        """Open a new port: if it is taken, nothing has changed.

        The port of another greeter is taken, too: two cannot exchange theirs in one
        edit. A new object opens its port when it starts: until then the greeter that
        it takes the place of may have it.
        """
        if self.server is None or config.port == self.config.port:
            return None
        return self._listen(config.port)

    @hookimpl
    def start(self, config: Settings) -> None:
        """Begin to answer."""
        self.config, self.bucket = config, Bucket(config.rate)
        self._serve(self._listen(config.port))

    @hookimpl
    def reconfigure(
        self, config: Settings, prepared: ThreadingHTTPServer | None
    ) -> None:
        """Say and allow something else from the next request on."""
        self.config, self.bucket.rate = config, config.rate
        if prepared:
            old = self.server
            self._serve(prepared)
            _close(old)

    @hookimpl
    def probe(self) -> dict[str, object]:
        """Show what is in force."""
        return {**attrs.asdict(self.config), "answered": self.answered}

    @hookimpl
    def discard(self, prepared: ThreadingHTTPServer | None) -> None:
        """Close the port that was opened for nothing."""
        if prepared:
            prepared.server_close()

    @hookimpl
    def stop(self) -> None:
        """Answer what has been asked, then close the port."""
        _close(self.server)

    def _listen(self, port: int) -> ThreadingHTTPServer:
        greeter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, text = greeter.answer(self.path.strip("/") or "world")
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Keep the log for what Midflight says."""

        try:
            return ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as exc:
            raise OSError(exc.errno, f"port {port}: {exc.strerror}") from exc

    def _serve(self, server: ThreadingHTTPServer) -> None:
        self.server = server
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()

    def answer(self, who: str) -> tuple[int, str]:
        """Return the status and the text of one answer."""
        if not self.bucket.take():
            return 429, "too many requests\n"
        self.answered += 1
        return 200, f"{self.config.greeting}, {who}!\n"


def _close(server: ThreadingHTTPServer | None) -> None:
    if server:
        server.shutdown()
        server.server_close()
