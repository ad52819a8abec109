from __future__ import annotations

from typing import Any

import attrs
import pytest

from midflight import Runtime, Secret, hookimpl
from midflight.testing import FakeSource

pytestmark = pytest.mark.no_canaries
LIVE, RESTART = {"x-midflight": "live"}, {"x-midflight": "restart"}


@attrs.frozen
class Login:
    user: str = ""
    token: Secret | None = None


@attrs.frozen
class Limits:
    rate: int = attrs.field(default=1, metadata=LIVE)
    burst: int = attrs.field(default=1, metadata=LIVE)
    port: int = attrs.field(default=80, metadata=RESTART)
    word: Secret | None = None
    login: Login | None = None
    plain: int = 1
    sizes: dict[str, int] = attrs.field(factory=dict, metadata=LIVE)


class Limiter:
    Config = Limits

    def __init__(self, name):
        pass

    @hookimpl
    def start(self):
        pass

    @hookimpl
    def reconfigure(self):
        pass


class Rigid:
    Config = Limits

    def __init__(self, name):
        pass

    @hookimpl
    def start(self):
        pass


def steps(old: Any, new: Any, kind: str = "limiter", strategy: str = "surgical") -> Any:
    """Return the steps from one configuration of the module `api` to another."""

    def document(config):
        return {"modules": {"api": {"type": kind, "config": config}}}

    types = {"limiter": Limiter, "rigid": Rigid}
    runtime = Runtime(FakeSource(document(new)), modules=types, strategy=strategy)
    before, _ = Runtime(FakeSource(document(old)), modules=types).read()
    return runtime.plan(runtime.read()[0], base=before).steps


@pytest.mark.parametrize("strategy", ["surgical", "partial", "hold", "guarded"])
@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"plain": 2}, "configuration changed"),
        ({"rate": 2}, "configuration changed; `rate` is taken live"),
        (
            {"rate": 2, "burst": 2, "plain": 2},
            "configuration changed; `rate`, `burst` are taken live",
        ),
        ({"word": "open-sesame"}, "configuration changed; `word` is secret"),
        (
            {"rate": 2, "word": "open-sesame"},
            "configuration changed; `rate` is taken live; `word` is secret",
        ),
        (
            {"login": {"user": "me", "token": "open-sesame"}},
            "configuration changed; `login` is secret",
        ),
    ],
)
def test_a_step_says_what_is_live_and_what_is_secret(strategy, new, said):
    """Whatever the strategy, by the key alone; what is not marked is not spoken of."""
    (step,) = steps({}, new, strategy=strategy)

    assert (step.action, step.reason) == ("reconfigure", said)
    assert "open-sesame" not in repr(step)


def test_a_restart_takes_nothing_live():
    """What begins anew names the secrets beside the reason that it had."""
    new = {"rate": 2, "word": "open-sesame"}
    (marked,) = steps({}, {**new, "port": 81})
    (rigid,) = steps({}, new, "rigid")

    assert marked.action == rigid.action == "restart"
    assert marked.reason == "`port` changed, which needs a restart; `word` is secret"
    assert rigid.reason == "it cannot be reconfigured; `word` is secret"


def test_a_part_is_told_by_its_own_key():
    """A part has the mark of its whole; a key of what holds a secret has none."""
    old = {"login": {"user": "me", "token": "open-sesame"}, "sizes": {"a": 1}}
    new = {"login": {"user": "you", "token": "open-sesame"}, "sizes": {"a": 2}}

    assert [step.reason for step in steps(old, new)] == [
        "configuration changed; `sizes.a` is taken live"
    ]


def test_a_reason_stays_short():
    """Of many fields some are named, and the others counted."""
    old, new = ({"sizes": dict.fromkeys("abcde", size)} for size in (1, 2))
    (step,) = steps(old, new)

    assert step.reason.endswith(
        "; `sizes.a`, `sizes.b`, `sizes.c` and 2 more are taken live"
    )
