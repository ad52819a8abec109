"""A process that is forked while somebody writes can write as well."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from midflight_plugins.api import Events

from .conftest import CONFIG

DUE = 30.0  # s

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs `os.fork`")


def ended(pid):
    """Return how a child ended, within its time."""
    due = time.monotonic() + DUE
    while time.monotonic() < due:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "it hangs"


def work(ask, runtime):
    """Do what takes a lock: read, write, plan, and listen."""
    Events.of(runtime).subscribe(lambda _event: None)()
    headers = {"if_match": "*", "idempotency_key": "k"}
    token = ask("POST", "plan", {"module": "web", "patch": {"rate": 7}})
    answers = [
        ask("PATCH", CONFIG, {"rate": 6}, **headers),
        token,
        ask("GET", "status"),
    ]
    answers.append(ask("GET", "generations"))
    return [each.status for each in answers]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_is_not_held_up_by_what_its_parent_does(ask, runtime, base):
    """Whose turn it was when it was made is not in the child."""
    inside, go = threading.Event(), threading.Event()

    def slow(_tree, _version):
        inside.set()
        go.wait(DUE)
        return {}

    def hold():
        with ask.api.turn():
            runtime.snapshot.loaded.layers[1].participant.target.rewrite(slow)

    writer = threading.Thread(target=hold)
    writer.start()
    assert inside.wait(DUE)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            fresh = type(ask)(runtime)
            code = 0 if work(fresh, runtime) == [200] * 4 else 2
        finally:
            sys.stderr.flush()
            os._exit(code)
    told = ended(pid)
    go.set()
    writer.join(DUE)

    assert told == 0
