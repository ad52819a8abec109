from __future__ import annotations

import json
import threading
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from midflight.testing import wait_until

EVENTS = "/api/v1/events"


class Stream:
    """An open stream of events, read by a thread."""

    def __init__(self, service, token: str | None = None, **headers: str) -> None:
        self.events: list[dict] = []
        self.lines: list[str] = []
        self.status = 0
        self.ended = threading.Event()
        self._client = service.client(token, headers=headers)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with self._client as client, client.stream("GET", EVENTS) as answer:
            self.status = answer.status_code
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                self.lines.append(line)
                name, _, value = line.partition(": ")
                if line and name:
                    event[name] = value
                elif event:
                    self.events.append(event)
                    event = {}
        self.ended.set()

    @property
    def is_open(self) -> bool:
        return ": connected" in self.lines


@pytest.fixture
def stream(service):
    """An open stream of the administrator."""
    opened = Stream(service)
    wait_until(lambda: opened.is_open)
    return opened


def change(service, rate: int):
    """Change the limiter; return the outcome."""
    service.modules["api-limiter"] = {"type": "limiter", "config": {"rate": rate}}
    service.base.set({"modules": service.modules})
    return service.runtime.reload()


def test_each_outcome_is_an_event(service, stream):
    """What is applied and what is refused, each with an id and its data as JSON."""
    change(service, 5)
    change(service, -5)
    wait_until(lambda: len(stream.events) >= 2)
    applied, rejected = stream.events[:2]

    assert (applied["id"], applied["event"]) == ("2", "applied")
    assert json.loads(applied["data"])["generation"] == 2
    assert rejected["event"] == "rejected"
    assert json.loads(rejected["data"])["faults"][0]["code"] == "E_PREPARE"


def test_who_comes_back_gets_what_was_missed(service):
    """`Last-Event-ID` names the event that came last."""
    change(service, 5)
    change(service, 6)
    change(service, 7)
    again = Stream(service, **{"Last-Event-ID": "2"})
    wait_until(lambda: len(again.events) >= 2)

    assert [each["id"] for each in again.events] == ["3", "4"]


def test_an_open_stream_does_not_hold_a_stop_up(service, stream):
    """Everybody who listens is told that it is over."""
    others = [Stream(service) for _ in range(20)]
    wait_until(lambda: all(each.is_open for each in others))
    started = time.monotonic()
    service.runtime.stop()

    assert time.monotonic() - started < 3
    assert all(each.ended.wait(5) for each in (stream, *others))


def test_an_open_stream_does_not_hold_a_change_up(service, stream):
    """It goes on under the new settings, and learns of them."""
    started = time.monotonic()
    service.configure(address=f"127.0.0.1:{service.port}", hosts=["a.example"])
    took = time.monotonic() - started
    wait_until(lambda: bool(stream.events))

    assert took < 2
    assert not stream.ended.is_set()


def test_a_stream_ends_when_its_token_is_revoked(service):
    """Within seconds, without an event."""
    token = service.token("read")
    opened = Stream(service, token)
    wait_until(lambda: opened.is_open)
    service.tokens.revoke("tester")

    assert opened.ended.wait(5)
    assert opened.events == []


def test_streams_are_limited(service):
    """There are a hundred at most; one more is asked to wait."""
    opened = [Stream(service) for _ in range(101)]
    wait_until(lambda: all(each.is_open or each.status == 503 for each in opened))

    assert [each.status for each in opened].count(503) == 1
    assert service.get("/livez").status_code == 200


def metrics(service) -> dict[tuple, float]:
    """Return every figure by its name and labels."""
    text = service.get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_gets_figures(service):
    """Reloads, generation, states and requests, each with what it was about."""
    change(service, 5)
    change(service, -5)
    service.get("/nope")
    found = metrics(service)

    assert found["midflight_generation",] == 2
    assert found["midflight_reloads_total", "applied", "changed"] == 1
    assert found["midflight_reloads_total", "rejected", "prepare_refused"] == 1
    assert found["midflight_reload_seconds_count",] == 3
    assert found["midflight_last_success_timestamp_seconds",] > 1_700_000_000
    assert found["midflight_modules", "running"] == 2
    assert found["midflight_state", "rejected"] == 1
    assert found["midflight_source_error", "memory"] == 0
    assert found["midflight_http_requests_total", "other", "404"] == 1


def test_figures_outlive_the_server(service):
    """A restart of the module takes nothing away that was counted."""
    change(service, 5)
    port = service.port
    service.configure(address=f"127.0.0.1:{port}", hosts=["b.example"])

    assert metrics(service)["midflight_reloads_total", "applied", "changed"] >= 2


def test_it_is_ready_while_it_runs(service):
    """A refused change does not take it out of service."""
    before = service.get("/readyz")
    change(service, -5)
    after = service.get("/readyz")

    assert (before.status_code, before.json()["generation"]) == (200, 1)
    assert after.status_code == 200
    assert service.get("/api/v1/status").json()["state"] == "rejected"
