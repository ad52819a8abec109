"""The module type `admin`."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, cast

import attrs

from midflight import Document, Health, hookimpl
from midflight.errors import (
    Code,
    Fault,
    InvalidConfigurationError,
    MissingDependencyError,
)
from midflight_plugins.admin._config import AdminConfig
from midflight_plugins.http import App, HttpConfig, Listener, Prepared

if TYPE_CHECKING:
    from midflight import Runtime
    from midflight_plugins.admin._policy import Policy
    from midflight_plugins.admin._site import Operation, Site

_log = logging.getLogger("midflight.admin")


class AdminModule(Listener):
    """Serves the HTTP API and the page about the runtime whose module it is.

    Its own change is one like any other: an address that is taken, a certificate or a
    file of tokens that cannot be used refuse it, and it serves as before.
    """

    Config = AdminConfig

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._site: Site | None = None
        self._told = ""

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Everything that it answers, with the scope that each thing needs."""
        return () if self._site is None else self._site.operations

    def application(self, config: HttpConfig) -> App:  # noqa: ARG002  # it is the same for every one
        """Return what answers; the settings it answers by come with each request."""
        assert self._site is not None
        return self._site.app

    @hookimpl
    def prepare(
        self, config: AdminConfig, document: Document, runtime: Runtime
    ) -> Prepared:
        """Look at the tokens and the certificate, and open the socket.

        Raises:
            InvalidConfigurationError: without a token or TLS, or with one that cannot
                be used.
            MissingDependencyError: a library is not installed.
            OSError: the address is taken.
        """
        require()
        if not (config.is_local or config.tls_certificate or config.behind_proxy):
            raise _open(config)
        from midflight_plugins.admin._first import tokens_of
        from midflight_plugins.admin._policy import Policy
        from midflight_plugins.admin._site import Site

        starts = self.config is None
        tokens = tokens_of(config.token_file, runtime.state_dir, starts=starts)
        policy = Policy(config, tokens)
        if self._site is None:
            self._site = Site(runtime, self._policy)
        return self.ready(_listening(config, policy), document, runtime)

    @hookimpl
    def start(self, prepared: Prepared) -> None:
        """Make the first token if there is none, begin to serve, and say where.

        Raises:
            InvalidConfigurationError: the first token cannot be written.
        """
        from midflight_plugins.admin._first import begin

        policy: Policy = prepared.config.settings["policy"]
        begin(policy.config.token_file, policy.tokens)
        super().start(prepared)
        self._tell()

    @hookimpl
    def reconfigure(self, prepared: Prepared) -> None:
        """Let new requests be answered by the new settings."""
        super().reconfigure(prepared)
        self._tell()

    @hookimpl
    def probe(self) -> Health:
        """Say whether requests are accepted, where, and by which settings."""
        if self.config is None:
            return self.health({})
        return self.health(attrs.asdict(self._policy().config, recurse=False))

    @hookimpl
    def stop(self) -> None:
        """End every stream, finish the other requests, and end everything.

        One that changes something may be what waits for this: it is answered all the
        same, by a thread that stays behind for that long.
        """
        is_busy = False
        if self._site is not None:
            self._site.streams.close()
            is_busy = self._site.writes > 0
        try:
            self.close()
        finally:
            if is_busy:
                threading.Thread(target=self.finish, name=f"{self.name}-end").start()
            else:
                self.finish()

    def _tell(self) -> None:
        """Log where it is, if that is news."""
        config = self._policy().config
        at = str(self.health({}).values["address"])
        if config.socket is None:
            at = f"{'https' if config.tls_certificate else 'http'}://{at}/"
        if at != self._told:
            _log.info("%s is at %s", self.name, at)
            self._told = at

    def _policy(self) -> Policy:
        assert self.config is not None
        return cast("Policy", self.config.settings["policy"])


def require() -> None:
    """Raise `MissingDependencyError` if a library is not installed."""
    try:
        import jinja2  # noqa: F401  # only whether it is there
        import msgspec  # noqa: F401  # the same
        import prometheus_client  # noqa: F401  # the same
        import starlette  # noqa: F401  # the same
    except ImportError as exc:
        what = "a module of type `admin`"
        raise MissingDependencyError(what, exc.name or "starlette", "admin") from exc


def _listening(config: AdminConfig, policy: Policy) -> HttpConfig:
    """Return the settings of the server."""
    host, port = ("localhost", 0) if config.socket else config.place
    return HttpConfig(
        app="midflight_plugins.admin:asgi",
        settings={"policy": policy},
        host=host,
        port=port,
        uds=config.socket,
        uds_permissions="0600" if config.socket else None,
        tls_certificate=config.tls_certificate,
        tls_key=config.tls_key,
        proxy_headers=False,
        connections=config.connections,
        head_timeout=config.patience,
        access_log=False,
    )


def _open(config: AdminConfig) -> InvalidConfigurationError:
    fault = Fault(
        Code.E_VALUE,
        "other hosts would reach it, and read its tokens on the way",
        ("address",),
        found=config.address,
        expected="an address of this host, or TLS",
        hint="set `tls_certificate`, or `behind_proxy` if a proxy speaks TLS in front",
    )
    return InvalidConfigurationError(fault)
