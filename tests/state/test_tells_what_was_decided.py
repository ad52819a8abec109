"""`midflight journal` shows, proves and forgives."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from midflight_plugins.cli._app import app
from midflight_plugins.state._commands import journal
from midflight_plugins.state._crashes import Crashes
from midflight_plugins.state._disk import Disk
from midflight_plugins.state._where import named

from .conftest import config


@pytest.fixture
def told(run, source, state_dir):
    """Return the state directory of a service that took one change and refused one."""
    with run() as runtime:
        source.set(config(2))
        runtime.reload(actor="ada")
        source.set({"modules": [{"name": "web", "type": "nonsense"}]})
        runtime.reload(actor="bob\x1b[31m")
    return state_dir


def ask(*arguments, folder=None, code=0, **environ):
    """Call the command; return what it wrote."""
    where = ["--state-dir", str(folder)] if folder else []
    environ = {"MIDFLIGHT_STATE_DIR": None, "STATE_DIRECTORY": None, **environ}
    done = CliRunner().invoke(journal, [*map(str, arguments), *where], env=environ)
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def test_the_list_is_newest_first_and_safe_for_a_terminal(told):
    """One line each; nothing in it acts on the terminal."""
    head, *lines = ask(folder=told).splitlines()

    assert head.split()[:4] == ["NUMBER", "WHEN", "CAUSE", "OUTCOME"]
    assert [line.split()[0] for line in lines] == ["3", "2", "1"]
    assert "E_MODULETYPE" in lines[0]
    assert lines[1].rstrip().endswith("ada")
    assert "\x1b" not in ask(folder=told)
    assert len(ask("--limit", 1, folder=told).splitlines()) == 2


def test_programs_get_json(told):
    """Of the list, of one record, of a look at all of them."""
    listed = json.loads(ask("--format", "json", folder=told))
    shown = json.loads(ask("show", 2, "--format", "json", folder=told))
    proven = json.loads(ask("verify", "--format", "json", folder=told))

    assert listed[1] == shown
    assert shown["steps"][0]["module"] == "web"
    assert proven["sound"] is True
    assert proven["hash"] == listed[0]["hash"]


def test_one_record_is_shown_in_full(told):
    """With its steps, what differs, and what was wrong."""
    assert "step: reconfigure web: done" in ask("show", 2, folder=told)
    assert "paths: modules.web.config.n" in ask("show", 2, folder=told)
    assert "fault: E_MODULETYPE" in ask("show", 3, folder=told)
    assert "record 99 is not kept" in ask("show", 99, folder=told, code=1)


def test_verify_exits_1_with_the_place_of_the_first_break(told):
    """And 0 while all is as it was written."""
    head = told / "journal.head"
    good = head.read_bytes()
    assert "sound, records: 3" in ask("verify", folder=told)
    head.write_bytes(good.replace(b"3 ", b"4 ", 1))

    assert "record 4 is missing" in ask("verify", folder=told, code=1)
    head.write_bytes(good)
    anchor = "0" * 63 + "1"
    assert "not in the chain" in ask("verify", "--anchor", anchor, folder=told, code=1)


def test_forgive_takes_the_beginning_of_a_digest(told):
    """It must mean one; what is known is listed otherwise."""
    for digest in ("abcd", "abef"):
        Crashes(told, Disk(), "a run that was killed").begin(digest, 1)
        Crashes(told, Disk()).count()

    assert "several digests" in ask("forgive", "ab", folder=told, code=1)
    assert "abcd: 1" in ask("forgive", "zz", folder=told, code=1)
    assert "abcd may be tried again" in ask("forgive", "abc", folder=told)
    assert list(Crashes(told, Disk()).known) == ["abef"]


def test_the_directory_is_found_where_the_service_has_it(told, tmp_path):
    """By the environment, or as the only one of this user."""
    home = tmp_path / "home"
    (home / "midflight").mkdir(parents=True)
    (home / "midflight" / "app-1").symlink_to(told)

    assert "NUMBER" in ask(MIDFLIGHT_STATE_DIR=str(told))
    assert "NUMBER" in ask(STATE_DIRECTORY=f"{told}:/else")
    assert "NUMBER" in ask(XDG_STATE_HOME=str(home))
    (home / "midflight" / "app-2").mkdir()
    assert "app-2" in ask(XDG_STATE_HOME=str(home), code=2)
    assert "there is no directory" in ask(folder=home / "none", code=2)
    assert str(named("/a", {"MIDFLIGHT_STATE_DIR": "/b"})) == "/a"


def test_of_several_each_is_told_with_its_source_and_last_use(told, tmp_path):
    """The last used first, a bounded number of them; one without a journal, too."""
    home = tmp_path / "home" / "midflight"
    home.mkdir(parents=True)
    (home / "app-1").symlink_to(told)
    for name in ("lock", "journal.head"):
        os.utime(told / name, (1_900_000_000, 1_900_000_000))
    for number in range(30):
        (home / f"old-{number}").mkdir()
        os.utime(home / f"old-{number}", (number, number))
    head, first, about, second, *rest = ask(
        XDG_STATE_HOME=str(home.parent), code=2
    ).splitlines()[-42:]

    assert "--source" in head
    assert first.endswith("app-1")
    assert rest.pop() == "  and 11 older ones"
    assert about.strip().startswith(f"fake in {Path.cwd()}, last used 2030-03-17T")
    assert second.endswith("old-29")
    assert rest[0].strip() == "an unknown source, last used 1970-01-01T00:00:29Z"
    assert not any(line.endswith("old-5") for line in rest)


def test_who_looks_for_a_service_need_not_know_its_directory(midflight, told, tmp_path):
    """`--source` says what its `run` was given; `--url` does not go with it."""
    home = {"XDG_STATE_HOME": str(tmp_path / "home")}
    said = midflight("journal", "--source", "app.yaml", code=2, **home)
    mine = said.partition("there is no directory ")[2].strip()
    Path(mine).parent.mkdir(parents=True)
    Path(mine).symlink_to(told)

    assert "NUMBER" in midflight("journal", "--source", "app.yaml", **home)
    assert "record 2" in midflight(
        "journal", "show", "2", "--source", "app.yaml", **home
    )
    assert "expected: a URI" in midflight("journal", "--source", "", code=2, **home)
    url = ("--url", "http://127.0.0.1:9")
    assert "--url asks" in midflight("journal", "--source", "a", *url, code=2, **home)


@pytest.fixture
def midflight(tmp_path, monkeypatch):
    """Return what calls `midflight …` in a folder of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(*words, code=0, **environ):
        done = CliRunner().invoke(app, words, env=environ)
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    return call


def test_settings_say_where_it_is(told, midflight):
    """Of the file, `--set` or the environment, as for every other command."""
    Path("midflight.toml").write_text(f'state_dir = "{told}"\n')

    assert "NUMBER" in midflight("journal")
    assert "record 2 of" in midflight("journal", "show", "2")
    assert "no directory" in midflight("journal", MIDFLIGHT_STATE_DIR="/n", code=2)
    Path("midflight.toml").unlink()
    assert "NUMBER" in midflight("--set", f"state_dir={told}", "journal")
    assert "NUMBER" in midflight("journal", MIDFLIGHT_STATE_DIR=str(told))


def test_the_service_of_a_folder_is_meant(told, midflight, tmp_path):
    """Among several of this user, the one that `run` would use here."""
    home = {"XDG_STATE_HOME": str(tmp_path / "home")}
    Path("midflight.toml").write_text('source = "app.yaml"\n')
    rows = json.loads(midflight("settings", "--format", "json", **home))["settings"]
    (mine,) = (row["value"] for row in rows if row["name"] == "state_dir")
    other = tmp_path / "home" / "midflight" / "other-1"
    other.mkdir(parents=True)

    assert mine in midflight("journal", code=2, **home)
    Path(mine).symlink_to(told)
    assert "NUMBER" in midflight("journal", **home)
    assert f"journal of {mine}: sound" in midflight("journal", "verify", **home)
    Path("midflight.toml").unlink()
    assert "other-1" in midflight("journal", code=2, **home)


def test_an_option_needs_no_settings(told, midflight):
    """`--state-dir` works although the settings file is wrong."""
    Path("midflight.toml").write_text("state_dir = 5\n")

    assert "NUMBER" in midflight("journal", "--state-dir", str(told))
    assert "midflight.toml:1" in midflight("journal", code=2)


def test_it_is_a_command_of_any_root(told):
    """What another command line keeps in its context is nothing to it."""
    root = click.Group("tool", [journal], context_settings={"obj": object()})
    done = CliRunner().invoke(root, ["journal"], env={"MIDFLIGHT_STATE_DIR": str(told)})

    assert "NUMBER" in done.output
