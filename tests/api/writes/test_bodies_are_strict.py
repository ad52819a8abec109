"""What two readers could read differently is refused, before anything else is done."""

from __future__ import annotations

import json

import pytest

from midflight_plugins.api import ROUTES, Caller

from .conftest import CONFIG, Client

BODIES = {
    "trailing bytes": (b'{"rate": 5} x', 400, "E_SYNTAX"),
    "two values": (b'{"rate": 5}{"rate": 6}', 400, "E_SYNTAX"),
    "nothing": (b" ", 400, "E_SYNTAX"),
    "cut off": (b'{"rate": ', 400, "E_SYNTAX"),
    "a comment": (b'{"rate": 5} // why', 400, "E_SYNTAX"),
    "twice": (b'{"rate": 5, "rate": 6}', 400, "E_DUPKEY"),
    "twice, below": (b'{"deep": [{"x": 1, "x": 1}]}', 400, "E_DUPKEY"),
    "not a number": (b'{"rate": NaN}', 400, "E_NONFINITE"),
    "infinity": (b'{"rate": -Infinity}', 400, "E_NONFINITE"),
    "too large a float": (b'{"rate": 1e999}', 400, "E_NONFINITE"),
    "too many digits": (b'{"rate": ' + b"9" * 5_000 + b"}", 400, "E_RANGE"),
    "latin-1": ('{"name": "é"}'.encode("latin-1"), 400, "E_ENCODING"),
    "utf-16": ('{"rate": 5}'.encode("utf-16"), 400, "E_ENCODING"),
    "a list": (b"[1]", 400, "E_TOPLEVEL"),
    "a text": (b'"rate"', 400, "E_TOPLEVEL"),
    "too deep": (b'{"x": ' + b"[" * 65 + b"]" * 65 + b"}", 400, "E_DEPTH"),
    "far too deep": (b"[" * 500_000, 400, "E_DEPTH"),
    "too large": (b'{"x": "' + b"x" * 2**20 + b'"}', 413, "E_SIZE"),
}
TAKERS = [
    (route.method, route.path.replace("{name}", "api").removeprefix("/api/v1/"))
    for route in ROUTES
    if route.takes is not None
]


def told(answer):
    """Return what says why a request was refused."""
    return answer.status, answer.content["code"]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("route", TAKERS, ids=" ".join)
def test_no_route_takes_a_body_that_is_not_one_json_object(ask, state, route, body):
    """Each of them says what is wrong, and stores nothing."""
    method, path = route
    data, *expected = BODIES[body]
    query = "?path=modules.api.config.rate" if path == "overrides" else ""
    before = state()

    assert told(ask(method, path + query, data)) == tuple(expected)
    assert state() == before


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
     "application/jsonx", "application/json; charset=latin-1"],
)  # fmt: skip
@pytest.mark.parametrize("route", TAKERS, ids=" ".join)
def test_no_route_takes_a_body_that_is_not_called_json(ask, route, kind):
    """So a form of another site can send nothing."""
    method, path = route
    query = "?path=modules.api.config.rate" if path == "overrides" else ""
    answer = ask(method, path + query, b"{}", content_type=kind)

    assert told(answer) == (415, "E_FORMAT")


def test_a_compressed_body_is_refused(ask):
    """It could be a bomb."""
    answer = ask("PUT", CONFIG, b"\x1f\x8b", content_encoding="gzip")

    assert told(answer) == (415, "E_FORMAT")


@pytest.mark.parametrize(
    "kind", ["application/json", 'Application/JSON; charset="UTF-8"']
)
def test_json_is_taken_however_it_is_called(ask, kind):
    """Case and a charset do not matter; nor does a byte order mark."""
    data = b"\xef\xbb\xbf" + json.dumps({"rate": 5}).encode()

    assert ask("PUT", CONFIG, data, content_type=kind).status == 200


def test_a_patch_may_be_called_a_merge_patch(ask):
    """A PUT may not."""
    kind = "application/merge-patch+json"

    assert ask("PUT", CONFIG, {}, content_type=kind).status == 415
    assert ask("PATCH", CONFIG, {"rate": 5}, content_type=kind).status == 200


def test_the_place_of_a_syntax_error_is_told(ask):
    """With line and column."""
    answer = ask("PUT", CONFIG, b'{"rate": 5,\n "x" 6}')

    assert (answer.content["line"], answer.content["column"]) == (2, 6)


@pytest.mark.parametrize("name", ["plan", "apply", "rollback", "reload"])
def test_a_member_that_nobody_reads_is_refused(ask, name):
    """A misspelt one would change what is asked for."""
    answer = ask("POST", name, {"modul": "api"})

    assert answer.status == 422
    assert told(answer)[1] in {"E_UNKNOWN", "E_REQUIRED"}


@pytest.mark.parametrize(
    ("value", "code"), [(2**64, "E_RANGE"), ("a\0b", "E_CHAR"), ("\ud800", "E_CHAR")]
)
def test_what_no_document_can_hold_is_refused(ask, state, value, code):
    """Though it is JSON."""
    before = state()

    assert told(ask("PATCH", CONFIG, {"rate": value})) == (422, code)
    assert state() == before


@pytest.mark.parametrize("scopes", [("admin",), ("write:*",)])
def test_an_actor_is_a_text_whoever_asks(runtime, scopes):
    """It is checked also of who cannot name another one."""
    asked = Client(runtime, Caller("token bench", scopes))
    answer = asked("POST", "reload", {"actor": {"name": "ada"}})

    assert told(answer) == (422, "E_TYPE")
