from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading

import httpx2
import pytest

from midflight.testing import wait_until

APP = "modules:\n  log:\n    type: logging\n    config: {level: INFO}\n"
PATH = "/api/v1/modules/log/config"


class Run:
    """A `midflight run` under way."""

    def __init__(self, folder, *words: str, **env: str) -> None:
        command = [sys.executable, "-Im", "midflight", "run", "app.yaml", *words]
        self.process = subprocess.Popen(
            command, cwd=folder, env=os.environ | env, stderr=subprocess.PIPE, text=True
        )
        self.text = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        with self.process.stderr as lines:
            for line in lines:
                self.text += line

    def ready(self) -> None:
        """Wait until it is."""
        ended = self.process.poll
        wait_until(lambda: "ready:" in self.text or ended() is not None, seconds=30)
        assert ended() is None, self.text

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        self._reader.join()

    @property
    def address(self) -> str:
        found = re.search(r"admin is at (http://\S+?)/?\n", self.text)
        assert found, self.text
        return found[1]

    def client(self, token: str) -> httpx2.Client:
        """Return a client with a token."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.Client(base_url=self.address, headers=headers, timeout=20)

    def stop(self) -> int:
        """End it as a service manager does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def run(tmp_path, request):
    """A function that runs a service; it is ended after the test."""
    (tmp_path / "app.yaml").write_text(APP)

    def start(*words: str, **env: str) -> Run:
        service = Run(tmp_path, *words, **env)
        request.addfinalizer(service.kill)
        service.ready()
        return service

    return start


def test_an_option_is_enough_for_an_admin(run, tmp_path):
    """`--admin` serves with a token that is made; what is changed by it stays."""
    words = "--admin", "127.0.0.1:0", "--state-dir", str(tmp_path / "state")
    service = run(*words)
    token = (tmp_path / "state" / "admin.token").read_text().strip()
    with service.client(token) as client:
        changed = client.patch(PATH, json={"level": "DEBUG"})
        status = client.get("/api/v1/status").json()
        page = client.get("/login")
    code = service.stop()
    again = run(*words)
    with again.client(token) as client:
        kept = client.get(PATH).json()

    assert changed.status_code == 200, changed.text
    assert status["generation"] == 2
    assert page.status_code == 200
    assert code == 0
    assert "what it changes is kept in" in service.text
    assert (tmp_path / "state" / "overrides.json").exists()
    assert "DEBUG" in str(kept)


def test_an_open_page_does_not_keep_the_process(run, tmp_path):
    """It ends at SIGTERM although somebody listens for events."""
    service = run("--admin", "127.0.0.1:0", "--state-dir", str(tmp_path / "state"))
    token = (tmp_path / "state" / "admin.token").read_text().strip()
    with service.client(token) as client, client.stream("GET", "/api/v1/events") as got:
        lines = got.iter_lines()
        first = next(lines)
        code = service.stop()

    assert first == ": connected"
    assert code == 0


def test_a_setting_says_the_same(run, tmp_path):
    """`MIDFLIGHT_ADMIN` takes a unix socket as well."""
    path = tmp_path / "a.sock"
    state = {"MIDFLIGHT_STATE_DIR": str(tmp_path / "state")}
    run(MIDFLIGHT_ADMIN=f"unix:{path}", **state)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = sock.recv(65_536)

    assert data.startswith(b"HTTP/1.1 200")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_layer_of_overrides_is_not_doubled(run, tmp_path):
    """Where a configuration has one, that is where changes are kept."""
    store = tmp_path / "mine.yaml"
    more = "--source", f"overrides:file:{store}"
    state = tmp_path / "state"
    service = run("--admin", "127.0.0.1:0", "--state-dir", str(state), *more)
    token = (state / "admin.token").read_text().strip()
    with service.client(token) as client:
        answer = client.patch(PATH, json={"level": "DEBUG"})

    assert answer.status_code == 200, answer.text
    assert "DEBUG" in store.read_text()
    assert not (state / "overrides.json").exists()


def test_another_layer_may_configure_it(run, tmp_path):
    """The module of `--admin` lies beneath all layers: a file adds to it."""
    (tmp_path / "app.yaml").write_text(
        APP + "  admin:\n    type: admin\n    config: {hosts: [midflight.example]}\n"
    )
    service = run("--admin", "127.0.0.1:0", "--state-dir", str(tmp_path / "state"))
    token = (tmp_path / "state" / "admin.token").read_text().strip()
    with service.client(token) as client:
        named = {"Host": "midflight.example"}
        answer = client.get("/api/v1/status", headers=named)

    assert answer.status_code == 200


def test_the_last_good_runs_with_an_admin_if_one_is_asked_for(run, tmp_path):
    """It is reached just when the configuration is broken, though none ran before."""
    state = "--state-dir", str(tmp_path / "state")
    run(*state).stop()
    (tmp_path / "app.yaml").write_text(APP.replace("INFO", "LOUD"))
    service = run("--admin", "127.0.0.1:0", *state)
    token = (tmp_path / "state" / "admin.token").read_text().strip()
    with service.client(token) as client:
        status = client.get("/api/v1/status").json()

    assert status["state"] == "rejected"
    assert list(status["modules"]) == ["admin", "log"]


def test_the_last_good_brings_back_no_admin_of_its_own(run, tmp_path):
    """Without `--admin` there is none, with another address it is at that one."""
    state, sockets = ("--state-dir", str(tmp_path / "state")), tmp_path / "sockets"
    sockets.mkdir()
    run("--admin", f"unix:{sockets}/one", *state).stop()
    (tmp_path / "app.yaml").write_text(APP.replace("INFO", "LOUD"))
    without = run(*state)
    none = list(sockets.iterdir())
    without.stop()
    run("--admin", f"unix:{sockets}/two", *state)

    assert "running the last good" in without.text
    assert none == []
    assert [each.name for each in sockets.iterdir()] == ["two"]


def test_without_state_nobody_could_be_known(tmp_path):
    """It does not start, and says what to do."""
    (tmp_path / "app.yaml").write_text(APP)
    words = ["run", "app.yaml", "--admin", "127.0.0.1:0", "--no-state"]
    done = subprocess.run(
        [sys.executable, "-Im", "midflight", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )

    assert done.returncode in {1, 4}
    assert "nobody is served without one" in done.stderr


@pytest.mark.parametrize("word", ["8900", "localhost", "a:b", "h:70000", "unix:"])
def test_what_is_no_address_is_refused(tmp_path, word):
    """With exit code 2, before anything starts."""
    (tmp_path / "app.yaml").write_text(APP)
    done = subprocess.run(
        [sys.executable, "-Im", "midflight", "run", "app.yaml", "--admin", word],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )

    assert done.returncode == 2
    assert "HOST:PORT, or unix:PATH" in done.stderr
