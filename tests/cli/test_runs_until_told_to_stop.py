from __future__ import annotations

import signal

import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_at_a_signal(started, state, number):
    """SIGTERM and SIGINT stop every module, and the process ends well."""
    service = started()
    service.send(number)

    assert service.end() == 0
    assert [state("a"), state("b")] == ["stopped", "stopped"]
    assert f"stopping: {number.name}" in service.text


def test_sees_a_signal_that_another_thread_takes(started, edit, folder):
    """The system may hand a signal to any thread; it is acted on all the same."""
    edit("- name: b\n    type: worker", "- name: b\n    type: signals")
    service = started()
    (folder / "go").touch()

    assert service.end() == 0


def test_says_what_it_starts(started):
    """The log names the source, the strategy, each module and the generation."""
    service = started("--strategy", "partial")

    assert "starting file:app.yaml, strategy partial, not watching" in service.text
    assert "generation 1 applied: start a, start b" in service.text


def test_stops_although_a_module_hangs_in_stop(started, edit):
    """A module that never stops is left behind, and the process ends well."""
    edit("- name: b\n    type: worker", "- name: b\n    type: stop")
    service = started("--shutdown", "1")

    assert service.stop() == 0


def test_stops_although_a_module_left_a_thread(started, edit):
    """A thread that a module forgot does not keep the process."""
    edit("- name: b\n    type: worker", "- name: b\n    type: thread")
    service = started("--shutdown", "1")

    assert service.stop() == 0
    assert "left behind" in service.text


def test_stops_although_nobody_reads_the_log(run, edit, folder):
    """A log that is full does not keep the process."""
    edit("- name: b\n    type: worker", "- name: b\n    type: floods")
    service = run("--shutdown", "1", reads=False)
    service.until_true((folder / "b.state").exists)

    assert service.stop() == 0


def test_stops_although_a_module_hangs_in_start(run, edit, folder):
    """A start that hangs does not keep the process from stopping."""
    edit("- name: b\n    type: worker", "- name: b\n    type: start")
    service = run("--shutdown", "1", "--log-level", "debug")
    service.until("starting")
    service.until_true((folder / "b.state").exists)

    assert service.stop() == 0


def test_stops_while_a_reload_hangs(started, edit, folder, state):
    """A reload that hangs does not keep the process from stopping."""
    service = started("--shutdown", "1")
    edit("- name: b\n    type: worker", "- name: b\n    type: start")
    service.send(signal.SIGHUP)
    service.until_true(lambda: state("b") == "hangs")

    assert service.stop() == 0


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("rate: 1", "rate: ten", 1, "app.yaml:5:13: E_TYPE"),
        ("type: worker", "type: wroker", 1, "did you mean `worker`?"),
        ("rate: 1", "rate: [", 1, "app.yaml:6:3: E_SYNTAX"),
        ("type: worker", "type: refuses", 4, "no such device"),
    ],
)
def test_does_not_start_what_is_wrong(run, edit, old, new, code, says):
    """A start that fails says why and where, and with which exit code."""
    edit(old, new)
    service = run()

    assert service.end() == code
    assert says in service.text
    assert "not started" in service.text
    assert "Traceback" not in service.text


def test_does_not_start_without_its_source(run):
    """A source that cannot be read ends the start with a code of its own."""
    service = run(file="nowhere.yaml")

    assert service.end() == 3
    assert "nowhere.yaml" in service.text
    assert "Traceback" not in service.text


def test_a_module_that_hangs_in_start_fails_the_start(run, edit):
    """The deadline given on the command line ends a start that hangs."""
    edit("type: worker", "type: start")
    service = run("--deadline", "0.3", "--shutdown", "2")

    assert service.end() == 4
    assert "did not return within 0.3 s" in service.text
