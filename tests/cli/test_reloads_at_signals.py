from __future__ import annotations

import re
import signal


def test_sighup_reloads(started, edit, state):
    """Without a watch, an edit waits for SIGHUP."""
    service = started()
    edit("rate: 1", "rate: 2")
    service.send(signal.SIGHUP)

    assert "reconfigure a" in service.until("generation 2 applied")
    assert state("a") == "2"


def test_sighup_tries_again_what_was_refused(started, edit, folder, state):
    """SIGHUP insists: content that failed is tried although it has not changed."""
    service = started()
    (folder / "trouble").touch()
    edit("rate: 1", "rate: 2")
    service.send(signal.SIGHUP)
    service.until("rolled_back, step_failed")
    service.until("there is trouble")
    (folder / "trouble").unlink()
    service.send(signal.SIGHUP)
    service.until("generation 2 applied")

    assert state("a") == "2"


def test_a_storm_of_sighup_does_no_harm(started, edit, state):
    """A thousand signals are a few reloads, and the last edit is in force."""
    service = started()
    for rate in range(2, 1002):
        edit(f"rate: {rate - 1}\n", f"rate: {rate}\n")
        service.send(signal.SIGHUP)
    service.send(signal.SIGHUP)
    service.send(signal.SIGUSR1)
    service.until("approve: nothing to do")

    assert service.stop() == 0
    applied = [line for line in service.lines if "reconfigure a" in line]
    assert 1 <= len(applied) <= 1000
    assert "ERROR" not in service.text
    assert state("a") == "stopped"


def test_many_signals_are_one_reload(started, edit, folder, state):
    """What is asked while a reload is under way is answered by one more."""
    edit("- name: a\n    type: worker", "- name: a\n    type: waits")
    service = started()
    edit("rate: 1", "rate: 2")
    service.send(signal.SIGHUP)
    service.until_true(lambda: state("a") == "waits")
    for _ in range(1000):
        service.send(signal.SIGHUP)
    (folder / "go").touch()
    service.until("generation 2 applied")
    service.send(signal.SIGUSR1)
    service.until("approve: nothing to do")

    assert 1 <= service.text.count("reload: nothing to do") <= 5


def test_answers_a_reload_that_changes_nothing(started):
    """Who sends SIGHUP always finds an answer in the log."""
    service = started()
    service.send(signal.SIGHUP)

    assert "INFO" in service.until("reload: nothing to do")


def test_sigusr1_approves_what_is_held(started, edit, state):
    """The strategy `hold` waits for SIGUSR1; the log says why, and what approves it."""
    service = started("--strategy", "hold", "--watch")
    edit("rate: 1", "rate: 2")
    line = service.until("held, awaiting_approval: reconfigure a")
    held = state("a")
    service.send(signal.SIGUSR1)
    service.until("generation 2 applied")

    assert (held, state("a")) == ("1", "2")
    assert "(every change waits for approval)" in line
    assert re.search("; approve it with `midflight apply --state-dir /.*`$", line)
