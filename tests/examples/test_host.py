"""An application embeds a runtime, and plugins of others work in it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

import pytest

from midflight.testing import free_port, wait_until


@pytest.fixture(autouse=True)
def _installed(install):
    """Install the application, and the plugin of somebody else."""
    install("host", "plugin")


@pytest.fixture
def end():
    """Return the signal that closes the shop in the end."""
    return signal.SIGTERM


@pytest.fixture
def shop(root, environ, tmp_path, end):
    """Return what asks an open shop; its files are in `tmp_path`."""
    text = (root / "examples/host/app.yaml").read_text()
    (tmp_path / "app.yaml").write_text(text)
    (tmp_path / "shop.d").mkdir()
    said, port = tmp_path / "said", free_port()
    words = ["file:app.yaml", "folder:shop.d", "--port", str(port)]
    with said.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "corner_shop", *words],
            cwd=tmp_path,
            env=environ,
            stdout=file,
            stderr=file,
        )
    wait_until(lambda: "open at" in said.read_text() or process.poll(), "opening", 20)

    def ask():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.read().decode()

    try:
        yield ask
        process.send_signal(end)
        assert process.wait(20) == 0, said.read_text()
        assert "Traceback" not in said.read_text()
    finally:
        process.kill()
        process.wait()


def test_its_own_tests_pass(run_tests):
    """Its module type keeps the contract, and it answers as its tests say."""
    done = run_tests("host")

    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_its_types_are_known(run, root):
    """The command line checks its configuration, since it declares its module type."""
    done = run("midflight", "check", str(root / "examples/host/app.yaml"))

    assert done.returncode == 0, done.stdout
    assert "1 module" in done.stdout


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=["^C", "TERM"])
def test_it_closes_when_asked_to(shop, end):
    """`Ctrl-C` ends it as `SIGTERM` does: with status 0, and without a traceback."""
    assert "good morning" in shop()


def test_customers_see_an_edit(shop, tmp_path):
    """The next price list has the new discount."""
    assert "apple 0.50 (10 left)" in shop()
    file = tmp_path / "app.yaml"
    file.write_text(file.read_text().replace("discount: 0.0", "discount: 0.2"))

    wait_until(lambda: "apple 0.40 (10 left)" in shop(), "the discount", 10)


def test_a_plugin_of_others_works_in_it(shop, tmp_path):
    """A source and a module type that the shop never heard of are used by name."""
    pulse = {"type": "heartbeat", "config": {"every": 0.01, "text": "still open"}}
    (tmp_path / "shop.d/pulse.json").write_text(json.dumps(pulse))
    said = tmp_path / "said"

    wait_until(lambda: "pulse: still open" in said.read_text(), "a beat", 10)
    assert "apple 0.50" in shop()
