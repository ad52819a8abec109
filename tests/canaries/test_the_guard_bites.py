"""The guard in `tests/conftest.py` fails a test that shows a canary, wherever."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

LEAKS = """
import logging
import subprocess
import sys
import warnings

import pytest

from midflight import Runtime, Secret, hookimpl
from midflight.testing import FakeModule, FakeSource

RAW = {"modules": [{"name": "m", "type": "fake"}]}


def test_log(canaries):
    logging.getLogger("midflight.x").debug("connected with %s", canaries[7])


def test_output(canaries):
    print(canaries[8])


def test_error(canaries):
    raise ValueError(f"cannot log in with {canaries[9]}")


def test_caught_error_in_a_message(canaries):
    pytest.fail(canaries[10], pytrace=False)


def test_file(canaries, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal.jsonl").write_text(f"{{'a': '{canaries[11]}'}}")


def test_file_of_a_fixture(state):
    pass


@pytest.fixture
def state(canaries, tmp_path):
    yield
    (tmp_path / "last-good").write_bytes(b"\\0" + canaries[0].encode())


def test_command_line(canaries):
    subprocess.run([sys.executable, "-c", "pass", canaries[12]], check=True)


def revealed(value):
    if isinstance(value, Secret):
        return value.reveal()
    if hasattr(value, "items"):
        return {key: revealed(each) for key, each in value.items()}
    return [revealed(v) for v in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize("key", ["password", "nested"])
def test_document(key):
    with Runtime(FakeSource(RAW), modules={"fake": FakeModule}) as runtime:
        print(revealed(runtime.snapshot.document.modules["m"].extra["canary"][key]))


def test_clean(canaries, tmp_path):
    (tmp_path / "x").write_text("nothing")
    with Runtime(FakeSource(RAW), modules={"fake": FakeModule}) as runtime:
        print(runtime.snapshot, runtime.snapshot.document.as_mapping())


@pytest.mark.no_canaries("it compares whole data")
def test_marked():
    with Runtime(FakeSource(RAW), modules={"fake": FakeModule}) as runtime:
        assert not runtime.snapshot.document.modules["m"].extra


def test_that_fails_for_another_reason():
    with Runtime(FakeSource(RAW), modules={"fake": FakeModule}) as runtime:
        assert not runtime.snapshot.document.modules["m"].extra
"""
LOUD = {
    "log": "Captured log call",
    "output": "Captured stdout call",
    "error": "",
    "caught_error_in_a_message": "",
    "file": "the file journal.jsonl",
    "file_of_a_fixture": "the file last-good",
    "command_line": "a command line",
    "document[password]": "Captured stdout call",
    "document[nested]": "Captured stdout call",
}


@pytest.fixture(scope="module")
def told(root, tmp_path_factory):
    """Return the lines of a test run with leaks under the same conftest."""
    folder = tmp_path_factory.mktemp("guarded")
    shutil.copy(root / "tests/conftest.py", folder)
    (folder / "core").mkdir()  # where documents hold canaries
    (folder / "core/test_leaks.py").write_text(LEAKS)
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rfEp", "-p", "no:cacheprovider", "."],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(root / "tests/servers"),
            "PYTEST_ADDOPTS": "",
        },
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", LOUD)
def test_a_test_that_shows_a_canary_fails(told, name):
    """In its log, output, error, files or children, and out of any document."""
    test = f"core/test_leaks.py::test_{name}"
    found = [
        line.partition(" - ")[0] in {f"FAILED {test}", f"ERROR {test}"} for line in told
    ]
    reason = f"{test}: a secret is in {LOUD[name]}"

    assert sum(found) == 1
    assert any(reason in line for line in told) or not LOUD[name]


def test_a_test_that_shows_none_passes(told):
    """The documents of its runtimes hold canaries, and hide them."""
    failed = [line for line in told if line.startswith(("FAILED", "ERROR"))]

    assert "PASSED core/test_leaks.py::test_clean" in told
    assert len(failed) == len(LOUD) + 1


def test_a_test_may_keep_its_documents_as_they_are(told):
    """By a marker; who does not know it is told at the first test that fails."""
    at = next(n for n, line in enumerate(told) if "fails_for_another_reason" in line)
    hints = [line for line in told[at:] if "see tests/conftest.py" in line]

    assert "PASSED core/test_leaks.py::test_marked" in told
    assert any("`no_canaries`" in line for line in hints)
