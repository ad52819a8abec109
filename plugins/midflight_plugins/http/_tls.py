"""The certificate of a server, tried out before it is used."""

from __future__ import annotations

import hashlib
import pathlib
import ssl
from collections.abc import Hashable

from midflight.errors import Code, Fault, InvalidConfigurationError, plain
from midflight_plugins.http._config import HttpConfig


def context_of(config: HttpConfig) -> ssl.SSLContext | None:
    """Return what TLS needs, `None` if none is wanted.

    Raises:
        InvalidConfigurationError: the files cannot be read, or do not fit together.
    """
    if config.tls_certificate is None:
        if config.tls_key is not None:
            message = "a key without a certificate"
            fault = Fault(Code.E_REQUIRED, message, ("tls_certificate",))
            raise InvalidConfigurationError(fault)
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # without a password given, OpenSSL would ask the terminal for it
        context.load_cert_chain(config.tls_certificate, config.tls_key, password="")
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        fault = Fault(
            Code.E_VALUE,
            f"the certificate cannot be used: {plain(reason or str(exc))}",
            ("tls_certificate",),
            found=config.tls_certificate,
            expected="PEM files of a certificate and its key, without a password",
        )
        raise InvalidConfigurationError(fault) from exc
    return context


def manner_of(config: HttpConfig) -> Hashable:
    """Return how a server speaks at its address: two that differ need two servers.

    Raises:
        InvalidConfigurationError: the certificate cannot be used.
    """
    context_of(config)
    names = filter(None, (config.tls_certificate, config.tls_key))
    digests = (
        hashlib.sha256(pathlib.Path(each).read_bytes()).digest() for each in names
    )
    return config.proxy_headers, config.is_bounded, *digests


def renew(context: ssl.SSLContext, config: HttpConfig) -> None:
    """Take up what the files hold now, for new connections."""
    assert config.tls_certificate is not None
    context.load_cert_chain(config.tls_certificate, config.tls_key, password="")
