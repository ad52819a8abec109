from __future__ import annotations

import functools
import math
import threading

import pytest

from midflight import Applied, Rejected, Unchanged, hookimpl
from midflight.errors import SourceUnavailableError, TransientError
from midflight.testing import FakeSource, FakeSystem, wait_until

ONE = ("m1",)


def retry_after(bench):
    """Return the simulated seconds until the next try, or `None`."""
    at = bench.runtime._reloader.attempts.retry_at
    return None if at == math.inf else round(at - bench.system.monotonic(), 6)


def test_a_transient_failure_is_tried_again_later_and_later(bench):
    """Pauses double from 1 s to the longest, and each is jittered from nothing."""
    bench.system = FakeSystem(chances=[1.0] * 20)
    bench.run(bench.document(1, names=ONE), watch=True, backoff=30.0)
    bench.source.hints = 0
    bench.source.fail(SourceUnavailableError("down"))
    bench.runtime.reload()
    pauses = []

    for _ in range(8):
        pauses.append(retry_after(bench))
        asked = bench.source.hashes
        bench.system.advance(pauses[-1] + 0.001)
        wait_until(functools.partial(bench.looked, bench.source, asked), "the retry")
        bench.settle()

    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("chance", [0.001, 0.25, 0.999])
def test_the_pause_has_full_jitter(bench, chance):
    """Many clients that lost one server do not come back at one moment."""
    bench.system = FakeSystem(chances=[chance] * 3)
    bench.run(bench.document(1, names=ONE), watch=True)
    bench.script("m1", "prepare", _busy)

    bench.source.hints = 0
    bench.change(bench.document(2, names=ONE))
    bench.settle()

    assert retry_after(bench) == chance


def _busy(*_):
    raise TransientError("busy")


def test_what_failed_for_now_is_applied_at_a_retry(watched):
    """A failed apply is tried again although the source has not changed."""
    watched.script("m1", "prepare", _busy)
    outcome = watched.change(watched.document(2, names=ONE))
    watched.unscript()

    watched.system.advance(1.1)
    wait_until(lambda: watched.value() == 2, "the retry")

    assert isinstance(outcome, Rejected)
    assert outcome.transient
    assert watched.runtime.status()["state"] == "healthy"


@pytest.mark.parametrize(
    "error", [OSError("no space"), TransientError("busy"), TimeoutError("slow")]
)
def test_some_refusals_are_for_now(watched, error):
    """An error of the machine may pass: the same content is tried again."""

    def refuse(*_):
        raise error

    watched.script("m1", "prepare", refuse)

    assert watched.change(watched.document(2, names=ONE)).transient


@pytest.mark.parametrize("error", [ValueError("bad"), KeyError("k"), SystemExit(1)])
def test_a_refusal_on_the_merits_is_not_tried_again(watched, error):
    """Content that a module refuses waits for other content."""

    def refuse(*_):
        raise error

    watched.script("m1", "prepare", refuse)
    outcome = watched.change(watched.document(2, names=ONE))
    watched.unscript()
    watched.system.advance(100)
    watched.settle()
    watched.source.hint()
    watched.system.advance(100)
    watched.settle()

    assert not outcome.transient
    assert watched.value() == 1
    assert watched.runtime.status()["state"] == "rejected"


def test_a_reload_tries_refused_content_again(watched, fail):
    """Somebody who asks gets an answer, not a memory."""
    watched.script("m1", "prepare", fail)
    watched.change(watched.document(2, names=ONE))
    watched.unscript()

    assert isinstance(watched.runtime.reload(), Applied)
    assert watched.runtime.status()["rejected"] is None


def test_refused_content_that_comes_back_is_known(watched, fail):
    """Content that was refused costs no module a second `prepare`, though touched."""
    bad = watched.document(2, names=ONE)
    watched.script("m1", "prepare", fail)
    watched.change(bad)
    watched.forget()
    loads = watched.source.loads

    watched.source.set(bad)
    watched.system.advance(0.3)
    wait_until(lambda: watched.source.loads > loads, "the look")
    watched.settle()

    assert watched.calls("prepare") == []
    assert watched.runtime.status()["state"] == "rejected"


def test_a_read_that_failed_is_made_again_at_the_next_hint(bench):
    """A token whose content could not be read does not count as seen."""

    class Torn(FakeSource):
        torn = False

        @hookimpl
        def load(self):
            loaded = super().load()
            if self.torn:
                raise OSError("torn")
            return loaded

    torn = Torn(bench.document(1, names=ONE))
    bench.make({}, source=torn, watch=True, backoff=1000).start()
    torn.hints = 0
    torn.torn = True
    torn.set(bench.document(2, names=ONE))
    outcome = bench.runtime.reload()
    torn.torn = False
    hints = threading.Thread(target=torn.hint)
    hints.start()
    hints.join(5)

    assert outcome.reason == "source_unavailable"
    assert bench.value() == 2
    assert bench.runtime.status()["state"] == "healthy"


def test_good_bad_good_ends_healthy(watched):
    """Back on the running content, nothing is wrong any more."""
    good = watched.document(1, names=ONE)
    outcome = watched.change({"modules": "oops"})
    refused = watched.runtime.status()
    back = watched.change(good)

    assert isinstance(outcome, Rejected)
    assert refused["state"] == "rejected"
    assert refused["rejected"]["reason"] == "invalid"
    assert refused["applied"]["digest"] == watched.runtime.snapshot.digest
    assert isinstance(back, Unchanged)
    assert back.ok
    assert watched.runtime.status()["state"] == "healthy"
    assert watched.runtime.status()["rejected"] is None


def test_a_b_a_within_one_look_is_no_change(watched):
    """Content that is back before anybody looked costs nothing."""
    watched.source.hints = 0
    watched.source.set(watched.document(2, names=ONE))
    watched.source.set(watched.document(1, names=ONE))
    watched.forget()

    outcome = watched.runtime.reload()

    assert outcome.reason == "same_digest"
    assert watched.log == []
