from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import pwd
import socket
import stat
import threading

import pytest

from midflight import Document, Loaded, Place, Runtime, Secret, hookimpl
from midflight.hookspecs import Layer
from midflight.testing import wait_until
from midflight_plugins.api import ROUTES
from midflight_plugins.control._server import serving
from midflight_plugins.memory import MemorySource


class Limiter:
    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        if config.get("rate", 0) < 0:
            raise ValueError("a rate is not negative")


POST = b"POST /api/v1/reload HTTP/1.1\r\n"
JSON = POST + b"Content-Type: application/json\r\n"
BASE = {
    "modules": [{"name": "api", "type": "limiter", "config": {"rate": 1, "n": [2]}}],
    "limits": {"a.b": 5},
}


@pytest.fixture
def source():
    """Return a source with one module."""
    return MemorySource(BASE)


@pytest.fixture
def state_dir(tmp_path):
    """Return a state directory that is not there yet."""
    return tmp_path / "state"


@pytest.fixture
def runtime(source, state_dir):
    """Return a runtime that serves its socket."""
    modules = {"limiter": Limiter}
    with Runtime(source, modules=modules, state_dir=state_dir) as runtime:
        yield runtime


def connected(state_dir, patience=20.0):
    """Return a connection, made by way of the directory: its path may be long."""
    folder = os.open(state_dir, os.O_RDONLY)
    client = socket.socket(socket.AF_UNIX)
    try:
        client.settimeout(patience)
        client.connect(f"/proc/self/fd/{folder}/control.sock")
    finally:
        os.close(folder)
    return client


def asked(state_dir, method, path, body=None):
    """Return status, type and content of an answer."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = connected(state_dir)
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, answer.getheader("Content-Type"), json.loads(text)
    finally:
        connection.close()


def raw(state_dir, data, *, end=True):
    """Send bytes and return everything that comes back."""
    with connected(state_dir) as client:
        with contextlib.suppress(OSError):
            client.sendall(data)
            if end:
                client.shutdown(socket.SHUT_WR)
        return received(client)


def received(client):
    """Return everything that comes until the other end closes."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_the_status_is_that_of_the_runtime(runtime, state_dir):
    """`GET /api/v1/status` answers `runtime.status()`."""
    status, kind, content = asked(state_dir, "GET", "/api/v1/status")

    assert (status, kind) == (200, "application/json")
    assert content == json.loads(json.dumps(runtime.status(), default=str))


def test_a_reload_answers_with_its_outcome(runtime, source, state_dir):
    """`POST /api/v1/reload` waits for the outcome, also of a refusal."""
    source.set({**BASE, "limits": {}})
    body = json.dumps({"actor": "ada"})
    status, _, content = asked(state_dir, "POST", "/api/v1/reload", body)

    assert (status, content["outcome"], content["actor"]) == (200, "applied", "ada")
    assert content["generation"] == runtime.snapshot.generation == 2
    source.set({"modules": 5})
    _, _, content = asked(state_dir, "POST", "/api/v1/reload")
    assert (content["outcome"], content["reason"]) == ("rejected", "invalid")
    assert content["faults"][0]["code"] == "E_TYPE"
    assert content["faults"][0]["path"] == "modules"


def test_a_question_that_was_answered_is_not_logged(runtime, state_dir, caplog):
    """Who asks each second fills no log; a change and what went wrong are in it."""
    caplog.set_level("DEBUG", "midflight.control")
    asked(state_dir, "GET", "/api/v1/status")
    assert not caplog.records
    asked(state_dir, "GET", "/api/v1/no")
    asked(state_dir, "POST", "/api/v1/reload")

    assert '"GET /api/v1/no HTTP/1.1" 404' in caplog.text
    assert '"POST /api/v1/reload HTTP/1.1" 200' in caplog.text


def test_a_value_is_explained(runtime, state_dir):
    """`GET /api/v1/explain?path=…` gives each value below a path, with its place."""
    _, _, content = asked(
        state_dir, "GET", "/api/v1/explain?path=modules.api.config.rate"
    )

    assert content == {
        "path": "modules.api.config.rate",
        "value": 1,
        "file": "memory",
        "line": None,
        "column": None,
        "layer": None,
        "values": [
            {
                "path": "modules.api.config.rate",
                "value": 1,
                "file": "memory",
                "line": None,
                "column": None,
                "layer": None,
                "version": 1,
                "shadows": [],
            }
        ],
    }
    _, _, content = asked(state_dir, "GET", "/api/v1/explain?path=limits.a.b")
    assert content["value"] == 5
    _, _, content = asked(state_dir, "GET", "/api/v1/explain?path=modules.api.config.n")
    assert [row["path"] for row in content["values"]] == ["modules.api.config.n[0]"]
    _, _, content = asked(state_dir, "GET", "/api/v1/explain?all=1")
    paths = {row["path"] for row in content["values"]}
    assert {'limits."a.b"', "modules.api.type", "modules.api.config.n[0]"} <= paths


def test_a_name_that_its_path_says_is_no_row(runtime, state_dir):
    """A module's name stands in its path already; who asks for it gets it."""
    _, _, content = asked(state_dir, "GET", "/api/v1/explain?path=modules.api")
    assert [row["path"] for row in content["values"]][:3] == [
        "modules.api.type",
        "modules.api.config.rate",
        "modules.api.config.n[0]",
    ]
    _, _, content = asked(state_dir, "GET", "/api/v1/explain?path=modules.api.name")
    assert [row["value"] for row in content["values"]] == ["api"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("modules.apu", "`modules` has no `apu`; did you mean `api`?"),
        ("modul", "there is no `modul`; did you mean `modules`?"),
        ("modules.api.config.rate.x", "`modules.api.config.rate` has no `x`"),
    ],
)
def test_a_path_to_nothing_is_not_found(runtime, state_dir, path, said):
    """The problem says how far the path leads."""
    status, kind, content = asked(state_dir, "GET", f"/api/v1/explain?path={path}")

    assert (status, kind) == (404, "application/problem+json")
    assert (content["code"], content["detail"]) == ("E_UNKNOWN", said)


def test_every_route_of_the_api_is_answered(runtime, state_dir):
    """What is in the table is there, and another method is told which ones are."""
    paths = {route.path.replace("{name}", "api") for route in ROUTES}
    for path in paths:
        answer = raw(state_dir, f"BREW {path} HTTP/1.1\r\n\r\n".encode())
        allowed = {route.method for route in ROUTES if route.match(path) is not None}

        assert b" 405 " in answer.splitlines()[0]
        assert f"Allow: {', '.join(sorted(allowed))}\r\n".encode() in answer


def test_a_path_is_read_as_it_is_meant(runtime, state_dir):
    """Escapes in a name are undone, and what is no UTF-8 is refused."""
    assert asked(state_dir, "GET", "/api/v1/modules/%61p%69")[2]["name"] == "api"
    for path in ("modules/%ff", "explain?path=%ff"):
        status, kind, content = asked(state_dir, "GET", f"/api/v1/{path}")
        assert (status, kind) == (400, "application/problem+json")
        assert content["code"] == "E_ENCODING"


def test_what_the_client_has_is_not_sent(runtime, state_dir):
    """304 has no body, and the connection ends cleanly."""
    known = {"If-None-Match": f'"{runtime.snapshot.digest}"'}
    head = "GET /api/v1/config HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in known.items())
    answer = raw(state_dir, f"{head}\r\n".encode())

    assert b" 304 " in answer.splitlines()[0]
    assert answer.endswith(b"\r\n\r\n")


def test_who_asks_is_named_after_its_user(runtime, source, state_dir):
    """Without an `actor`, the history shows the user at the other end."""
    source.set({**BASE, "limits": {}})
    _, _, content = asked(state_dir, "POST", "/api/v1/reload")

    assert content["actor"] == pwd.getpwuid(os.getuid()).pw_name


def test_a_body_of_a_mebibyte_is_taken(runtime, state_dir):
    """One byte more is refused before it is read."""
    body = '{"actor": "ada"}'.ljust(2**20)
    assert asked(state_dir, "POST", "/api/v1/reload", body)[0] == 200
    head = POST + b"Content-Length: 1048577\r\n\r\n"

    assert b" 413 " in raw(state_dir, head).splitlines()[0]


class Layered:
    """A source of two layers, of which the upper one wins."""

    name = "layered"

    def __init__(self, lower, upper):
        self.parts = [("base", lower), ("top", upper)]

    @hookimpl
    def load(self):
        layers = tuple(
            Layer(name, f"file:{name}", number, loaded=Loaded(raw, positions=at(name)))
            for number, (name, raw) in enumerate(self.parts, 1)
        )
        merged = {
            "limits": {**self.parts[0][1]["limits"], **self.parts[1][1]["limits"]}
        }

        def place(path):
            upper = path[-1] in self.parts[1][1]["limits"]
            name = "top" if upper else "base"
            return Place(f"{name}.yaml", 3, 5, name)

        return Loaded(merged, positions=place, layers=layers)


def at(name):
    """Return what finds every place on one line."""
    return lambda _path: Place(f"{name}.yaml", 3, 5)


def test_an_explanation_shows_what_lies_below(state_dir):
    """The winning layer, its version, and what lower layers say."""
    source = Layered({"limits": {"a": 1, "b": 2}}, {"limits": {"a": 3}})
    with Runtime(source, state_dir=state_dir):
        _, _, content = asked(state_dir, "GET", "/api/v1/explain?path=limits")

    first, second = content["values"]
    assert first["value"] == 3
    assert (first["layer"], first["file"], first["version"]) == ("top", "top.yaml", 2)
    assert first["shadows"] == [
        {
            "value": 1,
            "file": "base.yaml",
            "line": 3,
            "column": 5,
            "layer": "base",
            "version": 1,
        }
    ]
    assert (second["layer"], second["version"], second["shadows"]) == ("base", 1, [])


class Hides:
    @hookimpl(wrapper=True)
    def transform(self):
        document = yield
        secret = {"limits": {"a": Secret(document.sections["limits"]["a"])}}
        return Document.from_mapping(secret)


def test_no_secret_is_shown(state_dir):
    """Neither the value in force, nor what it shadows, which was never transformed."""
    source = Layered({"limits": {"a": "hush-1"}}, {"limits": {"a": "hush-2"}})
    with Runtime(source, plugins=[Hides()], state_dir=state_dir):
        _, _, content = asked(state_dir, "GET", "/api/v1/explain?all=1")
        text = json.dumps(content)

    assert "hush" not in text
    assert text.count("********") == 3


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GET /nowhere HTTP/1.1\r\n\r\n", 404, "E_UNKNOWN"),
        (b"POST /api/v1/status HTTP/1.1\r\n\r\n", 405, "E_UNKNOWN"),
        (b"BREW /api/v1/status HTTP/1.1\r\n\r\n", 405, "E_UNKNOWN"),
        (b"GET /api/v1/explain HTTP/1.1\r\n\r\n", 400, "E_SYNTAX"),
        (b"\x00\xff\xfe garbage\r\n\r\n", 400, "E_SYNTAX"),
        (b"GET / HTTP/9.9\r\n\r\n", 505, "E_FORMAT"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414, "E_SIZE"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431, "E_SIZE"),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 70_000 + b"\r\n\r\n", 431, "E_SIZE"),
        (POST + b"Content-Length: 99999999\r\n\r\n", 413, "E_SIZE"),
        (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 413, "E_SIZE"),
        (POST + b"Content-Length: -1\r\n\r\n", 400, "E_SYNTAX"),
        (POST + b"Content-Length: 9\r\n\r\n{}", 400, "E_SYNTAX"),
        (POST + b"Content-Length: 0\r\nContent-Length: 3\r\n\r\n", 400, "E_SYNTAX"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, "E_REQUIRED"),
        (JSON + b"Content-Length: 4\r\n\r\n{]{]", 400, "E_SYNTAX"),
        (JSON + b'Content-Length: 11\r\n\r\n{"actor":5}', 422, "E_TYPE"),
        (POST + b"Content-Length: 2\r\n\r\n{}", 415, "E_FORMAT"),
        (JSON + b"Content-Length: 60000\r\n\r\n" + b"[" * 60_000, 400, "E_DEPTH"),
    ],
)
def test_a_hostile_request_is_a_problem(runtime, state_dir, request_, status, code):
    """It is answered with a code and no traceback, and the next one works."""
    answer = raw(state_dir, request_, end=b"60000" not in request_)
    head, _, body = answer.partition(b"\r\n\r\n")

    assert int(head.split()[1]) == status
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == code
    assert b"Traceback" not in answer
    assert asked(state_dir, "GET", "/api/v1/status")[0] == 200


def test_a_slow_client_is_sent_away(runtime, tmp_path):
    """Trickling bytes do not win time: the whole request has one limit."""
    folder = tmp_path / "slow"
    stop = threading.Event()
    with serving(runtime, folder, patience=0.4), connected(folder) as client:
        client.sendall(b"GET /api/v1/status HT")

        def trickle():
            while not stop.wait(0.05):
                with contextlib.suppress(OSError):
                    client.send(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        answer = received(client)
        stop.set()
        thread.join()

    assert b" 408 " in answer
    assert b"E_TIMEOUT" in answer


def test_a_hundred_at_once_are_answered(runtime, state_dir):
    """Nobody is turned away, and idle clients do not keep others out for good."""
    found, barrier = [], threading.Barrier(100)

    def ask():
        barrier.wait()
        found.append(asked(state_dir, "GET", "/api/v1/status")[0])

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [200] * 100


def test_only_its_owner_can_reach_it(runtime, state_dir):
    """The socket is 0600 in a directory of 0700."""
    modes = [
        stat.S_IMODE(each.stat().st_mode)
        for each in (state_dir, state_dir / "control.sock")
    ]

    assert modes == [0o700, 0o600]


def test_another_user_gets_no_answer(runtime, state_dir, monkeypatch):
    """Whoever is not this user or root is closed out before a byte is read."""
    trusted = "midflight_plugins.control._server.is_trusted"
    monkeypatch.setattr(trusted, lambda _connection: False)

    assert raw(state_dir, b"GET /api/v1/status HTTP/1.1\r\n\r\n") == b""


def test_nothing_is_left_when_the_runtime_stops(source, state_dir):
    """Neither name, thread nor descriptor, also with a client that says nothing."""

    def descriptors():
        return len(list(pathlib.Path("/proc/self/fd").iterdir()))

    with Runtime(source, modules={"limiter": Limiter}):
        pass
    threads, before = set(threading.enumerate()), descriptors()
    for _ in range(5):
        modules = {"limiter": Limiter}
        with Runtime(source, modules=modules, state_dir=state_dir):
            client = connected(state_dir)
            asked(state_dir, "GET", "/api/v1/status")
        client.close()

    assert not (state_dir / "control.sock").exists()
    wait_until(lambda: set(threading.enumerate()) <= threads, "no thread more", 5)
    wait_until(lambda: descriptors() <= before, "no descriptor more", 5)


def test_a_dead_process_does_not_block_the_next(source, state_dir):
    """A socket that nobody listens on is replaced."""
    state_dir.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(state_dir / "control.sock"))
    with Runtime(source, modules={"limiter": Limiter}, state_dir=state_dir):
        assert asked(state_dir, "GET", "/api/v1/status")[0] == 200


def test_a_living_process_keeps_its_socket(runtime, source, state_dir, caplog):
    """A second one in the same directory runs without, and says so."""
    modules = {"limiter": Limiter}
    with Runtime(source, modules=modules, state_dir=state_dir) as second:
        second.reload()
        assert "another process serves" in caplog.text
        runtime.reload()
        _, _, content = asked(state_dir, "GET", "/api/v1/status")
        assert content["applied"]["at"] == runtime.status()["applied"]["at"]

    assert asked(state_dir, "GET", "/api/v1/status")[0] == 200


def test_the_next_process_answers_when_the_first_has_gone(source, state_dir, caplog):
    """As it takes over the rest of the state directory; it asks nobody to look."""
    caplog.set_level("INFO")
    modules = {"limiter": Limiter}
    first = Runtime(source, modules=modules, state_dir=state_dir)
    first.start()
    with Runtime(source, modules=modules, state_dir=state_dir) as second:
        first.stop()
        wait_until((state_dir / "control.sock").exists, "another socket")
        wait_until(lambda: "is this one's now" in caplog.text, "who says so")
        _, _, content = asked(state_dir, "GET", "/api/v1/status")
        assert content["applied"]["at"] == second.status()["applied"]["at"]

    assert caplog.text.count("another process serves") == 1
    assert not (state_dir / "control.sock").exists()


def test_who_waits_for_the_socket_leaves_nothing_behind(runtime, source, state_dir):
    """It stops at once, and waits no longer."""
    threads, modules = set(threading.enumerate()), {"limiter": Limiter}
    with Runtime(source, modules=modules, state_dir=state_dir):
        pass

    wait_until(lambda: set(threading.enumerate()) <= threads, "no thread more")
    assert asked(state_dir, "GET", "/api/v1/status")[0] == 200


@pytest.mark.parametrize("kind", ["file", "writable"])
def test_what_is_in_the_way_stops_nothing(source, state_dir, caplog, kind):
    """A foreign file is not removed, an open directory not used; the service runs."""
    state_dir.mkdir(mode=0o700)
    if kind == "file":
        (state_dir / "control.sock").write_text("mine")
    else:
        state_dir.chmod(0o777)
    modules = {"limiter": Limiter}
    with Runtime(source, modules=modules, state_dir=state_dir) as runtime:
        assert runtime.status()["state"] in {"healthy", "degraded"}

    assert "no control socket" in caplog.text
    if kind == "file":
        assert (state_dir / "control.sock").read_text() == "mine"


def test_a_long_path_works(source, tmp_path):
    """A socket's address has 107 bytes; the path of its directory may have more."""
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    with Runtime(source, modules={"limiter": Limiter}, state_dir=folder):
        assert asked(folder, "GET", "/api/v1/status")[0] == 200


def test_a_forked_child_leaves_the_socket_alone(runtime, state_dir):
    """The parent goes on to answer after a child has come and gone."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)

    assert asked(state_dir, "GET", "/api/v1/status")[0] == 200
