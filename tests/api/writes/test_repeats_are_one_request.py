"""With an `Idempotency-Key` a repeated request is done once, and answered again."""

from __future__ import annotations

import threading

import pytest

from midflight_plugins.api import Caller, Request
from midflight_plugins.api._http import Answer, Problem
from midflight_plugins.api._idempotency import Idempotency

from .conftest import CONFIG, Client


def request(key="k", caller="ada", body=b""):
    """Return a request with a key."""
    headers = {"idempotency-key": key}
    return Request(Caller(caller, ("admin",)), headers=headers, body=body)


class Counted:
    """Answers with how often it was asked."""

    def __init__(self, status=200):
        self.count, self.status = 0, status

    def __call__(self):
        self.count += 1
        return Answer(self.count, self.status)


@pytest.fixture
def now():
    """Return the time, to be changed."""
    return [0.0]


@pytest.fixture
def once(now):
    """Return what remembers, by that time."""
    return Idempotency(lambda: now[0]).once


def test_a_repeated_put_is_done_once(ask, runtime, overrides):
    """The second answer is the first, and says that it is."""
    first = ask("PATCH", CONFIG, {"rate": 5}, idempotency_key="k1")
    second = ask("PATCH", CONFIG, {"rate": 5}, idempotency_key="k1")

    assert first.status == 200
    assert second.content == first.content
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert (runtime.snapshot.generation, overrides.version) == (2, 1)


@pytest.mark.parametrize("change", ["body", "path", "query", "method", "match"])
def test_a_key_is_for_one_request(ask, state, change):
    """422 if anything of it is another."""
    ask("PATCH", CONFIG, {"rate": 5}, idempotency_key="k1")
    before = state()
    method = "PUT" if change == "method" else "PATCH"
    path = "modules/web/config" if change == "path" else CONFIG
    path += "?message=x" if change == "query" else ""
    more = {"if_match": "*"} if change == "match" else {}
    body = {"rate": 6 if change == "body" else 5}
    answer = ask(method, path, body, idempotency_key="k1", **more)

    assert (answer.status, answer.content["code"]) == (422, "E_CONFLICT")
    assert state() == before


def test_a_key_belongs_to_who_sent_it(runtime, ask):
    """Another caller learns nothing by it."""
    ask("PATCH", CONFIG, {"rate": 5}, idempotency_key="k1")
    other = Client(runtime, Caller("eve", ("write:web",)))

    assert other("PATCH", CONFIG, {"rate": 5}, idempotency_key="k1").status == 403


@pytest.mark.parametrize("status", [200, 202, 422])
def test_what_is_settled_is_remembered(once, status):
    """A change that was made, or that no repetition makes better."""
    act = Counted(status)

    assert [once(request(), "PUT", act).content for _ in range(2)] == [1, 1]


@pytest.mark.parametrize("status", [403, 404, 409, 412, 428, 500, 501, 503])
def test_what_may_go_right_at_the_next_try_is_not(once, status):
    """Whatever stood in its way may be over."""
    act = Counted(status)

    assert [once(request(), "PUT", act).content for _ in range(2)] == [1, 2]


def test_a_doubled_request_waits_for_the_first(once):
    """It gets the same answer, and nothing is done twice."""
    begun, go, answers = threading.Event(), threading.Event(), []
    act = Counted()

    def slow():
        begun.set()
        go.wait(10)
        return act()

    first = threading.Thread(target=lambda: answers.append(once(request(), "P", slow)))
    first.start()
    begun.wait(10)
    second = threading.Thread(target=lambda: answers.append(once(request(), "P", act)))
    second.start()
    go.set()
    for thread in (first, second):
        thread.join(10)

    assert [each.content for each in answers] == [1, 1]
    assert act.count == 1


def test_a_key_is_forgotten_after_a_day(once, now):
    """From then on it is a new request."""
    act = Counted()
    once(request(), "PUT", act)
    now[0] = 86_399
    assert once(request(), "PUT", act).content == 1
    now[0] = 86_400

    assert once(request(), "PUT", act).content == 2


def test_keys_do_not_pile_up(once):
    """The oldest of 1,024 goes first."""
    act = Counted()
    for number in range(1_025):
        once(request(f"{number}"), "PUT", act)

    assert once(request("1024"), "PUT", act).content == 1_025
    assert once(request("0"), "PUT", act).content == 1_026


@pytest.mark.parametrize(("others", "later"), [(1_100, 0.0), (1, 90_000.0)])
def test_what_is_under_way_is_never_forgotten(once, now, others, later):
    """However many keys come meanwhile, and however long it takes."""
    act, begun, go = Counted(), threading.Event(), threading.Event()

    def slow():
        begun.set()
        go.wait(10)
        return act()

    first = threading.Thread(target=once, args=(request("first"), "P", slow))
    first.start()
    begun.wait(10)
    now[0] = later
    for number in range(others):
        once(request(f"{number}"), "P", Counted())
    with pytest.raises(Problem, match="another request"):
        once(request("first", body=b"other"), "P", act)
    go.set()
    first.join(10)

    assert act.count == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_length(once, key):
    """An empty one would be everybody's."""
    with pytest.raises(Problem, match="characters"):
        once(request(key), "PUT", Counted())


def test_an_act_that_raises_is_forgotten(once):
    """Who waits is told to try again, and can."""

    def fail():
        raise RuntimeError("oops")

    with pytest.raises(RuntimeError):
        once(request(), "PUT", fail)

    assert once(request(), "PUT", Counted()).content == 1
