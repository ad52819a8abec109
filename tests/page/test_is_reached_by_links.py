"""A link to the page in a chat or a wiki leads there; no other request does."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

LINK = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


def sent(service, line, **headers):
    """Send a request as it stands, and return the status and the head."""
    url = urlsplit(service.url)
    given = {"Host": url.netloc, "Connection": "close", **headers}
    lines = [f"{line} HTTP/1.1", *(f"{name}: {each}" for name, each in given.items())]
    with socket.create_connection((url.hostname, url.port), timeout=10) as sock:
        sock.sendall("\r\n".join([*lines, "", ""]).encode())
        data = b""
        while part := sock.recv(65_536):
            data += part
    head = data.partition(b"\r\n\r\n")[0].decode()
    return int(head.split()[1]), head.lower()


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_link_leads_to_the_login_and_on(service, method, site):
    """The browser leaves the session out, so the way there is by the login."""
    headers = {**LINK, "Sec-Fetch-Site": site}
    status, head = sent(service, f"{method} /history/3?x=1", **headers)
    shown, _ = sent(service, "GET /login?next=%2Fhistory%2F3", **headers)

    assert (status, shown) == (303, 200)
    assert "location: /login?next=%2fhistory%2f3%3fx%3d1\r\n" in head


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/status",
        "/api/v1/events",
        "/livez",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/page/events",
        "/page/static/page.css",
        "/modules/limiter/plan",
        "/nothing",
        "//login",
        "/login/../api/v1/status",
    ],
)
def test_a_link_leads_to_no_more_than_the_page(service, path):
    """What no browser shows as a page is refused, also with a token."""
    headers = {**LINK, "Authorization": f"Bearer {service.token}"}

    assert sent(service, f"GET {path}", **headers)[0] == 403


@pytest.mark.parametrize(
    "other",
    [
        {"Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Dest": ""},
        {"Origin": "null"},
        {"Origin": "https://chat.example"},
    ],
)
def test_another_site_gets_nothing_but_by_a_link(service, other):
    """Frames, pictures and scripts of another site are refused as before."""
    assert sent(service, "GET /", **{**LINK, **other})[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_a_form_of_another_site_is_no_link(service, method):
    """It navigates as well, and is refused by its method."""
    status, _ = sent(service, f"{method} /login", **LINK, **{"Content-Length": "0"})

    assert status == 403
