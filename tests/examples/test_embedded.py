"""The programs that embed a runtime follow their files."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import pytest


@pytest.fixture
def program(root, tmp_path):
    """Return a function that starts one of the programs in a copy of its folder."""
    folder = shutil.copytree(root / "examples/embedded", tmp_path / "embedded")
    started = []
    # What a shell starts in the background ignores it, and so would the program.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(name):
        process = subprocess.Popen(
            [sys.executable, "-u", name],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return folder, process

    yield start
    signal.signal(signal.SIGINT, before)
    for process in started:
        process.kill()
        process.communicate()


def told(process, text):
    """Read what the program prints up to a line with `text`, which has to come."""
    return any(text in line for line in process.stdout)


@pytest.mark.parametrize(
    ("name", "file", "before", "after", "first", "then"),
    [
        ("worker.py", "app.yaml", "1.0", "0.01", "pausing 1 s", "pausing 0.01 s"),
        ("worker_async.py", "async.yaml", "1.0", "0.01", "then 1 s", "then 0.01 s"),
    ],
)
def test_follows_its_file(program, name, file, before, after, first, then):
    """An edit is seen by the running program; `Ctrl-C` ends it without an error."""
    folder, process = program(name)
    assert told(process, first)
    text = (folder / file).read_text()
    (folder / file).write_text(text.replace(before, after))

    assert told(process, then)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert "Traceback" not in process.stdout.read()
