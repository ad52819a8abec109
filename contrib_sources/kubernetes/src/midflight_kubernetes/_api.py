"""One object of the Kubernetes API: read, listed and followed."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any

import attrs

from midflight.errors import SourceUnavailableError, plain

OBJECT = "application/json"
# Without the data: what tells of a change need not carry a Secret.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_LIST = METADATA.replace("Metadata", "MetadataList")
_LASTS = 300  # s, after which the API ends a stream; what is silent for longer is dead
_STRANGER, _GONE = 401, 410


class _GoneError(SourceUnavailableError):
    """The API no longer knows what happened since a version."""


@attrs.define(eq=False, repr=False)
class Api:
    """Asks for one object; any thread may, and so may a forked child."""

    path: str  # of all objects of its kind in its namespace
    one: str  # its name
    kubeconfig: str = ""
    context: str = ""
    timeout: float = attrs.field(default=5.0, converter=float)
    events: str = METADATA  # or `OBJECT`
    clients: dict[int, Any] = attrs.field(factory=dict)  # of each process
    _socket: Any = attrs.field(default=None, init=False)

    def read(self, accept: str = OBJECT) -> dict[str, Any]:
        """Return the object, or raise `SourceUnavailableError`."""
        with self._asked(f"{self.path}/{self.one}", {}, accept) as answer:
            return dict(json.loads(answer.read()))

    def follow(self, ending: threading.Event, notify: Callable[[Any], object]) -> None:
        """Hint after each list, for what happened before, and with each new object."""
        version = ""
        while not ending.wait(0.1):  # an API that ends streams at once is not flooded
            if not version:
                with self._asked(self.path, self._selected, _LIST) as answer:
                    version = json.loads(answer.read())["metadata"]["resourceVersion"]
                notify(None)
            try:
                version = self._watched(version, ending, notify)
            except _GoneError:
                version = ""

    def interrupt(self) -> None:
        """End the events that somebody waits for."""
        with contextlib.suppress(OSError, AttributeError):  # it is over, or never was
            self._socket.shutdown(socket.SHUT_RDWR)

    def _watched(self, version: str, ending: threading.Event, notify: Any) -> str:
        more = {"watch": "1", "allowWatchBookmarks": "1", "timeoutSeconds": _LASTS}
        wanted = {**self._selected, **more, "resourceVersion": version}
        with self._asked(self.path, wanted, self.events) as answer:
            self._socket = answer.extensions["network_stream"].get_extra_info("socket")
            answer.request.extensions["timeout"]["read"] = _LASTS + 10.0
            for line in () if ending.is_set() else _lines(answer.iter_bytes()):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise _failure(0, json.dumps(event["object"]))
                version = str(event["object"]["metadata"]["resourceVersion"])
                if event["type"] != "BOOKMARK":
                    notify(None if event["type"] == "DELETED" else event["object"])
        return version

    @property
    def _selected(self) -> dict[str, Any]:
        return {"fieldSelector": f"metadata.name={self.one}"}

    @contextlib.contextmanager
    def _asked(self, url: str, params: Any, accept: str) -> Generator[Any]:
        import httpx2
        from lightkube.core.exceptions import ConfigError

        # No connection is kept: none is stale after a restart, or shared after a fork.
        headers = {"Accept": accept, "Connection": "close"}
        more = {"params": params, "headers": headers, "timeout": self.timeout}
        try:
            with self._client().stream("GET", url, **more) as answer:
                if answer.status_code == _STRANGER:
                    self.clients.clear()  # to log in anew
                if not answer.is_success:
                    raise _failure(answer.status_code, answer.read())
                yield answer
        except (httpx2.HTTPError, OSError, ValueError) as exc:
            raise _failure(0, str(exc) or type(exc).__name__) from None
        except (ConfigError, LookupError, TypeError) as exc:
            told = str(exc).partition(": ")[0]  # what follows may quote an answer
            raise _failure(0, f"no login, or no answer: {told}") from None

    def _client(self) -> Any:  # of this process
        from lightkube.config.client_adapter import Client, ConnectionParams
        from lightkube.config.kubeconfig import KubeConfig
        from lightkube.core.exceptions import ConfigError

        file, found = self.kubeconfig, self.clients.get(os.getpid())
        try:
            if found is None:
                known = KubeConfig.from_file(file) if file else KubeConfig.from_env()
                config: Any = known.get(self.context or None)
                found = self.clients[os.getpid()] = Client(config, ConnectionParams())
        except Exception as exc:  # noqa: BLE001  # whatever a broken file leads to
            # Other texts may quote the file, which has a token.
            told = exc if isinstance(exc, ConfigError | OSError) else type(exc).__name__
            raise _failure(0, f"no way to log in: {told}") from None
        return found


def _lines(chunks: Iterable[bytes]) -> Generator[bytes]:
    rest = b""  # texts may hold what else counts as the end of a line
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(None, lines)


def _failure(code: int, text: Any) -> Exception:  # `text` may be a `Status`
    status = {"code": code, "message": f"it answers {code}" if code else text}
    with contextlib.suppress(ValueError, TypeError):
        status |= json.loads(text)
    kind = _GoneError if status["code"] == _GONE else SourceUnavailableError
    return kind(plain(f"kubernetes: {status['message']}"))
