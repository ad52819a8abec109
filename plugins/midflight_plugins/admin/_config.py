"""What an operator may set for an `admin` module."""

from __future__ import annotations

import ipaddress
import re

import attrs
from attrs import validators

_ADDRESS = re.compile(
    r"unix:.+|(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})"
)
_LAST_PORT = 65_535


def _is_address(_instance: object, field: attrs.Attribute[str], value: str) -> None:
    found = _ADDRESS.fullmatch(value)
    if found is None or int(found["port"] or 0) > _LAST_PORT:
        msg = f"'{field.name}' must be HOST:PORT or unix:PATH"
        raise ValueError(msg)


@attrs.frozen
class AdminConfig:
    """Settings of an `admin` module.

    Args:
        address: where to listen: `HOST:PORT`, port 0 taking any free one, or
            `unix:PATH`. One that other hosts reach needs `tls_certificate` or
            `behind_proxy`.
        hosts: names under which browsers and programs reach it, beside the address
            itself, `localhost` and the like; with a port, or for any port.
        behind_proxy: a proxy in front speaks TLS to the clients and says in
            `X-Forwarded-For` and `X-Forwarded-Proto` who they are. Without this
            setting both are ignored.
        tls_certificate: a file with the certificate and its chain, in PEM; one that is
            replaced is taken up within a minute.
        tls_key: the file with its key, if that is another one.
        token_file: the file of tokens that `midflight token` writes; by default
            `admin-tokens.json` in the state directory.
        body_limit: bytes that the body of a request may have.
        patience: seconds that a request may take to arrive, and each part of an answer
            to be taken.
        connections: how many may be open; one more ends that which has been idle
            longest.
        requests_per_second: how many may be sent with one token for long; twice as
            many at once. Whoever sends no valid one, such as a browser that shows the
            page, may send at most 50 from one address.
        failed_logins: how many wrong tokens of one client are answered 401 in a
            minute, and more of them 429. A right one is let in all the same.
    """

    address: str = attrs.field(default="127.0.0.1:8900", validator=_is_address)
    hosts: tuple[str, ...] = ()
    behind_proxy: bool = False
    tls_certificate: str | None = attrs.field(
        default=None, validator=validators.optional(validators.min_len(1))
    )
    tls_key: str | None = attrs.field(
        default=None, validator=validators.optional(validators.min_len(1))
    )
    token_file: str | None = attrs.field(
        default=None, validator=validators.optional(validators.min_len(1))
    )
    body_limit: int = attrs.field(default=1_048_576, validator=validators.ge(1))
    patience: float = attrs.field(default=10.0, validator=validators.gt(0))
    connections: int = attrs.field(default=500, validator=validators.ge(2))
    requests_per_second: float = attrs.field(default=200.0, validator=validators.gt(0))
    failed_logins: int = attrs.field(default=10, validator=validators.ge(1))

    @property
    def socket(self) -> str | None:
        """The path of its unix socket, if it is one."""
        found = self.address.removeprefix("unix:")
        return found if found != self.address else None

    @property
    def place(self) -> tuple[str, int]:
        """Its host and port, if it is no unix socket."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def is_local(self) -> bool:
        """Whether only this host can reach it."""
        if self.socket is not None:
            return True
        host, _ = self.place
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"
