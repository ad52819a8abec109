"""Figures of servers that came late, or at once, or in another process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from midflight import Runtime
from midflight.testing import wait_until
from midflight_plugins.admin import asgi
from midflight_plugins.admin._metrics import Metrics
from midflight_plugins.memory import MemorySource


def figures(runtime, app) -> dict[tuple[str, ...], float]:
    """Return every figure that an application shows, by its name and labels."""
    token = (runtime.state_dir / "admin.token").read_text().strip()

    async def one():
        transport = httpx2.ASGITransport(app)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://shop.example", headers=headers
        ) as client:
            return (await client.get("/metrics")).text

    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(asyncio.run(one()))
        for sample in family.samples
    }


def test_a_late_server_knows_the_last_success(tmp_path):
    """No alert fires because it was mounted after the last change."""
    with Runtime(MemorySource({}), state_dir=tmp_path) as runtime:
        found = figures(runtime, asgi(runtime, hosts=["shop.example"]))

        at = found["midflight_last_success_timestamp_seconds",]
        assert at == pytest.approx(runtime.snapshot.at, abs=0.01, rel=0)


def test_it_tells_for_how_long_a_source_has_failed(tmp_path):
    """0 while it can be read, from then on what an alert compares."""
    file = tmp_path / "app.yaml"
    file.write_text("a: 1\n")
    with Runtime(f"file:{file}", state_dir=tmp_path / "state") as runtime:
        app = asgi(runtime, hosts=["shop.example"])
        good = figures(runtime, app)
        file.unlink()
        runtime.reload()
        began = time.time()
        name = "midflight_source_unreadable_seconds"
        wait_until(lambda: only(figures(runtime, app), name) > 0.05)
        bad, passed = figures(runtime, app), time.time() - began

    age = "midflight_source_age_seconds"
    assert (only(good, name), only(good, "midflight_source_error")) == (0, 0)
    assert 0 <= only(good, age) < 5
    assert only(bad, age) >= only(bad, name)
    assert only(bad, "midflight_source_error") == 1
    assert 0.05 < only(bad, name) < passed + 5


def only(found: dict[tuple[str, ...], float], name: str) -> float:
    """Return the figure of the one source that there is."""
    [value] = [value for key, value in found.items() if key[0] == name]
    return value


def test_servers_that_begin_at_once_count_together(tmp_path):
    """Whichever of them is first, the figures of all are its."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            runtime, found = Runtime(MemorySource({})), list[Metrics]()
            gate = threading.Barrier(8)

            def look(runtime=runtime, found=found, gate=gate):
                gate.wait(10)
                found.append(Metrics.of(runtime))

            threads = [threading.Thread(target=look) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
            assert len(found) == 8
            assert len({id(each) for each in found}) == 1
    finally:
        sys.setswitchinterval(before)


FORKS = """
import asyncio, gc, os, re, signal, sys, threading, warnings
import httpx2
from midflight import Runtime
from midflight_plugins.admin import asgi
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

MINE = "midflight_plugins.admin", "midflight_plugins.api", "prometheus_client"
LOCK = type(threading.Lock())

def locks():
    # What another thread in the middle of a request may hold as the process forks.
    for each in gc.get_objects():
        if type(each).__module__.startswith(MINE):
            for part in gc.get_referents(each):
                for value in part.values() if type(part) is dict else [part]:
                    if isinstance(value, LOCK):
                        yield value

async def asked(app, token):
    given = {"transport": httpx2.ASGITransport(app), "base_url": "http://shop.example"}
    bearer = {"Authorization": f"Bearer {token}"}
    mine = {"If-Match": "*", **bearer}
    async with httpx2.AsyncClient(**given) as client:
        path = "/api/v1/overrides?path=limits.rate"
        answers = [
            await client.put(path, json={"value": os.getpid()}, headers=mine),
            await client.get("/api/v1/status", headers={"Authorization": "Bearer no"}),
            await client.post("/login", data={"token": token}),
            await client.get("/"),
            await client.get("/metrics", headers=bearer),
        ]
    counted = re.findall(r'requests_total.*"401"} (\\S+)', answers[-1].text)
    return [each.status_code for each in answers], counted

with Runtime(
    [MemorySource({"limits": {"rate": 1}}), OverridesSource()], state_dir=sys.argv[1]
) as runtime:
    app = asgi(runtime, hosts=["shop.example"])
    with open(sys.argv[1] + "/admin.token") as file:
        token = file.read().strip()
    print(*asyncio.run(asked(app, token)), flush=True)
    held = [each for each in locks() if each.acquire(timeout=1)]
    assert len(held) > 10, len(held)
    warnings.simplefilter("ignore", DeprecationWarning)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        try:
            print(*asyncio.run(asked(app, token)), flush=True)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
"""


def test_a_forked_child_of_a_mounted_application_serves(tmp_path):
    """Also if the parent was in the middle of requests; it counts its own."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", FORKS, str(tmp_path / "state")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    line = "[200, 401, 303, 200, 200] ['1.0']"
    assert done.stdout.splitlines() == [line, line], done.stderr
