"""What is allowed in general, whoever asks: hosts, origins, limits, tokens."""

from __future__ import annotations

import ipaddress

import attrs

from midflight.errors import Code
from midflight_plugins.admin._config import AdminConfig
from midflight_plugins.admin._tokens import Tokens
from midflight_plugins.api import Caller, Problem
from midflight_plugins.http import Scope

_NAMES = ("localhost", "127.0.0.1", "[::1]")
_PORTS = {"http": 80, "https": 443}
_IPV6 = 6
_SITES = {"cross-site", "same-site"}


@attrs.frozen
class Policy:
    """What is allowed.

    Args:
        config: the settings in force.
        tokens: who may do what.
    """

    config: AdminConfig
    tokens: Tokens

    def believe(self, scope: Scope) -> None:
        """Take client and scheme from the proxy in front, if there shall be one."""
        if not self.config.behind_proxy:
            return
        # each proxy adds what it sees at the end; what stands before may be anyone's
        client = _header(scope, b"x-forwarded-for").rpartition(",")[2].strip()
        if client:
            scope["client"] = (client[:64], 0)
        scheme = _header(scope, b"x-forwarded-proto").rpartition(",")[2].strip().lower()
        if scheme in _PORTS:
            scope["scheme"] = scheme

    def caller(self, scope: Scope) -> Caller | None:
        """Return whose token is in the header of a request, if there is a valid one."""
        given = _headers(scope, b"authorization")
        scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
        is_bearer = scheme.lower() == "bearer"
        return self.tokens.identify(token.strip() if is_bearer else "")

    def refusal(self, scope: Scope) -> Problem | None:
        """Return why a request is refused for where it comes from, else `None`."""
        hosts = _headers(scope, b"host")
        if len(hosts) > 1 or not self._is_ours(scope, "".join(hosts).lower()):
            return _refused("the name in `Host` is not one of this server")
        origin = _header(scope, b"origin").lower()
        if origin and not _is_own(scope, origin, hosts[0].lower() if hosts else ""):
            return _refused("the page that asks is another server's")
        is_other = _header(scope, b"sec-fetch-site").lower() in _SITES
        if is_other and not _is_followed(scope):
            return _refused("the page that asks is another site's")
        return None

    def _is_ours(self, scope: Scope, host: str) -> bool:
        """Tell whether a request names this server, and no name made to point here."""
        if self.config.socket is not None and not self.config.behind_proxy:
            return True  # no browser reaches it by a name
        bound, port = scope.get("server") or ("", None)
        name, _, given = host.rpartition(":")
        if not given.isdecimal():  # no port, or it is in the middle of an IPv6 address
            name, given = host, str(_PORTS.get(scope["scheme"], port))
        own = (*_NAMES, *_as_host(bound))
        if name in own and given == str(port):
            return True
        return any(each.lower() in {host, name} for each in self.config.hosts)


def _as_host(bound: str) -> tuple[str, ...]:
    """Return how a URL writes an address; a name is nothing that is bound."""
    try:
        address = ipaddress.ip_address(bound)
    except ValueError:
        return ()
    return (f"[{address}]" if address.version == _IPV6 else str(address),)


def _is_followed(scope: Scope) -> bool:
    """Tell whether somebody followed a link of another site to the page.

    His browser leaves the session's cookie out then, and asks for a log in. Nothing of
    the API is looked at in that way.
    """
    from midflight_plugins.admin.page import is_view

    asks = _header(scope, b"sec-fetch-mode"), _header(scope, b"sec-fetch-dest")
    looks = scope["method"] in {"GET", "HEAD"} and asks == ("navigate", "document")
    return looks and is_view(path_of(scope))


def path_of(scope: Scope) -> str:
    """Return the path below where the application is mounted."""
    path, root = scope["path"], scope.get("root_path", "")
    is_below = root and path.startswith(f"{root}/")
    return str(path[len(root) :] if is_below else path)


def client_of(scope: Scope) -> str:
    """Return the address of who asks; all who come by a unix socket are one."""
    return scope["client"][0] if scope.get("client") else "unix"


def _refused(why: str) -> Problem:
    hint = "; further names stand in the setting `hosts`" if "Host" in why else ""
    return Problem(403, Code.E_ORIGIN, f"{why}{hint}")


def _is_own(scope: Scope, origin: str, host: str) -> bool:
    scheme, _, place = origin.partition("://")
    # a proxy that says nothing of TLS leaves `http` here and `https` in the browser
    schemes = {"https"} if scope["scheme"] == "https" else {"http", "https"}
    return bool(host) and scheme in schemes and place == host


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _header(scope: Scope, name: bytes) -> str:
    """Return a header; of one that is given twice, all with commas."""
    return ",".join(_headers(scope, name))
