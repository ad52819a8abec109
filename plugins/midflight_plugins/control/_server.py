"""The server: a few requests at a time, each within limits, for this user alone."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import socketserver
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midflight.errors import MidflightError
from midflight_plugins.control._socket import is_trusted, listening, remove

if TYPE_CHECKING:
    from midflight import Runtime
    from midflight_plugins.control._handler import Handler

_log = logging.getLogger("midflight.control")
_AT_ONCE = 32  # requests; others wait until one is answered
_LINGER = 0.5  # s that a client has to read its answer and close
_PAUSE = 2.0  # s between two tries while another process listens
_FAREWELL = 1.0  # s that answers under way may take when the runtime stops


class Server(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Answers requests on a socket that listens already.

    Args:
        listener: the socket.
        runtime: whom the answers are about.
        patience: seconds that a client may take to send its request or take an answer.
    """

    daemon_threads = True
    block_on_close = False  # who hangs is left behind

    def __init__(
        self, listener: socket.socket, runtime: Runtime, patience: float
    ) -> None:
        super().__init__(str(listener.getsockname()), _handler)
        self.socket, self.runtime, self.patience = listener, runtime, patience
        self._slots = threading.Semaphore(_AT_ONCE)
        self._open: dict[socket.socket, threading.Thread | None] = {}
        self._lock = threading.Lock()

    # -- what a server of the standard library does ------------------------------

    def fileno(self) -> int:
        """Return the descriptor that becomes readable for a new client."""
        return self.socket.fileno()

    def get_request(self) -> tuple[socket.socket, str]:
        """Accept a client."""
        connection, _ = self.socket.accept()
        return connection, ""

    def verify_request(self, request: Any, _client: Any) -> bool:
        """Tell whether a client may ask at all; another user's may not."""
        return is_trusted(request)

    def process_request(self, request: Any, client: Any) -> None:
        """Answer on a thread of its own, as soon as one is free."""
        self._slots.acquire()
        with self._lock:
            self._open[request] = None
        try:
            super().process_request(request, client)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client: Any) -> None:
        """Answer one request."""
        with self._lock:
            self._open[request] = threading.current_thread()
        try:
            super().process_request_thread(request, client)
        finally:
            self._slots.release()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, once its client had a moment to read the answer."""
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            _drain(request)
        with self._lock:
            self._open.pop(request, None)
        request.close()

    def handle_error(self, _request: Any, _client: Any) -> None:
        """Log what went wrong with one request; the others go on."""
        _log.debug("a request failed", exc_info=True)

    def server_close(self) -> None:
        """Close the listening socket."""
        self.socket.close()

    # -- the end -----------------------------------------------------------------

    def end(self) -> None:
        """Take no more clients, and give the present ones a moment."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes who waits for a client
        self.shutdown()
        with self._lock:
            threads = [each for each in self._open.values() if each is not None]
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)  # what was asked is answered
        due = time.monotonic() + _FAREWELL
        for thread in threads:
            thread.join(max(0.0, due - time.monotonic()))
        self.server_close()

    def abandon(self) -> None:
        """Let go of the parent's sockets, in a forked child."""
        for connection in (self.socket, *self._open):
            connection.close()


def _handler(*arguments: Any) -> Handler:
    """Answer a client; what that takes is imported for the first who asks."""
    from midflight_plugins.control._handler import Handler

    return Handler(*arguments)


def _drain(connection: socket.socket) -> None:
    """Read what still comes: to close on unread bytes would discard the answer."""
    due = time.monotonic() + _LINGER
    while (left := due - time.monotonic()) > 0:
        connection.settimeout(left)
        if not connection.recv(65_536):
            return


@contextlib.contextmanager
def serving(
    runtime: Runtime, state_dir: Path, patience: float = 10.0
) -> Iterator[None]:
    """Serve until the context is left; what is in the way is logged, and no more.

    Where another process serves it is tried again, to take over when that one ends.

    Args:
        runtime: whom the answers are about.
        state_dir: where the socket is.
        patience: seconds that a client may take.
    """
    door, process = _Door(runtime, state_dir, patience), os.getpid()
    door.open()
    threading.Thread(target=door.serve, name="midflight-control", daemon=True).start()
    try:
        yield
    finally:
        if os.getpid() == process:  # the name is the parent's, as is the thread
            door.close()


class _Door:
    """The socket of a runtime, once it is free; arguments as of `serving`."""

    def __init__(self, runtime: Runtime, state_dir: Path, patience: float) -> None:
        self._about = runtime, patience
        self._folder = state_dir
        self._server: Server | None = None
        self._inode = 0
        self._trouble = ""
        self._left = threading.Event()
        self._lock = threading.Lock()

    def open(self) -> None:
        """Listen if nobody else does; say once what is in the way."""
        with self._lock:
            if self._left.is_set():
                return
            try:
                listener, self._inode = listening(self._folder)
            except (OSError, MidflightError) as exc:
                why = (isinstance(exc, OSError) and exc.strerror) or str(exc)
                if why != self._trouble:
                    _log.warning("no control socket in %s: %s", self._folder, why)
                self._trouble = why
                return
            self._server = Server(listener, *self._about)
        os.register_at_fork(after_in_child=_abandoned(weakref.ref(self._server)))
        if self._trouble:
            _log.info("the control socket in %s is this one's now", self._folder)

    def serve(self) -> None:
        """Answer as soon as it is open."""
        while self._server is None:
            if self._left.wait(_PAUSE):
                return
            self.open()
        forever: Any = None  # the typeshed knows no wait without an end
        self._server.serve_forever(poll_interval=forever)

    def close(self) -> None:
        """Answer no more, and let another process in."""
        with self._lock:
            self._left.set()
        if self._server is not None:
            remove(self._folder, self._inode)
            self._server.end()


def _abandoned(server: weakref.ref[Server]) -> Callable[[], None]:
    def abandon() -> None:
        alive = server()
        if alive is not None:
            alive.abandon()

    return abandon
