"""What Prometheus asks for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from midflight_plugins.api import Answer, Event, Events

if TYPE_CHECKING:
    from midflight import Runtime

_KEY = "midflight.metrics"
_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30)
_STATES = ("healthy", "degraded", "rejected", "starting", "stopped")


class Metrics:
    """Counts for one runtime; `Metrics.of(runtime)` is the one of all its servers.

    Args:
        runtime: whom the figures are about.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "midflight_http_requests",
            "Requests answered",
            ["route", "status"],
            registry=self._registry,
        )
        self._reloads = Counter(
            "midflight_reloads",
            "Attempts to apply a configuration",
            ["outcome", "reason"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "midflight_reload_seconds",
            "How long attempts took",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_Status(runtime))

    @classmethod
    def of(cls, runtime: Runtime) -> Self:
        """Return the one object of a runtime."""
        found = runtime.shared.get(_KEY)
        if found is None:
            made = cls(runtime)
            found = runtime.shared.setdefault(_KEY, made)
            if found is made:  # else another thread was first, and its one counts
                Events.of(runtime).subscribe(made._happened)
        assert isinstance(found, cls)
        return found

    def count(self, route: str, status: int) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, status).inc()

    def answer(self) -> Answer:
        """Return all of them as text."""
        content = generate_latest(self._registry)
        return Answer(content, kind=CONTENT_TYPE_PLAIN_0_0_4)

    def _happened(self, event: Event) -> None:
        self._reloads.labels(event.name, event.reason).inc()
        self._seconds.observe(event.seconds)


class _Status(Collector):
    """The status of a runtime at the moment it is asked for."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing: what there is depends on the status."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the figures of now."""
        status = self._runtime.status()
        yield GaugeMetricFamily(
            "midflight_generation", "In force", value=status["generation"]
        )
        yield GaugeMetricFamily(
            "midflight_last_success_timestamp_seconds",
            "When a configuration was last applied",
            value=status["applied"]["at"],
        )
        yield _labelled(
            "midflight_state",
            "1 for the state of the service",
            ["state"],
            {(each,): float(each == status["state"]) for each in _STATES},
        )
        yield from _sources(status["sources"])
        states: dict[tuple[str], float] = {}
        for module in status["modules"].values():
            states[module["state"],] = states.get((module["state"],), 0) + 1
        about = "Modules by their state"
        yield _labelled("midflight_modules", about, ["state"], states)


def _sources(sources: list[dict[str, Any]]) -> Iterator[GaugeMetricFamily]:
    down = {(str(each["name"]),): float(each["error"] is not None) for each in sources}
    since = {
        (str(each["name"]),): float(each["since"]) for each in sources if each["since"]
    }
    about = "1 for a source that cannot be read"
    yield _labelled("midflight_source_error", about, ["source"], down)
    about = "Since when a source cannot be read"
    name = "midflight_source_error_since_timestamp_seconds"
    yield _labelled(name, about, ["source"], since)
    now = time.time()
    seen = next((each["seen"] for each in sources if each.get("seen")), now)
    looks = {
        (str(each["name"]),): max(0.0, now - (each["since"] or seen))
        for each in sources
    }
    about = "How long ago a look last found a source well"
    yield _labelled("midflight_source_age_seconds", about, ["source"], looks)
    ages = {
        (str(each["name"]),): max(0.0, now - (each["since"] or now)) for each in sources
    }
    about = "How long looks at a source have failed; 0 if the last one did not"
    yield _labelled("midflight_source_unreadable_seconds", about, ["source"], ages)


def _labelled(
    name: str, about: str, labels: list[str], values: Mapping[tuple[str], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=labels)
    for words, value in values.items():
        family.add_metric(words, value)
    return family
