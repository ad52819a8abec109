"""`midflight db`: what operators do to the tables."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from midflight.errors import SourceUnavailableError
from midflight_plugins.database._commands import db


@pytest.fixture
def run():
    """Runs `midflight db …`; gives exit code and output."""

    def run(*words):
        result = CliRunner().invoke(db, words)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return run


@pytest.fixture
def store(open_store, sqlite_url):
    """A store with two versions of one document."""
    store = open_store(sqlite_url)
    for n in (1, 2):
        more = {"author": "ada", "message": "", "digest": f"{n}"}
        store.put("web", b"%d" % n, expected=n - 1 or None, **more)
    return store


def test_upgrade_creates_the_tables(run, database_url):
    """A second run changes nothing and says so."""
    first = run("upgrade", f"database:{database_url}")
    second = run("upgrade", f"database:{database_url}", "--format", "json")

    assert first == (0, "the tables were brought up to revision 0002\n")
    assert second[0] == 0
    assert json.loads(second[1]) == {
        "changed": False,
        "before": "OURS",
        "revision": "0002",
    }


def test_list_shows_every_document(run, sqlite_url, store):
    """Keys with version and time, as a table and as JSON."""
    code, text = run("list", f"database:{sqlite_url}#other")
    data = json.loads(run("list", f"database:{sqlite_url}", "--format", "json")[1])

    assert code == 0
    assert text.splitlines()[0].split() == [
        *("KEY", "VERSION", "WHEN", "AUTHOR", "DIGEST")
    ]
    assert text.splitlines()[1].startswith("web  2        20")
    assert text.splitlines()[1].split()[3:] == ["ada", "2"]
    assert [(each["key"], each["version"]) for each in data] == [("web", 2)]
    assert (data[0]["author"], data[0]["digest"]) == ("ada", "2")


def test_an_empty_list_says_so(run, open_store, sqlite_url):
    """No document is no table."""
    open_store(sqlite_url)

    assert run("list", f"database:{sqlite_url}") == (0, "no document yet\n")


def test_verify_of_a_sound_history_exits_0(run, sqlite_url, store):
    """It prints the newest value of the chain, to be kept elsewhere."""
    chain = store.verify("web").chain
    code, text = run("verify", f"database:{sqlite_url}#web")

    assert (code, text) == (0, f"history of `web`: sound, rows: 2\nchain: {chain}\n")
    assert run("verify", f"database:{sqlite_url}#web", "--anchor", chain)[0] == 0


def test_verify_names_what_is_wrong_and_exits_1(run, sqlite_url, store, original):
    """Versions and reasons, as text and as JSON."""
    with original(sqlite_url).engine.begin() as connection:
        connection.exec_driver_sql("UPDATE config_document_history SET data = 'x'")
    code, text = run("verify", f"database:{sqlite_url}#web")
    data = json.loads(
        run("verify", f"database:{sqlite_url}#web", "--format", "json")[1]
    )

    assert code == 1
    assert "version 1: altered: " in text
    assert "history of `web`: NOT sound, rows: 2" in text
    assert [each["version"] for each in data["findings"]] == [1, 2]
    assert data["sound"] is False


def test_verify_of_an_anchor_that_is_not_there_exits_1(run, sqlite_url, store):
    """A history that was written anew is not the one that was kept."""
    code, text = run("verify", f"database:{sqlite_url}#web", "--anchor", "0" * 64)

    assert code == 1
    assert "the anchor is not part of the chain" in text


def test_resolve_tells_what_became_of_a_write(run, sqlite_url, store):
    """Its version, or that nothing was stored."""
    [newest, _] = store.history("web", 2)
    code, text = run("resolve", f"database:{sqlite_url}", newest.write_id)
    absent = run("resolve", f"database:{sqlite_url}", "nothing", "--format", "json")

    assert (code, text) == (0, "it is version 2 of `web`\n")
    assert absent[0] == 1
    assert json.loads(absent[1])["version"] is None


def test_a_wrong_address_is_a_usage_error_without_secrets(run):
    """Exit code 2, and no password."""
    code, text = run("list", "database:postgresql://u:hunter2@h/d?poll=x")

    assert code == 2
    assert "`poll` is a number of seconds" in text
    assert "hunter2" not in text


def test_verify_of_a_document_that_was_never_there_is_an_error(run, sqlite_url, store):
    """It is no sound history; with an anchor, exit code 1 says that it is gone."""
    chain = store.verify("web").chain
    with pytest.raises(SourceUnavailableError, match="holds no document `wbe`"):
        run("verify", f"database:{sqlite_url}#wbe")
    code, text = run("verify", f"database:{sqlite_url}#wbe", "--anchor", chain)

    assert code == 1
    assert "history of `wbe`: NOT sound, rows: 0" in text


def test_verify_names_an_edit_by_hand(run, sqlite_url, store, original):
    """A document that is not the newest version of its history exits 1."""
    original(sqlite_url).edit("web", "9")
    code, text = run("verify", f"database:{sqlite_url}#web")

    assert code == 1
    told = "altered: the document was edited by others since version 2"
    assert text.startswith(f"version 2: {told}\n")


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("nothere.yaml", "`nothere.yaml` is no `database:` URI, as in"),
        ("file:nothere.yaml", "`file:nothere.yaml` is no `database:` URI, as in"),
        ("app.db#web", "did you mean `database:app.db#web`?"),
        (
            "postgresql://u:hunter2@h/d#web",
            "did you mean `database:postgresql://u:***@h/d#web`?",
        ),
        ("databse:app.db", "did you mean `database:app.db`?"),
    ],
)
@pytest.mark.parametrize("command", ["upgrade", "list", "verify"])
def test_only_a_database_is_taken(run, monkeypatch, tmp_path, command, uri, told):
    """Anything else is a usage error, and no file is made."""
    monkeypatch.chdir(tmp_path)
    code, text = run(command, uri)

    assert code == 2
    assert told in text
    assert "hunter2" not in text
    assert list(tmp_path.iterdir()) == []
