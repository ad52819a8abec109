"""What an operator may set for an `http` module."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import validators


@attrs.frozen
class HttpConfig:
    """Settings of an `http` module.

    Args:
        app: the ASGI application, as `package.module:attribute`. It is imported from
            where Python finds it; the current directory is not added. Whoever may
            write this key chooses which installed code runs.
        factory: `app` names a function, which is called with `settings` and returns
            the application.
        settings: handed to the application: as `scope["state"]["settings"]` with each
            request (`request.state.settings` in Starlette), and to a factory.
        host: the address or host name to listen on.
        port: the port to listen on; 0 takes any free one, which `probe` shows.
        uds: the path of a unix socket to listen on, instead of `host` and `port`.
        backlog: how many connections may wait to be accepted.
        keep_alive_timeout: seconds after which an idle connection is closed.
        startup_timeout: seconds that the application's own start may take.
        drain_timeout: seconds that requests in flight may take when the application
            or the address they came by is given up.
        access_log: log each request to the logger `uvicorn.access`.
    """

    app: str = attrs.field(
        validator=validators.matches_re(r"[^\W\d]\w*(\.\w+)*:[^\W\d]\w*(\.\w+)*")
    )
    factory: bool = False
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    host: str = attrs.field(default="127.0.0.1", validator=validators.min_len(1))
    port: int = attrs.field(
        default=8000, validator=[validators.ge(0), validators.le(65535)]
    )
    uds: str | None = attrs.field(
        default=None, validator=validators.optional(validators.min_len(1))
    )
    backlog: int = attrs.field(default=2048, validator=validators.ge(1))
    keep_alive_timeout: float = attrs.field(default=5.0, validator=validators.gt(0))
    startup_timeout: float = attrs.field(default=20.0, validator=validators.gt(0))
    drain_timeout: float = attrs.field(default=5.0, validator=validators.ge(0))
    access_log: bool = True

    @property
    def address(self) -> tuple[str, int] | str:
        """What is listened on, as configured: two equal ones share a listener."""
        return self.uds or (self.host, self.port)

    @property
    def served(self) -> tuple[str, bool, str]:
        """What answers the requests: two equal ones share an application."""
        # 1, 1.0 and true are equal in Python, and are not the same setting.
        return self.app, self.factory, json.dumps(self.settings, default=repr)
