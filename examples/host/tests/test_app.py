"""The shop answers with the configuration in force at each request."""

from __future__ import annotations

import pytest
from corner_shop.app import Application

from midflight import Runtime
from midflight.testing import FakeSource


def shop(**section):
    """Return a configuration with one shelf, and what is given of the shop."""
    config = {"prices": {"apple": 0.5}, "stock": 2}
    fruit = {"name": "fruit", "type": "shelf", "config": config}
    return {"modules": [fruit], "shop": section}


@pytest.fixture
def source():
    """Return the configuration of a shop."""
    return FakeSource(shop(greeting="hello"))


@pytest.fixture
def runtime(source):
    """Return the running shop."""
    with Runtime(source) as runtime:
        yield runtime


@pytest.fixture
def ask(runtime):
    """Return a function that makes one request."""
    application = Application(runtime)

    def ask(method, path):
        answer = []
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
        body = application(environ, lambda status, _: answer.append(status))
        return answer[0], b"".join(body).decode()

    return ask


def test_lists_prices(ask):
    """The list has the greeting, and each thing with its price."""
    assert ask("GET", "/") == ("200 OK", "hello\napple 0.50 (2 left)\n")


def test_a_discount_holds_from_the_next_request_on(ask, source, runtime):
    """Live settings are read at each request, without a restart."""
    source.set(shop(greeting="sale", discount=0.5))

    assert runtime.reload().ok
    assert ask("GET", "/") == ("200 OK", "sale\napple 0.25 (2 left)\n")


def test_a_discount_that_makes_no_sense_is_refused(ask, source, runtime):
    """Nobody sells for less than nothing; the old prices stay."""
    source.set(shop(greeting="sale", discount=2.0))

    assert runtime.reload().name == "rejected"
    assert ask("GET", "/")[1].startswith("hello\n")


def test_sells_until_nothing_is_left(ask):
    """What is bought is taken from the shelf."""
    told = [ask("POST", "/apple")[0] for _ in range(3)]

    assert told == ["200 OK", "200 OK", "404 Not Found"]
    assert "apple 0.50 (0 left)" in ask("GET", "/")[1]
