from __future__ import annotations

import collections
import contextlib
import functools
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import httpx2

from midflight.testing import wait_until

PATH = "/api/v1/modules/api-limiter/config"
LINGER = struct.pack("ii", 1, 0)


def config_path(n: int) -> str:
    """Return where the configuration of a module is."""
    return f"/api/v1/modules/m{n}/config"


def put(service, body, path=PATH, **headers):
    """Put a configuration, on a connection of its own."""
    with service.client() as client:
        return client.put(path, json=body, headers={"If-Match": "*", **headers})


def at_once(*works):
    """Do several things at once; return what each returns."""
    found: dict[int, Any] = {}

    def work(n: int) -> None:
        found[n] = works[n]()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return [found.get(n) for n in range(len(works))]


def begin(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Begin something, and return its thread and where its result will be."""
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(work()))
    thread.start()
    return thread, got


def stored(service) -> dict[str, Any]:
    """Return what the layer of overrides holds for each module."""
    layer = service.runtime.snapshot.loaded.layers[-1]
    return layer.participant.target.head().tree.get("modules", {})


def slow(service):
    """Return the module whose gate holds up a change to 99."""
    return type(service.runtime.module("api-limiter"))


def sent_half(service, body: bytes, part: int) -> socket.socket:
    """Send a request without the end of its body."""
    lines = [
        f"PUT {PATH} HTTP/1.1",
        f"Host: 127.0.0.1:{service.port}",
        f"Authorization: Bearer {service.first}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "If-Match: *",
    ]
    sock = service.connect()
    sock.sendall("\r\n".join([*lines, "", ""]).encode() + body[:part])
    return sock


def test_of_64_writers_of_16_modules_none_is_lost_or_mixed(make_service):
    """Each module ends on a value that was acknowledged, each acknowledged once."""
    service = make_service(requests_per_second=10_000)
    names = [f"m{n}" for n in range(16)]
    for name in names:
        service.modules[name] = {"type": "limiter", "config": {"rate": 1}}
    service.base.set({"modules": service.modules})
    assert service.runtime.reload().ok
    before = service.runtime.snapshot.generation

    def write(n: int):
        return lambda: put(service, {"rate": 1_000 + n}, config_path(n % 16))

    answers = at_once(*(write(n) for n in range(64)))
    records = service.get("/api/v1/generations").json()["generations"]
    told = collections.Counter(each.json()["generation"] for each in answers)
    ends = {name: service.runtime.module(name).rate - 1_000 for name in names}

    assert [each.status_code for each in answers] == [200] * 64
    assert set(told.values()) == {1}
    assert sorted(told) == list(range(before + 1, before + 65))
    assert {each["generation"] for each in records} >= set(told)
    for n, name in enumerate(names):
        mine = {at: answers[at].json()["generation"] for at in range(n, 64, 16)}
        assert ends[name] == max(mine, key=mine.__getitem__)
        assert stored(service)[name]["config"]["rate"] == 1_000 + ends[name]


def test_a_client_that_leaves_with_half_a_body_changes_nothing(service):
    """Wherever it is cut, what has not arrived whole is no request."""
    body = b'{"rate": 5}'
    generation = service.runtime.snapshot.generation
    for part in range(len(body)):
        sock = sent_half(service, body, part)
        if part % 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        sock.close()

    assert service.get("/livez").status_code == 200
    assert service.runtime.snapshot.generation == generation
    assert service.runtime.module("api-limiter").rate == 1


def test_a_client_that_leaves_before_the_answer_has_changed_it_whole(service):
    """Who does not wait for the answer has asked all the same."""
    body = b'{"rate": 99}'
    sock = sent_half(service, body, len(body))
    assert slow(service).waits.wait(20)
    sock.close()
    slow(service).gate.set()
    wait_until(lambda: service.runtime.module("api-limiter").rate == 99)

    assert service.get(PATH).json() == {"rate": 99}


def test_a_lost_answer_is_had_by_asking_again(service):
    """With its `Idempotency-Key` a repeated PUT is the same one, done once."""
    key = {"Idempotency-Key": "once"}
    first, got = begin(lambda: put(service, {"rate": 99}, **key))
    assert slow(service).waits.wait(20)
    again, repeated = begin(lambda: put(service, {"rate": 99}, **key))
    slow(service).gate.set()
    first.join(20)
    again.join(20)
    late = put(service, {"rate": 99}, **key)

    answers = [*got, *repeated, late]
    assert [each.status_code for each in answers] == [200] * 3
    assert {each.json()["generation"] for each in answers} == {2}
    assert sum("idempotency-replayed" in each.headers for each in answers) == 2
    assert service.runtime.snapshot.generation == 2


def test_a_put_during_a_slow_change_comes_after_it(service):
    """The second writer waits, and neither takes the other's value away."""
    first, one = begin(lambda: put(service, {"rate": 99}))
    assert slow(service).waits.wait(20)
    second, two = begin(lambda: put(service, {"rate": 5}))
    slow(service).gate.set()
    first.join(20)
    second.join(20)

    assert (one[0].status_code, two[0].status_code) == (200, 200)
    assert one[0].json()["generation"] + 1 == two[0].json()["generation"]
    assert service.runtime.module("api-limiter").rate == 5


def test_a_put_during_a_rollback_comes_after_it(service):
    """A rollback is a change like others: it ends before the next one begins."""
    slow(service).gate.set()
    assert put(service, {"rate": 99}).status_code == 200
    assert put(service, {"rate": 5}).status_code == 200
    slow(service).gate.clear()
    slow(service).waits.clear()

    def roll_back():
        with service.client() as client:
            return client.post("/api/v1/rollback", json={"generation": 2})

    back, one = begin(roll_back)
    assert slow(service).waits.wait(20)
    second, two = begin(lambda: put(service, {"rate": 7}))
    slow(service).gate.set()
    back.join(20)
    second.join(20)

    assert (one[0].status_code, two[0].status_code) == (200, 200), one[0].text
    assert one[0].json()["generation"] < two[0].json()["generation"]
    assert service.runtime.module("api-limiter").rate == 7


def test_a_put_during_the_shutdown_is_refused_or_done(service):
    """503, no connection, or 200 and kept: never half."""
    first, one = begin(lambda: put(service, {"rate": 99}))
    assert slow(service).waits.wait(20)
    clients = [service.client() for _ in range(6)]
    stopping = threading.Thread(target=service.runtime.stop)
    stopping.start()

    def late(n: int) -> tuple[int, int] | None:
        with clients[n], contextlib.suppress(httpx2.TransportError):
            headers = {"If-Match": "*"}
            answer = clients[n].put(PATH, json={"rate": 10 + n}, headers=headers)
            return answer.status_code, answer.json().get("generation", 0)
        return None

    under_way = [begin(functools.partial(late, n)) for n in range(len(clients))]
    slow(service).gate.set()
    for thread in (first, stopping, *(each for each, _ in under_way)):
        thread.join(20)
    ends = {99: (one[0].status_code, one[0].json().get("generation", 0))}
    ends |= {10 + n: got[0] for n, (_, got) in enumerate(under_way) if got[0]}
    done = {
        rate: generation for rate, (code, generation) in ends.items() if code == 200
    }
    kept = stored(service).get("api-limiter", {}).get("config", {}).get("rate")

    assert not stopping.is_alive()
    assert {code for code, _ in ends.values()} <= {200, 503}
    assert kept == (max(done, key=done.__getitem__) if done else None)
