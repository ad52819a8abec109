"""The quickstart does what README shows."""

from __future__ import annotations

import http.client
import importlib
import re
import shutil
import socket
import sys
from pathlib import Path

import pytest

from midflight import Runtime
from midflight.testing import wait_until


@pytest.fixture
def example(root, tmp_path):
    """Return a copy of the example."""
    return shutil.copytree(root / "examples/greeter", tmp_path / "greeter")


@pytest.fixture
def greeter(example, monkeypatch):
    """Return the modules of the example, importable for this test."""
    monkeypatch.syspath_prepend(example)
    names = ("greeter", "ask", "demo")
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        del sys.modules[name]


@pytest.mark.xdist_group("pages")
def test_the_demo_tells_the_whole_story(greeter):
    """An edit takes effect, a broken one changes nothing, reverting heals."""
    lines: list[str] = []
    greeter["demo"].play(lines.append)
    told = "\n".join(lines)

    assert re.search(
        r"generation 1 applied.*hello, Ada!.*generation 2 applied: reconfigure english"
        r".*good morning, Ada!.*rejected.*app\.yaml:8:13: E_TYPE.*found 'lots'"
        r".*good morning, Ada!.*healthy again",
        told,
        re.DOTALL,
    ), told


@pytest.mark.xdist_group("pages")
def test_the_demo_leaves_nothing_behind(greeter, tmp_path, monkeypatch):
    """All that its service keeps is in the copy, which goes with the demo."""
    lines: list[str] = []
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    greeter["demo"].play(lines.append)
    [told] = [line for line in lines if "state in " in line]

    assert not (tmp_path / "home").exists()
    assert "/greeter/state" in told
    assert not Path(told.partition("state in ")[2]).exists()


@pytest.mark.xdist_group("pages")
def test_the_demo_does_not_mind_an_edited_file(greeter, example):
    """Who has tried the example first sees the same story."""
    (example / "app.yaml").write_text("modules: [{name: mine, type: greeter}]\n")
    greeter["demo"].play([].append)


def test_the_file_of_the_example_is_valid(greeter, example):
    """What the first command of README runs is accepted as it stands."""
    types = {"greeter": greeter["greeter"].Greeter}
    runtime = Runtime(f"file:{example / 'app.yaml'}", modules=types)

    assert runtime.check() == ()


def free_ports(count):
    """Return ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def service(greeter, tmp_path):
    """Return a running greeter, its file, and the two ports it uses."""
    file = tmp_path / "app.yaml"
    text, ports = greeter["demo"].TEXT, free_ports(2)
    for old, new in zip(("8801", "8802"), ports, strict=True):
        text = text.replace(old, str(new))
    file.write_text(text)
    types = {"greeter": greeter["greeter"].Greeter}
    with Runtime(f"file:{file}", modules=types) as runtime:
        yield runtime, file, ports


def get(port):
    """Return the status and the text of one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/Ada")
    answer = connection.getresponse()
    status, text = answer.status, answer.read().decode()
    connection.close()
    return status, text


def edit(file, old, new):
    """Replace a text that has to be there."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_rate_is_a_limit_that_can_be_changed(service):
    """Above the rate there is a 429; a new rate holds from the next request on."""
    runtime, file, (port, _) = service
    edit(file, "rate: 10 ", "rate: 0.001 ")
    assert runtime.reload().ok
    wait_until(lambda: get(port)[0] == 429)
    edit(file, "rate: 0.001 ", "rate: 1000 ")

    assert runtime.reload().ok
    wait_until(lambda: get(port)[0] == 200)


def test_a_greeter_moves_to_another_port(service):
    """The new port answers, and the old one is given up."""
    runtime, file, (port, _) = service
    [other] = free_ports(1)
    edit(file, str(port), str(other))

    assert runtime.reload().ok
    assert get(other) == (200, "hello, Ada!\n")
    with pytest.raises(ConnectionRefusedError):
        get(port)


def test_a_port_that_is_taken_refuses_the_whole_change(service):
    """One greeter cannot move, so the other keeps its old greeting too."""
    runtime, file, (english, french) = service
    edit(file, "hello", "good morning")
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        edit(file, str(french), str(stranger.getsockname()[1]))
        outcome = runtime.reload()

    assert (outcome.name, outcome.reason) == ("rejected", "prepare_refused")
    assert get(english) == (200, "hello, Ada!\n")
    assert get(french) == (200, "bonjour, Ada!\n")
