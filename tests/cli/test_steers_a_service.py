from __future__ import annotations

import json
import re
import signal
import socket

import pytest

RATE = "modules.a.config.rate"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Let no other service of this user be found, nor a token."""
    for name in ("STATE_DIRECTORY", "MIDFLIGHT_STATE_DIR", "MIDFLIGHT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path.parent / f"{tmp_path.name}-home"))


@pytest.fixture
def service(started, folder, monkeypatch):
    """Return what starts a service with overrides, which commands then ask by URL."""

    def start(*words):
        store = "overrides.store=file:o.yaml"
        running = started("--state-dir", "state", "--set", store, *words)
        monkeypatch.setenv("MIDFLIGHT_URL", f"unix:{folder}/state/control.sock")
        return running

    return start


def token_of(said):
    """Return the token that a plan shows."""
    (token,) = re.findall(r"midflight apply (?:-- )?(\S+)", said.stdout)
    return token


def test_lists_the_modules_that_run(service, midflight):
    """By page, all or those with a text in their name; a table or data."""
    running = service()
    text = midflight("modules", "--running").stdout.splitlines()
    found = midflight("modules", "--running", "--search", "B", "--format", "json")

    assert text[0].split() == ["NAME", "TYPE", "STATE", "GENERATION", "CHANGE"]
    assert text[1].split() == ["a", "worker", "running", "1", "in", "place"]
    assert [row["name"] for row in json.loads(found.stdout)] == ["b"]
    assert "no module" in midflight("modules", "--running", "--search", "x").stdout
    assert running.stop() == 0


def test_what_is_planned_is_applied_once(service, midflight, state):
    """A plan changes nothing; its token does, and is used up by that."""
    running = service()
    said = midflight("plan", "--running", f"{RATE}=5", 'modules.b.config.motto="a b"')
    before = state("a")
    token = token_of(said)
    done = midflight("apply", "--", token)
    again = midflight("apply", "--", token, code=2).stderr

    assert "reconfigure  a" in said.stdout
    assert f"{RATE}" in said.stdout
    assert '-> "a b"' in said.stdout
    assert (before, state("a")) == ("1", "5")
    assert done.stdout == "applied; generation 2 is in force\n"
    assert "plan it again" in again
    assert running.stop() == 0


def test_a_plan_does_not_outlive_what_it_was_made_on(service, midflight, state):
    """Once the service has moved on, its token is refused with exit status 4."""
    running = service()
    token = token_of(midflight("plan", "--running", f"{RATE}=5"))
    midflight("override", "set", RATE, "7")
    said = midflight("apply", "--", token, code=4).stderr

    assert "has changed" in said
    assert state("a") == "7"
    assert running.stop() == 0


def test_a_whole_configuration_is_planned_from_a_file(service, midflight, folder):
    """Or what is overridden is taken away; nothing at all is what a reload would do."""
    running = service()
    midflight("override", "set", RATE, "7")
    (folder / "a.yaml").write_text("motto: stay\n")
    words = ("plan", "--running", "--format", "json")
    file = json.loads(midflight(*words, "--config", "a=a.yaml").stdout)
    none = json.loads(midflight(*words, "--unset", "a").stdout)
    reload = midflight("plan", "--running").stdout

    assert {each["path"]: each.get("new") for each in file["changes"]} == {
        "modules.a.config.motto": "stay",
        RATE: None,
    }
    assert none["changes"] == [{"path": RATE, "old": 7, "new": 1}]
    assert "no module is touched" in reload
    assert running.stop() == 0


def test_what_a_module_would_refuse_is_refused_in_a_plan(service, midflight):
    """A plan of what is no configuration has exit status 1, and says why."""
    running = service()
    said = midflight("plan", "--running", "modules.a.config.rat=5", code=1).stderr

    assert "did you mean `rate`?" in said
    assert running.stop() == 0


@pytest.mark.parametrize(
    "words",
    [
        ["a.config.rate=5"],
        ["modules.a.rate=5"],
        ["modules.a.config.rate"],
        ["modules.a.config.rate5"],
        ["modules.a..rate=5"],
        [f"{RATE}=5", "modules.a.config={}"],
        [f"{RATE}=5", f"{RATE}.deep=5"],
        [f"{RATE}=5", "--unset", "a"],
        ["--config", "a"],
        ["--config", "a=absent.yaml"],
    ],
)
def test_words_that_say_no_change_are_refused(midflight, words):
    """Before anybody is asked."""
    midflight("plan", "--running", "--state-dir", "nowhere", *words, code=2)


@pytest.mark.parametrize(
    "words",
    [
        ["plan"],
        ["plan", "a", "b", "c"],
        ["plan", "a", "--unset", "x"],
        ["rollback", "database:sqlite:///a.db"],
        ["rollback", "database:sqlite:///a.db", "1", "--layer", "x"],
        ["rollback", "--running", "1", "2"],
        ["rollback", "database:sqlite:///a.db", "1", "--source", "x.yaml"],
        ["plan", "a.yaml", "b.yaml", "--source", "x.yaml"],
    ],
)
def test_words_of_a_service_need_one(midflight, words):
    """They are refused where files or sources are meant, and the other way round."""
    midflight(*words, code=2)


def test_what_is_held_is_approved(service, midflight, edit, state):
    """`apply` without a token does what SIGUSR1 does; `status` says so."""
    running = service("--strategy", "hold")
    nothing = midflight("apply", code=4).stderr
    edit("rate: 1", "rate: 4")
    running.send(signal.SIGHUP)
    running.until("held")
    status, before = midflight("status").stdout, state("a")
    said = midflight("apply").stdout

    assert nothing == "nothing is held\n"
    assert "held: reconfigure a; approve it with `midflight apply`" in status
    assert (before, state("a")) == ("1", "4")
    assert said.startswith("approved: held")
    assert "reconfigure" in said
    assert said.splitlines()[-1].startswith("applied")
    assert running.stop() == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["apply", "app.yaml"], "app.yaml is no token: apply takes the TOKEN"),
        (["apply", "file:app"], "without one it approves what is held"),
        (["plan", "--running", "app.yaml"], "not PATH=VALUE"),
        (["rollback", "--running", "app.yaml"], "neither a GENERATION nor a digest"),
    ],
)
def test_a_file_is_no_word_of_a_change(midflight, words, says):
    """Before anybody is asked; what names a service is said instead."""
    said = " ".join(midflight(*words, code=2).stderr.split())

    assert says in said
    assert "a service is named by --source or --state-dir" in said


def test_every_command_finds_a_service_by_its_source(started, midflight, edit, state):
    """Among several; what is to be typed next names the same service."""
    first = started("--strategy", "hold")
    second = started("--source", "env:NOTHING_HERE")
    edit("rate: 1", "rate: 4")
    one = ("--source", "app.yaml")
    held = midflight("reload", "app.yaml").stdout
    status = midflight("status", "app.yaml").stdout
    told = midflight("status", "--set", "source=app.yaml").stdout
    plan = midflight("plan", "--running", *one).stdout
    unknown = midflight("apply", "nonsense", *one, code=2).stderr
    listed = midflight("rollback", "--running", *one).stdout
    journal = midflight("journal", *one).stdout
    shown = midflight("journal", "show", "1", *one).stdout
    (approve,) = re.findall(r"approve it with `midflight (.*)`", status)
    (do,) = re.findall(r"to do it: midflight (.*)", plan)
    done = midflight(*do.split()).stdout

    assert held.startswith("held")
    assert approve.startswith("apply --state-dir ")
    assert approve in told
    assert do.startswith(approve)
    assert "without one it approves what is held" in unknown
    assert "GENERATION" in listed
    assert "awaiting_approval" in journal
    assert "source: file:app.yaml" in shown
    assert done.startswith("applied")
    assert state("a") == "4"
    assert (first.stop(), second.stop()) == (0, 0)


def test_what_is_held_may_touch_no_module(service, midflight, edit, folder):
    """A change of a section alone waits as well; it is shown, and approved."""
    (folder / "app.yaml").write_text("modules: []\ngreeting: hello\n")
    running = service("--strategy", "hold")
    edit("hello", "good day")
    running.send(signal.SIGHUP)
    running.until("held")
    status, said = midflight("status").stdout, midflight("apply").stdout

    assert "held: no module is touched; approve it with" in status
    assert said.splitlines()[-1].startswith("applied")
    assert running.stop() == 0


def test_what_moved_on_since_it_was_held_is_not_approved(service, midflight, edit):
    """`apply` without a token does only what the status says is held."""
    running = service("--strategy", "hold")
    edit("rate: 1", "rate: 4")
    running.send(signal.SIGHUP)
    running.until("held")
    edit("rate: 4", "rate: 5")
    said = midflight("apply", code=4).stderr

    assert "the source has moved on since it was held" in said
    assert running.stop() == 0


def test_a_service_goes_back(service, midflight, state):
    """To a generation of before, as a new one; what there is is listed."""
    running = service()
    midflight("override", "set", RATE, "7")
    said = midflight("rollback", "--running", "1", "-m", "too fast").stdout
    listed = midflight("rollback", "--running").stdout.splitlines()
    gone = midflight("rollback", "--running", "99", code=2).stderr

    assert said == "applied; generation 3 is in force\n"
    assert state("a") == "1"
    assert [line.split()[0] for line in listed] == ["GENERATION", "3", "2", "1"]
    assert listed[1].endswith("in force")
    assert "the newest is 3" in gone
    assert running.stop() == 0


def test_overrides_are_set_by_url(service, midflight, folder, state):
    """As in a store: what the service refuses is not kept."""
    running = service()
    done = json.loads(
        midflight("override", "set", RATE, "7", "--format", "json").stdout
    )
    listed = midflight("override", "list").stdout
    wrong = midflight("override", "set", RATE, '"ten"', code=1).stderr
    (folder / "trouble").touch()
    failed = midflight("override", "set", RATE, "8", code=4).stderr
    (folder / "trouble").unlink()
    midflight("override", "unset", RATE)
    missing = midflight("override", "unset", RATE, code=1).stderr

    assert (done["state"], done["generation"], done["changed"]) == ("applied", 2, True)
    assert listed == f"{RATE} = 7  (o.yaml:4:13)\n"
    assert "E_TYPE" in wrong
    assert "there is trouble" in failed
    assert "it was taken back" in failed
    assert f"nothing is set at `{RATE}`" in missing
    assert state("a") == "1"
    assert running.stop() == 0


@pytest.mark.parametrize(
    "words", [["--store", "file:o.yaml"], ["--state-dir", "state"], ["--author", "ann"]]
)
def test_a_service_knows_its_store_and_who_asks(midflight, words):
    """What says something else beside `--url` is refused."""
    where = ("--url", "http://127.0.0.1:9")
    midflight("override", "set", RATE, "7", *where, *words, code=2)


def test_the_journal_is_read_by_url(service, midflight):
    """The newest first, as in the state directory, which alone can be verified."""
    running = service()
    for rate in (7, 8, 9):
        midflight("override", "set", RATE, str(rate))
    whole = json.loads(midflight("journal", "--format", "json").stdout)
    two = json.loads(midflight("journal", "--limit", "2", "--format", "json").stdout)
    own = midflight("journal", "--state-dir", "state", "--format", "json").stdout
    shown = midflight("journal", "show", str(whole[0]["number"])).stdout
    absent = midflight("journal", "show", "99", code=1).stderr
    by_url = ("journal", "--url", "http://127.0.0.1:9", "verify")

    assert [each["number"] for each in two] == [each["number"] for each in whole[:2]]
    assert whole == json.loads(own)
    assert shown.startswith(f"record {whole[0]['number']} of ")
    assert "record 99 is not kept" in absent
    assert "name that" in midflight(*by_url, code=2).stderr
    assert "sound" in midflight("journal", "--state-dir", "state", "verify").stdout
    assert running.stop() == 0


def test_a_token_does_what_its_scope_lets_it(started, midflight, folder, monkeypatch):
    """Over TCP, as the first token or another; a refusal names the scope."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    store = "overrides.store=file:o.yaml"
    running = started("--state-dir", "state", "--set", store, "--admin", address)
    monkeypatch.setenv("MIDFLIGHT_URL", f"http://{address}")
    state = ("--set", "state_dir=state")
    running.until_true((folder / "state" / "admin.token").exists)
    scope = ("--scope", "write:b", "--state-dir", "state")
    made = midflight("token", "create", "ci", *scope).stdout
    monkeypatch.setenv("MIDFLIGHT_TOKEN", made.split()[0])
    midflight("override", "set", "modules.b.config.rate", "3")
    refused = midflight("override", "set", RATE, "3", code=2).stderr
    back = midflight("rollback", "--running", "1", code=2).stderr
    monkeypatch.setenv("MIDFLIGHT_TOKEN", "mf_00000000_nobody")
    unknown = midflight("status", code=2).stderr
    monkeypatch.delenv("MIDFLIGHT_TOKEN")
    first = midflight("status", *state).stdout
    lines = midflight(*state, "journal").stdout.splitlines()
    who = {line.split()[-1] for line in lines if "changed" in line}

    assert "this needs the scope `write:a`" in refused
    assert "this needs the scope `rollback`" in back
    assert "$MIDFLIGHT_TOKEN or --token-file" in unknown
    assert first.startswith("healthy")
    assert who == {"ci"}
    assert running.stop() == 0


def test_without_a_word_it_is_the_only_service(started, midflight, folder):
    """Overrides and tokens are those of the one service that runs, wherever it is."""
    running = started("--admin", "127.0.0.1:0")
    said = midflight("override", "set", RATE, "7").output
    token = midflight("token", "create", "ci").stdout
    listed, known = midflight("override", "list").stdout, midflight("token", "list")

    assert "applied as generation 2" in said
    assert listed.startswith(f"{RATE} = 7")
    assert token.startswith("mf_")
    assert "ci" in known.stdout
    assert not (folder / "overrides.json").exists()
    assert running.stop() == 0
