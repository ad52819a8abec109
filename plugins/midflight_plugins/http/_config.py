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
        uds_permissions: of that socket's file, in octal digits such as `"0600"`; by
            default what the process gives to new files.
        tls_certificate: a file with the certificate and its chain, in PEM; the address
            then speaks TLS only. A file that is replaced is taken up within a minute.
        tls_key: the file with its key, if that is another one.
        proxy_headers: believe a proxy on this host, or on those that the environment
            variable `FORWARDED_ALLOW_IPS` lists, about the client's address and scheme.
        backlog: how many connections may wait to be accepted.
        connections: how many may be open; one more ends that which has been idle
            longest. By default, as many as the system allows.
        head_timeout: seconds that a client may take to send the head of a request, or
            to take what was sent to it; by default, as long as it likes.
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
    uds_permissions: str | None = attrs.field(
        default=None, validator=validators.optional(validators.matches_re("0?[0-7]{3}"))
    )
    tls_certificate: str | None = attrs.field(
        default=None, validator=validators.optional(validators.min_len(1))
    )
    tls_key: str | None = attrs.field(
        default=None, validator=validators.optional(validators.min_len(1))
    )
    proxy_headers: bool = True
    backlog: int = attrs.field(default=2048, validator=validators.ge(1))
    connections: int | None = attrs.field(
        default=None, validator=validators.optional(validators.ge(1))
    )
    head_timeout: float | None = attrs.field(
        default=None, validator=validators.optional(validators.gt(0))
    )
    keep_alive_timeout: float = attrs.field(default=5.0, validator=validators.gt(0))
    startup_timeout: float = attrs.field(default=20.0, validator=validators.gt(0))
    drain_timeout: float = attrs.field(default=5.0, validator=validators.ge(0))
    access_log: bool = True

    @property
    def address(self) -> tuple[str, int] | str:
        """What is listened on, as configured: two equal ones share a listener."""
        return self.uds or (self.host, self.port)

    @property
    def is_bounded(self) -> bool:
        """Whether connections that ask nothing are limited."""
        return bool(self.connections or self.head_timeout)

    @property
    def served(self) -> tuple[str, bool, str]:
        """What answers the requests: two equal ones share an application."""
        # 1, 1.0 and true are equal in Python, and are not the same setting.
        return self.app, self.factory, json.dumps(self.settings, default=repr)
