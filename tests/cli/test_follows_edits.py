from __future__ import annotations

import json
import logging
import runpy
import time
from pathlib import Path

import pytest

from midflight_plugins.cli import _logs

_DATA = Path(__file__).parents[1] / "data" / "bad_inputs.py"
ROWS = runpy.run_path(str(_DATA))["ROWS"]


def test_an_edit_takes_effect(started, edit, state):
    """A watched file needs no signal."""
    service = started("--watch")
    edit("rate: 1", "rate: 2")
    service.until("generation 2 applied: reconfigure a")

    assert state("a") == "2"


def test_a_broken_edit_changes_nothing(started, edit, state):
    """It is refused once, with code and place; undoing it is healthy again."""
    service = started("--watch")
    edit("rate: 1", "rate: lots")
    service.until("rejected, invalid")
    service.until("app.yaml:5:13: E_TYPE")
    edit("rate: lots", "rate: 1")
    service.until("healthy again")

    assert state("a") == "1"
    assert service.stop() == 0
    assert service.text.count("E_TYPE") == 1, service.text


def test_another_broken_edit_has_one_line(started, edit):
    """Who mends something else sees that it was read; the fault is not told again."""
    service = started("--watch")
    edit("rate: 1", "rate: lots")
    service.until("app.yaml:5:13: E_TYPE")
    edit("dependsOn: [a]\n", "dependsOn: []\n")
    service.until("still rejected, invalid: other content, same reason")

    assert service.stop() == 0
    assert service.text.count("E_TYPE") == 1, service.text


def test_every_bad_input_leaves_the_service_alone(started, folder, state):
    """Whatever stands in the file, what runs goes on, and goes on following."""
    service = started("--watch")
    good = (folder / "app.yaml").read_bytes()
    for row in ROWS:
        if row.file != "app.yaml" and "app.yaml" not in row.files:
            continue
        for name, content in reversed(row.files.items()):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        service.until("rejected, invalid")
        (folder / "app.yaml").write_bytes(good)
        service.until("healthy again")

    assert state("a") == "1"
    assert service.stop() == 0
    assert "Traceback" not in service.text


def test_logs_json_on_request(started, edit):
    """Each line is an object with time, level, logger and message."""
    service = started("--watch", "--log-format", "json")
    edit("rate: 1", "rate: lots")
    service.until("rejected")
    code = service.stop()
    entries = [json.loads(line) for line in service.lines]

    assert code == 0
    assert {frozenset(entry) for entry in entries} == {
        frozenset({"time", "level", "logger", "message"})
    }
    assert any("E_TYPE" in entry["message"] for entry in entries)


def test_a_logging_module_takes_over(started, folder):
    """Once a `logging` module runs, lines look as it says, and come once."""
    text = (folder / "app.yaml").read_text() + (
        "  - name: logs\n    type: logging\n    config:\n"
        "      format: 'configured %(message)s'\n"
    )
    (folder / "app.yaml").write_text(text)
    service = started()
    service.stop()
    ready = [line for line in service.lines if "ready:" in line]

    assert len(ready) == 1
    assert ready[0].startswith("configured ready:")


def test_logs_no_control_characters():
    """What stands in a file cannot steer the terminal that shows the log."""
    record = logging.makeLogRecord({"msg": "rejected:\n  found \x9b31m\u202e"})
    text = _logs.TextFormatter().format(record)

    assert text.endswith("rejected:\n  found \\x9b31m\\u202e")


def test_lets_a_manager_read_late(started, tmp_path):
    """A manager that never reads its socket does not hold the service up."""
    service = started(env={"NOTIFY_SOCKET": str(tmp_path / "nobody.sock")})

    assert service.stop() == 0


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_tells_the_service_manager(started, notified, kind):
    """READY, RELOADING with its time, READY again, STOPPING: as systemd asks."""
    address, receive = notified(kind)
    before = time.monotonic_ns() // 1000
    service = started(env={"NOTIFY_SOCKET": address})
    ready = receive()
    service.send(1)
    reloading, again = receive(), receive()
    code = service.stop()

    assert code == 0
    assert ready == ["READY=1", f"MAINPID={service.process.pid}"]
    assert reloading[0] == "RELOADING=1"
    name, _, usec = reloading[1].partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(usec) <= time.monotonic_ns() // 1000
    assert again == ["READY=1"]
    assert receive() == ["STOPPING=1"]
