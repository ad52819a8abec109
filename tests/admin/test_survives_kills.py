from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import subprocess
import sys
import threading
import time

import httpx2
import pytest

from midflight.testing import wait_until

PATH = "/api/v1/modules/log/config"
LOGGERS = 500


def body_of(mark: str) -> dict:
    """Return a configuration that takes a while to be written."""
    loggers = {f"app.{mark}.n{n}": "INFO" for n in range(LOGGERS)}
    return {"level": "INFO", "loggers": loggers}


class Process:
    """A `midflight run` with an admin."""

    def __init__(self, folder) -> None:
        self.folder = folder
        words = ["run", "app.yaml", "--admin", "127.0.0.1:0", "--state-dir", "state"]
        with (folder / "log").open("w") as log:
            command = [sys.executable, "-Im", "midflight", *words]
            self.process = subprocess.Popen(command, cwd=folder, stderr=log)
        wait_until(lambda: "ready:" in self.log or self.process.poll(), seconds=30)
        found = re.search(r"admin is at (http://\S+?)/?\n", self.log)
        assert found, self.log
        self.address = found[1]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def client(self) -> httpx2.Client:
        token = (self.folder / "state/admin.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "If-Match": "*"}
        return httpx2.Client(
            base_url=self.address, headers=headers, timeout=20, verify=False
        )

    def end(self, number: int) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def begin(tmp_path):
    """A function that starts a process; the last one is killed after the test."""
    app = "modules:\n  log:\n    type: logging\n    config: {level: INFO}\n"
    (tmp_path / "app.yaml").write_text(app)
    begun: list[Process] = []

    def start() -> Process:
        begun.append(Process(tmp_path))
        return begun[-1]

    yield start
    for each in begun:
        each.process.kill()
        each.process.wait()


def marks(config: dict) -> set[str]:
    """Return of which bodies a configuration is."""
    return {name.split(".")[1] for name in config.get("loggers", {})}


def stored_in(folder) -> dict:
    """Return what is kept for the module."""
    modules = json.loads((folder / "state/overrides.json").read_text())["modules"]
    [entry] = [each for each in modules if each["name"] == "log"]
    return entry["config"]


class Writer(threading.Thread):
    """Puts one body after another until nobody answers."""

    def __init__(self, service: Process, name: str) -> None:
        super().__init__()
        self.service = service
        self.asked = [f"{name}x{n}" for n in range(1_000)]
        self.codes: list[int] = []

    def is_under_way(self) -> bool:
        """Tell whether two bodies were taken."""
        return len(self.codes) > 1

    def run(self) -> None:
        broken = httpx2.TransportError
        with contextlib.suppress(broken), self.service.client() as client:
            for mark in self.asked:
                answer = client.put(PATH, json=body_of(mark))
                self.codes.append(answer.status_code)


@pytest.mark.timeout(120)
def test_a_kill_in_the_middle_of_a_put_leaves_it_whole_or_undone(begin, tmp_path):
    """The next start finds what was acknowledged last, or what was under way."""
    dice = random.Random(20)
    kept = ""
    for n in range(4):
        writer = Writer(begin(), f"r{n}")
        writer.start()
        wait_until(writer.is_under_way, seconds=30)
        time.sleep(dice.random() / 5)  # any moment will do
        writer.service.end(signal.SIGKILL)
        writer.join(30)
        found, done = stored_in(tmp_path), len(writer.codes)
        [kept] = marks(found)

        assert set(writer.codes) == {200}
        assert len([each for each in found["loggers"] if "app." in each]) == LOGGERS
        assert kept in writer.asked[done - 1 : done + 1]
    with begin().client() as client:
        assert marks(client.get(PATH).json()) == {kept}


def test_a_service_that_writes_and_listens_ends_in_time(begin):
    """SIGTERM among writers and listeners: 10 s at most, and none is half done."""
    service = begin()
    writers = [Writer(service, f"w{n}") for n in range(4)]
    with service.client() as client, client.stream("GET", "/api/v1/events") as events:
        for writer in writers:
            writer.start()
        wait_until(lambda: all(each.codes for each in writers), seconds=30)
        began = time.monotonic()
        code = service.end(signal.SIGTERM)
        took = time.monotonic() - began
        with contextlib.suppress(httpx2.TransportError):
            events.read()
    for writer in writers:
        writer.join(30)

    assert code == 0
    assert took < 10
    codes = {code for each in writers for code in each.codes}
    assert codes <= {200, 202, 429, 503}  # 202: stored, and not yet in force at the end
    assert len(marks(stored_in(service.folder))) == 1
    assert "Traceback" not in service.log
