"""What ends the process twice while it is applied is not tried a third time."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from midflight import Held, hookimpl
from midflight.errors import InvalidConfigurationError
from midflight.testing import FakeModule
from midflight_plugins.cli._app import app
from midflight_plugins.state._commands import journal
from midflight_plugins.state._crashes import Crashes
from midflight_plugins.state._disk import Disk
from midflight_plugins.state._reading import last_records, verify

from .conftest import config, number_of

pytestmark = pytest.mark.no_canaries("processes of their own make the same digests")

# Applies a number and is killed in the middle of it.
CRASHING = """
import json, os, signal, sys
from midflight import Runtime, hookimpl
from midflight.testing import FakeModule, FakeSource

class Fatal(FakeModule):
    @hookimpl
    def prepare(self, config):
        if config["n"] == 13:
            os.kill(os.getpid(), signal.SIGKILL)

source = FakeSource(json.loads(sys.argv[2]))
with Runtime(source, state_dir=sys.argv[1], modules={"fake": Fatal}) as runtime:
    number = runtime.snapshot.document.modules["web"].config["n"]
    print(json.dumps([number, runtime.status()["state"]]))
"""
FATAL = 13


def _written(state_dir):
    """Write the fatal configuration to a file beside the state directory."""
    file = state_dir.with_name("app.json")
    file.write_text(json.dumps(config(FATAL)))
    return file


def crash(state_dir, number=FATAL):
    """Start a process on a number; return what it runs, or `None` if it was killed."""
    arguments = [sys.executable, "-c", CRASHING, str(state_dir)]
    done = subprocess.run(
        [*arguments, json.dumps(config(number))],
        capture_output=True,
        check=False,
        timeout=60,
        text=True,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return json.loads(done.stdout) if done.returncode == 0 else None


def crashes(state_dir):
    """Return how often each digest has ended a process."""
    known = Crashes(state_dir, Disk()).known
    return {digest: crash.count for digest, crash in known.items()}


@pytest.fixture
def poisoned(state_dir, run, source):
    """Return the digest of a configuration that has ended two processes."""
    with run():
        pass
    assert crash(state_dir) is None
    assert crash(state_dir) is None
    source.set(config(FATAL))
    with run() as runtime:  # counts the second
        assert number_of(runtime) == 1
    [digest] = crashes(state_dir)
    return digest


def test_the_third_start_runs_the_last_good(state_dir, run):
    """The process that crashes twice comes up the third time, on what was good."""
    with run():
        pass

    assert [crash(state_dir), crash(state_dir)] == [None, None]
    assert crash(state_dir) == [1, "rejected"]
    assert crash(state_dir) == [1, "rejected"]
    assert list(crashes(state_dir).values()) == [2]


def test_one_crash_is_forgotten_once_it_applies(state_dir, run, source):
    """The same digest is tried again after one crash, and its count ends with it."""
    with run():
        pass
    assert crash(state_dir) is None
    source.set(config(FATAL))

    with run() as runtime:
        assert number_of(runtime) == FATAL
    assert crashes(state_dir) == {}


def test_the_refusal_says_what_to_do(poisoned, run):
    """The status names the code, the digest and the command."""
    with run() as runtime:
        [fault] = runtime.status()["rejected"]["faults"]

        assert "E_POISONED" in fault
        assert f"midflight journal forgive {poisoned[:12]}" in fault


def test_the_refusal_is_placed_where_it_comes_from(poisoned, state_dir, run):
    """It is no line of a file that is wrong, but what the directory remembers."""
    with run(source=f"file:{_written(state_dir)}") as runtime:
        [fault] = runtime.check()

        assert str(fault.place) == f"state directory {state_dir}"


def test_the_hint_works_as_it_is_printed(tmp_path, state_dir, run, poisoned):
    """Wherever the directory is, and in whichever folder it is typed."""
    odd = tmp_path / "a state's place"
    state_dir.rename(odd)
    with run(state_dir=odd) as runtime:
        [fault] = runtime.check()
        _, command, _ = fault.hint.split("`")
        done = CliRunner().invoke(app, shlex.split(command)[1:])

        assert done.exit_code == 0, done.output
        assert runtime.reload().ok
        assert number_of(runtime) == FATAL


def test_each_crash_is_a_record(poisoned, state_dir):
    """The journal says what was tried and how it ended, and is whole."""
    records = last_records(state_dir, 99)[::-1]
    told = [(each["outcome"], each["digest"]) for each in records]

    assert [outcome for outcome, _ in told] == [
        "applied",
        "crashed",
        "crashed",
        "rejected",
        "applied",
    ]
    assert {digest for _, digest in told[1:3]} == {poisoned}
    assert "2 of 2 times" in records[2]["faults"][0]["text"]
    assert [each["number"] for each in records] == [1, 2, 3, 4, 5]
    assert verify(state_dir).is_sound
    assert (
        "crashed" in CliRunner().invoke(journal, ["--state-dir", str(state_dir)]).output
    )


def test_a_running_service_refuses_it_too(poisoned, run, source):
    """Not only at the start: what runs stays, whoever asks."""
    source.set(config(1))
    with run() as runtime:
        source.set(config(FATAL))
        outcome = runtime.reload()

        assert [str(fault.code) for fault in outcome.faults] == ["E_POISONED"]
        assert number_of(runtime) == 1


def test_another_digest_is_not_refused(poisoned, run, source):
    """What was mended is new content, and is applied."""
    source.set(config(14))

    with run() as runtime:
        assert number_of(runtime) == 14
        assert runtime.status()["state"] == "healthy"


def test_forgiven_it_is_applied_at_the_next_look(poisoned, state_dir, run):
    """A running service notices that somebody wants it tried again."""
    with run() as runtime:
        assert number_of(runtime) == 1
        Crashes(state_dir, Disk()).forgive(poisoned)
        runtime.reload()

        assert number_of(runtime) == FATAL


def test_forgiveness_changes_the_token_of_the_inputs(poisoned, state_dir, run, source):
    """So that a look without any hint or change of the source finds it."""
    with run(watch=True, sweep=0.02) as runtime:
        Crashes(state_dir, Disk()).forgive(poisoned)

        assert runtime.wait(2).document.modules["web"].config["n"] == FATAL


def test_with_nothing_else_to_run_it_is_tried_again(state_dir, run, source, caplog):
    """A service that never had another configuration is not kept down by the guard."""
    for _ in range(3):
        assert crash(state_dir) is None
    source.set(config(FATAL))

    with run() as runtime:
        assert number_of(runtime) == FATAL
    assert "tried again, since there is no other" in caplog.text


def test_one_attempt_counts_once(state_dir, run):
    """Killed again before the marker was taken away: still one crash."""
    with run():
        pass
    assert crash(state_dir) is None
    marker = state_dir / "attempt"
    left = marker.read_bytes()
    for _ in range(3):
        marker.write_bytes(left)
        Crashes(state_dir, Disk()).count()

    assert list(crashes(state_dir).values()) == [1]


def test_a_clean_stop_and_a_refused_change_are_no_crash(state_dir, run, source):
    """Neither leaves a marker."""

    class Refuses(FakeModule):
        @hookimpl
        def prepare(self, config):
            if config["n"] == 2:
                raise ValueError("no")

    with run(modules={"fake": Refuses}) as runtime:
        source.set(config(2))
        assert not runtime.reload().ok
        assert not (state_dir / "attempt").exists()
        source.set(config(3))
        assert runtime.reload().ok

    assert not (state_dir / "attempt").exists()
    assert crashes(state_dir) == {}


def test_the_marker_is_there_while_a_change_is_applied(state_dir, run):
    """It names the digest; questions about a configuration leave none."""
    seen = []

    class Looks(FakeModule):
        @hookimpl
        def start(self):
            seen.append(json.loads((state_dir / "attempt").read_bytes())["digest"])

    with run(modules={"fake": Looks}) as runtime:
        assert seen == [runtime.snapshot.digest]
        runtime.check()
        runtime.plan(runtime.read()[0])

        assert not (state_dir / "attempt").exists()


def test_a_held_plan_leaves_no_marker(state_dir, run, source):
    """Nothing was begun that could crash."""
    with run(strategy="hold") as runtime:
        source.set(config(2))
        outcome = runtime.reload()

        assert isinstance(outcome, Held)
        assert not (state_dir / "attempt").exists()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b'{"a": 1}', b"\xff", b"[" * 9999]
)
def test_counts_that_cannot_be_read_are_none(state_dir, run, content):
    """A torn or foreign file of counts or marker keeps nothing from starting."""
    state_dir.mkdir(mode=0o700)
    (state_dir / "crashes.json").write_bytes(content)
    (state_dir / "attempt").write_bytes(content)

    with run() as runtime:
        assert number_of(runtime) == 1


def test_check_of_a_running_service_shows_the_refusal(poisoned, run, source):
    """Who asks before a change learns that it would be refused."""
    source.set(config(1))
    with run() as runtime:
        source.set(config(FATAL))

        assert [str(fault.code) for fault in runtime.check()] == ["E_POISONED"]
        with pytest.raises(InvalidConfigurationError, match="E_POISONED"):
            runtime.read()
