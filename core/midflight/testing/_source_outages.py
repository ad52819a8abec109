"""What every source promises when the server that it reads from is gone."""

from __future__ import annotations

import contextlib
import logging
import threading
import traceback

import pytest

from midflight._outcome import Reason
from midflight._runtime import Runtime
from midflight.errors import MidflightError
from midflight.testing._calls import SourceCalls, runtime_of
from midflight.testing._servers import Server
from midflight.testing._source_fixtures import Act, SourceFixtures
from midflight.testing._system import wait_until

_CONVERGES = 3.0  # s from the change to the running instance


class OutageClauses(SourceFixtures):
    """A part of `SourceContract`."""

    def test_an_outage_leaves_the_last_good_in_force(
        self,
        calls: SourceCalls,
        source: object,
        outage: Server,
        secrets: tuple[str, ...],
        patience: float,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A runtime goes on, and says what is wrong without any secret."""
        caplog.set_level(logging.INFO)  # what it and its client log as well
        caplog.set_level(logging.DEBUG, "midflight")
        with runtime_of(source, watch=True) as runtime:
            good = runtime.snapshot
            outage.kill()
            outcome, status = runtime.reload(), runtime.status()
            kept = runtime.snapshot
        error = "".join(traceback.format_exception(outcome.error))
        error += _watched_in_vain(calls, caplog, patience)
        text = "\n".join([repr(outcome), error, repr(status), caplog.text])

        assert outcome.reason is Reason.SOURCE_UNAVAILABLE
        assert kept is good
        said = [secret for secret in secrets if secret in text]
        assert said == [], "raise your own error `from None`, with nothing secret in it"

    def test_a_silent_server_does_not_hold_a_read(
        self, calls: SourceCalls, outage: Server, patience: float
    ) -> None:
        """A server that takes connections, and answers nothing, is an outage too."""
        if outage.process is None:
            pytest.skip("the server is no process here")
        calls.load()
        ended = threading.Event()

        def read() -> None:
            with contextlib.suppress(Exception):  # whatever its client raises
                calls.load()
            ended.set()

        with outage.silenced():
            threading.Thread(target=read, daemon=True).start()
            has_ended = ended.wait(3 * patience)
        ended.wait(3 * patience)  # it disturbs no other clause

        assert has_ended, f"held for {3 * patience:g} s: give each call a timeout"

    def test_converges_after_an_outage(
        self, source: object, outage: Server, changing: Act, patience: float
    ) -> None:
        """What changes when the server is back is in force within 3 s."""
        with runtime_of(source, watch=True, sweep=0.5, backoff=0.5) as runtime:
            good = runtime.snapshot.digest
            outage.kill()
            wait_until(lambda: runtime.status()["sources"][0]["error"], "an error", 10)
            outage.start()
            changing()
            wait_until(
                lambda: good != runtime.snapshot.digest == _head(runtime),
                "the change",
                min(_CONVERGES, patience),
            )

    @pytest.mark.usefixtures("watched")
    def test_hints_come_again_after_an_outage(
        self, calls: SourceCalls, outage: Server, changing: Act, patience: float
    ) -> None:
        """A watch that lost its server finds it again by itself."""
        hints: list[int] = []
        with calls.watch(lambda: hints.append(1)):
            changing()
            wait_until(lambda: hints, "a hint", patience)
            outage.kill()
            outage.start()
            hints.clear()
            for _ in range(2):  # the first may be of the connection alone
                before = len(hints)
                changing()
                wait_until(lambda: len(hints) > before, "a hint", 3 * patience)  # noqa: B023  # called within the pass


def _watched_in_vain(
    calls: SourceCalls, caplog: pytest.LogCaptureFixture, seconds: float
) -> str:
    """Watch without a server until the log says so; return what `watch` raised."""
    if not calls.has("watch"):
        return ""
    before = len(caplog.records)

    def is_told() -> bool:
        return any(each.levelno >= logging.WARNING for each in caplog.records[before:])

    try:
        with calls.watch(lambda: None), contextlib.suppress(AssertionError):
            wait_until(is_told, "a warning", seconds)
    except Exception as exc:  # noqa: BLE001  # the core would log it
        return "".join(traceback.format_exception(exc))
    return ""


def _head(runtime: Runtime) -> str:
    """Return the digest of what the source has now, nothing if it cannot be read."""
    with contextlib.suppress(MidflightError):
        return runtime.read()[0].digest
    return ""
