from __future__ import annotations

import contextlib
import json
import socket
import threading

import pytest
from click.testing import CliRunner

from midflight import Runtime, hookimpl
from midflight.testing import wait_until
from midflight_plugins.cli._app import app
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource
from midflight_plugins.overrides._commands import override
from midflight_plugins.overrides._process import Process

from .conftest import BASE, Limiter

RATE = "modules.api.config.rate"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Return a store in the working directory."""
    monkeypatch.chdir(tmp_path)
    return "file:overrides.yaml"


def run(*args, code=0, before=(), stdin=None, **environ):
    """Run `midflight override …` and return what it says."""
    words = [*before, "override", *args]
    result = CliRunner().invoke(app, words, input=stdin, env=environ)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def state_dir(make, store, tmp_path):
    """Return the state directory of a service that runs on the store."""
    with make(OverridesSource(store), state_dir=tmp_path / "state") as runtime:
        runtime.service = runtime
        yield str(tmp_path / "state")


def test_sets_lists_and_unsets(store):
    """Without a service to ask, what is set is stored, and said to be no more."""
    said = run("set", RATE, "5", "--store", store, "-m", "rush")
    assert "stored, not yet applied" in said
    assert run("list", "--store", store) == f"{RATE} = 5  (overrides.yaml:4:13)\n"
    data = json.loads(run("list", "--store", store, "--format", "json"))
    assert data["overrides"][0]["path"] == RATE
    assert data["version"]
    run("unset", RATE, "--store", store)
    assert run("list", "--store", store) == "no overrides\n"


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["5"], 5),
        (["true"], True),
        (["null"], None),
        (['["a"]'], ("a",)),
        (['{"a": 1}'], {"a": 1}),
        (["hello"], "hello"),
        (['"5"'], "5"),
        (["5", "--string"], "5"),
        (["--", "-5"], -5),
    ],
)
def test_a_value_is_json_if_it_can_be(store, words, value):
    """Anything else is text; `--string` makes text of all."""
    run("set", "--store", store, "limits.most", *words)

    (found,) = OverridesSource(store).list()[:1]
    assert (found.value if "a" not in found.path else {"a": 1}) == value


def test_a_running_service_applies_it_at_once(store, state_dir):
    """With its state directory, the command says which generation came of it."""
    said = run("set", RATE, "5", "--store", store, "--state-dir", state_dir)
    assert "applied as generation 2" in said
    data = json.loads(
        run("unset", RATE, "--store", store, "--state-dir", state_dir,
            "--format", "json")
    )  # fmt: skip

    assert (data["state"], data["generation"]) == ("applied", 3)


@pytest.mark.parametrize(("bad", "code"), [("-1", 1), ("100", 4)])
def test_what_the_service_refuses_is_taken_back(store, state_dir, bad, code):
    """The exit code and the faults say so, and the store is as before."""
    run("set", RATE, "5", "--store", store, "--state-dir", state_dir)
    said = run(
        "set", "--store", store, "--state-dir", state_dir, RATE, "--", bad, code=code
    )

    assert "it was taken back" in said
    assert [each.value for each in OverridesSource(store).list()] == [5]


@pytest.fixture(params=["no layer", "an empty layer", "a layer of others"])
def stranger(request, tmp_path):
    """Run a service that does not have the store, and whose content went bad."""
    if request.param == "a layer of others":
        (tmp_path / "others.yaml").write_text("limits: {most: 1}\n")
    base, others = MemorySource(BASE), OverridesSource(f"file:{tmp_path}/others.yaml")
    layers = [base] if request.param == "no layer" else [base, others]
    folder = tmp_path / "other"
    with Runtime(layers, modules={"limiter": Limiter}, state_dir=folder) as runtime:
        base.set({**BASE, "modules": [{**BASE["modules"][0], "type": "limitre"}]})
        yield runtime


@pytest.mark.parametrize("is_first", [True, False])
def test_a_service_of_another_store_is_no_judge(store, stranger, is_first):
    """The override is stored, and a warning names the service that does not count."""
    folder = str(stranger.state_dir)
    if not is_first:
        OverridesSource(store).set("limits.most", 2)
    said = run("set", RATE, "5", "--store", store, MIDFLIGHT_STATE_DIR=folder)

    assert "stored, not yet applied; a running service applies it" in said
    assert f"the service in {folder} was not asked: no layer of it holds" in said
    assert "overrides:file:overrides.yaml" in said
    assert OverridesSource(store).list()[0].value == 5
    assert not list(stranger.state_dir.glob("*author*"))


def test_a_service_that_holds_other_values_is_not_asked(store, tmp_path):
    """It does not even look at its source: nothing of it changes."""
    base, folder = MemorySource({"limits": {}}), str(tmp_path / "other")
    with Runtime(base, state_dir=folder) as runtime:
        base.set({"limits": {"most": 7}})
        run("set", RATE, "5", "--store", store, "--state-dir", folder)

        assert runtime.snapshot.generation == 1


def test_a_service_that_does_not_answer_is_told_before_anything_is_stored(store):
    """Exit 3, and nothing is stored."""
    run("set", RATE, "5", "--store", store, "--state-dir", "nowhere", code=3)

    assert OverridesSource(store).list() == ()


def test_the_store_comes_from_the_settings(store, tmp_path, monkeypatch):
    """From midflight.toml, from pyproject.toml, or from MIDFLIGHT_OVERRIDES."""
    run("list", code=2)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.midflight.overrides]\nstore = "file:a.yaml"\n'
    )
    run("set", "limits.most", "1")
    (tmp_path / "midflight.toml").write_text('[overrides]\nstore = "file:b.yaml"\n')
    run("set", "limits.most", "2")
    monkeypatch.setenv("MIDFLIGHT_OVERRIDES", "overrides:file:c.yaml")
    run("set", "limits.most", "3")

    for number, name in enumerate("abc", 1):
        (found,) = OverridesSource(f"file:{name}.yaml").list()
        assert found.value == number


@pytest.mark.parametrize("text", ["[overrides", "[overrides]\nstore = 5\n"])
def test_settings_that_are_wrong_are_told(store, tmp_path, text):
    """With the file's name, and the exit status of every command."""
    (tmp_path / "midflight.toml").write_text(text)

    assert "midflight.toml:" in run("list", code=2)
    assert run("list", "--store", store) == "no overrides\n"


def test_every_way_to_give_settings_names_the_store(store, tmp_path):
    """`--set` wins over the environment; a file's store begins where the file is."""
    (tmp_path / "there").mkdir()
    file = tmp_path / "there" / "settings.toml"
    file.write_text('[overrides]\nstore = "o.yaml"\n')
    run("set", "limits.most", "1", before=["--settings", str(file)])
    told = ["--set", "overrides.store=file:x.yaml"]
    run("set", "limits.most", "2", before=told, MIDFLIGHT_OVERRIDES="file:y.yaml")

    assert OverridesSource(f"file:{tmp_path}/there/o.yaml").list()[0].value == 1
    assert OverridesSource("file:x.yaml").list()[0].value == 2
    assert not (tmp_path / "y.yaml").exists()


def test_it_works_as_a_command_of_its_own(store, state_dir):
    """Below another root than ours, the environment names store and directory."""
    environ = {"MIDFLIGHT_OVERRIDES": store, "MIDFLIGHT_STATE_DIR": state_dir}
    result = CliRunner().invoke(override, ["set", RATE, "5"], env=environ)

    assert "applied as generation 2" in result.output


@pytest.mark.parametrize("how", ["file", "environment"])
def test_the_service_of_the_settings_is_asked(store, state_dir, tmp_path, how):
    """What it refuses is taken back, though nothing named its directory."""
    environ = {"MIDFLIGHT_STATE_DIR": state_dir} if how == "environment" else {}
    where = "" if environ else 'state_dir = "state"\n'
    settings = f'{where}[overrides]\nstore = "overrides.yaml"\n'
    (tmp_path / "midflight.toml").write_text(settings)

    assert "applied as generation 2" in run("set", RATE, "5", **environ)
    assert "it was taken back" in run("set", RATE, "--", "-1", code=1, **environ)
    assert [each.value for each in OverridesSource(store).list()] == [5]


def test_settings_without_a_state_directory_ask_nobody(store, state_dir):
    """`--set state_dir=false` stores and does not wait."""
    words = "set", RATE, "--store", store, "--", "-1"
    said = run(*words, before=["--set", "state_dir=false"])

    assert "stored, not yet applied" in said


LOGGERS = """\
modules:
  log: {type: logging, config: {loggers: {shop.audit: {level: INFO}}}}
"""
LEVEL = 'modules.log.config.loggers."shop.audit".level'


@pytest.fixture
def named(store, tmp_path):
    """Write a configuration that a settings file names, with its store."""
    (tmp_path / "app.yaml").write_text(LOGGERS)
    settings = 'source = "app.yaml"\n[overrides]\nstore = "overrides.yaml"\n'
    (tmp_path / "midflight.toml").write_text(settings)


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("modules.log.config.loggers.shop.audit.level", "DEBUG", "E_UNKNOWN"),
        ("application.password", "12345678", "E_SECRET"),
    ],
)
def test_what_does_not_fit_is_refused_though_nobody_runs(path, value, code):
    """It is checked with the configuration of the settings, before it is stored."""
    said = run("set", path, value, code=1)

    assert f"error[{code}]" in said
    assert run("list") == "no overrides\n"


@pytest.mark.usefixtures("named")
def test_a_path_is_set_as_explain_shows_it_and_listed_so():
    """One way to write a key with dots serves every command."""
    shown = CliRunner().invoke(app, ["explain", "modules.log.config.loggers"]).output
    run("set", shown.partition(" = ")[0], "DEBUG")

    assert shown.startswith(f'{LEVEL} = "INFO"')
    assert run("list").startswith(f'{LEVEL} = "DEBUG"')
    assert CliRunner().invoke(app, ["check"]).exit_code == 0
    again = CliRunner().invoke(app, ["explain", LEVEL]).output
    assert again.startswith(f'{LEVEL} = "DEBUG"')


def test_an_override_that_mends_is_kept_beside_what_is_wrong(named, tmp_path):
    """Only what a change brings is held against it."""
    (tmp_path / "overrides.yaml").write_text("modules: {log: {config: {lvl: 1}}}\n")
    said = run("set", LEVEL, "DEBUG")

    assert "stored, not yet applied" in said
    assert "modules.log.config.lvl" in run("list")


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("value", ["${file:/run/secrets/not-here}", "${NOT_HERE}"])
@pytest.mark.parametrize("form", ["%s", '["a", "%s"]'])
def test_what_only_the_service_has_may_be_referred_to(value, form):
    """Who sets an override need not be able to read what it refers to."""
    said = run("set", "application.password", form % value)

    assert "stored, not yet applied" in said


@pytest.mark.usefixtures("named")
def test_values_of_the_admin_of_the_settings_are_set_while_nobody_runs():
    """Its module stands in no file, and is checked like those that do."""
    admin = {"MIDFLIGHT_ADMIN": "127.0.0.1:0"}
    said = run("set", "modules.admin.config.body_limi", "9", code=1, **admin)
    run("set", "modules.admin.config.body_limit", "2000000", **admin)

    assert "error[E_UNKNOWN]" in said
    assert "body_limit" in run("list")


@pytest.mark.parametrize("there", ["none", "empty", "dead", "file"])
def test_where_no_service_answers_it_is_only_stored(store, tmp_path, there):
    """A state directory of the settings need not be one of a running service."""
    folder = tmp_path / "state"
    if there == "file":
        folder.touch()
    elif there != "none":
        folder.mkdir()
    if there == "dead":
        with socket.socket(socket.AF_UNIX) as dead, contextlib.chdir(folder):
            dead.bind("control.sock")
    told = {"MIDFLIGHT_STATE_DIR": str(folder)}
    said = run("set", RATE, "5", "--store", store, **told)

    assert "a running service applies it by its own watch" in said
    assert [each.value for each in OverridesSource(store).list()] == [5]


def test_who_may_not_ask_is_told_so(store, tmp_path, monkeypatch):
    """The override is stored, and a warning says that nobody was asked."""

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("http.client.HTTPConnection.request", refused)
    told = {"MIDFLIGHT_STATE_DIR": str(tmp_path)}
    said = run("set", RATE, "5", "--store", store, **told)

    assert "warning: the process in" in said
    assert "stored, not yet applied" in said


def test_a_process_that_answers_nonsense_keeps_an_override_out(store, tmp_path):
    """Somebody lives there and cannot be understood: nothing is stored."""
    with socket.socket(socket.AF_UNIX) as deaf, contextlib.chdir(tmp_path):
        deaf.bind("control.sock")
        deaf.listen()

        def hang_up():
            deaf.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        told = {"MIDFLIGHT_STATE_DIR": str(tmp_path)}
        said = run("set", RATE, "5", "--store", store, code=3, **told)
        thread.join()

    assert "no process answers" in said
    assert OverridesSource(store).list() == ()


def test_a_store_in_memory_is_refused(store):
    """It would end with the command, which would say that something is stored."""
    assert "ends with its process" in run("list", "--store", "memory", code=2)


def test_an_old_version_is_refused(store):
    """`--expect` names what the author has seen; `none` is an empty store."""
    run("set", RATE, "5", "--store", store, "--expect", "none")
    run("set", RATE, "6", "--store", store, "--expect", "none", code=4)
    version = OverridesSource(store).version
    run("set", RATE, "6", "--store", store, "--expect", version)


def test_nothing_set_is_an_error(store):
    """`unset` of what is not set says so."""
    assert "nothing is set" in run("unset", RATE, "--store", store, code=1)


def test_a_secret_is_not_listed(store):
    """The key hides it; a reference that leads nowhere hides every value."""
    run("set", "modules.db.config.password", "hush-hush", "--store", store)
    assert "hush-hush" not in run("list", "--store", store)
    run("set", "limits.name", "${NO_SUCH_VARIABLE_9}", "--store", store)
    said = run("list", "--store", store)
    assert "hush-hush" not in said
    assert "values are hidden" in said


BAD = "modules: {evry: {config: {rate: 1}}, mial: {config: {rate: 1}}}\n"


@pytest.fixture
def wrong(state_dir, tmp_path):
    """Store two overrides that the service refuses, and return its directory."""
    (tmp_path / "overrides.yaml").write_text(BAD)
    return state_dir  # without a watch it has not seen them


def test_one_of_two_that_are_wrong_is_taken_away(store, wrong):
    """The command says that it is stored, and what the service still refuses."""
    words = "--store", store, "--state-dir", wrong
    said = run("unset", "modules.evry", *words)

    assert "stored; the service is still rejected because of:" in said
    assert "mial" in said
    assert "evry" not in said
    assert "(was there before)" in said
    assert "applied as generation 1" in run("unset", "modules.mial", *words)


def test_one_that_mends_something_is_kept(store, wrong):
    """As JSON, what the service still refuses is a list."""
    words = "--store", store, "--state-dir", wrong, "--format", "json"
    data = json.loads(run("unset", "modules.evry", *words))

    assert data["state"] == "stored"
    assert len(data["standing"]) == 1


def test_a_good_one_beside_a_wrong_one_is_not_kept(store, wrong):
    """Nobody can tell what the service would make of it."""
    words = "--store", store, "--state-dir", wrong
    said = run("set", RATE, "5", *words, code=1)

    assert "it was refused already: mend that first" in said


def test_the_service_knows_the_author_though_its_watch_is_quicker(
    store, make, tmp_path, monkeypatch
):
    """The author is told before the change is there, and only for that one."""
    seen = []

    class Noted:
        @hookimpl
        def on_outcome(self, outcome):
            seen.append(outcome)

    folder = tmp_path / "state"
    options = {"watch": True, "state_dir": folder, "plugins": [Noted()]}
    with make(OverridesSource(store), **options) as runtime:
        ask = Process.ask

        def late(process, author):
            wait_until(lambda: runtime.snapshot.generation == 2)
            return ask(process, author)

        monkeypatch.setattr(Process, "ask", late)
        words = "--store", store, "--state-dir", str(folder), "--author", "ada"
        run("set", RATE, "5", *words)

    assert next(each.actor for each in seen if each.generation == 2) == "ada"
    assert not list(folder.glob("*author*"))


@pytest.mark.parametrize(("bad", "code"), [("-1", 1), ("100", 4)])
def test_what_is_refused_is_told_as_by_every_command(store, state_dir, bad, code):
    """With a head and its parts below; the line that was taken back is not shown."""
    run("set", RATE, "5", "--store", store, "--state-dir", state_dir)
    words = "--store", store, "--state-dir", state_dir, RATE, "--", bad
    said = run("set", *words, code=code)

    assert said.startswith("error[E_")
    assert "= at:       modules.api" in said
    assert "overrides.yaml:" not in said
    assert "rate: 5" not in said


def test_an_override_that_is_wrong_shows_no_line_of_the_file(store, state_dir):
    """The store is as before: at that place something else stands, or nothing."""
    run("set", RATE, "5", "--store", store, "--state-dir", state_dir)
    words = "--store", store, "--state-dir", state_dir, "modules.api.type", "limitre"
    said = run("set", *words, code=1)

    assert "E_MODULETYPE" in said
    assert " | " not in said


def test_no_line_of_a_file_beside_the_caller_is_shown(store, tmp_path):
    """What the service calls `app.yaml` is its own file, not the one that is here."""
    there, here = tmp_path / "there", tmp_path / "here"
    for folder in (there, here):
        folder.mkdir()
    (there / "app.yaml").write_text("limits: {most: 1}\n")
    (here / "app.yaml").write_text("# not that of the service\n")
    layers = ["file:app.yaml", f"overrides:file:{tmp_path}/overrides.yaml"]
    state, types = str(tmp_path / "state"), {"limiter": Limiter}
    kept = "--store", f"file:{tmp_path}/overrides.yaml", "--state-dir", state
    with contextlib.chdir(there), Runtime(layers, modules=types, state_dir=state):
        (there / "app.yaml").write_text("modules: {api: {type: limitre}}\n")
        with contextlib.chdir(here):
            said = run("set", RATE, "5", *kept, code=1)

    assert "--> app.yaml:1:" in said
    assert "not that of the service" not in said


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("modules.db.config.password", "hush-hush"),
        ("modules.db.config", '{"password": "hush-hush"}'),
        ("modules.db.config.url", "postgres://ada:hush-hush@db/x"),
    ],
)
def test_a_secret_in_clear_is_warned_of(store, path, value):
    """Once, and with what to set instead; the value is not shown again."""
    said = run("set", "--store", store, path, "-", stdin=value)

    assert said.count("warning: ") == 1
    assert "is stored in clear" in said
    assert "${file:" in said
    assert "hush-hush" not in said


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (RATE, "5"),
        ("modules.db.config.password", "${HUSH_9}"),
        ("modules.db.config.password", "${NO_SUCH_VARIABLE_9}"),
        ("modules.db.config.host", "db"),
    ],
)
def test_what_is_no_secret_in_clear_is_not_warned_of(store, path, value):
    """A reference is what to write; any other value is nobody's secret."""
    assert "warning: " not in run("set", "--store", store, path, value, HUSH_9="x")


@pytest.mark.parametrize(
    ("stdin", "words", "value"),
    [("5\n", (), 5), ("hello\n", (), "hello"), ("5", ("--string",), "5")],
)
def test_a_dash_reads_the_value_from_standard_input(store, stdin, words, value):
    """No list of processes shows it."""
    run("set", "--store", store, "limits.most", "-", *words, stdin=stdin)

    assert [each.value for each in OverridesSource(store).list()] == [value]


def test_a_running_service_is_told_which_version_to_expect(state_dir, base):
    """`--url` and `--expect` refuse what somebody else changed, as `--store` does."""
    where = ("--url", f"unix:{state_dir}/control.sock", "--format", "json")
    first = json.loads(run("set", RATE, "5", "--expect", "none", *where))
    second = json.loads(run("set", RATE, "6", "--expect", first["version"], *where))
    run("set", RATE, "7", "--expect", first["version"], *where, code=4)
    run("unset", RATE, "--expect", first["version"], *where, code=4)
    listed = json.loads(run("list", *where))

    assert (first["state"], second["state"]) == ("applied", "applied")
    assert [each["value"] for each in listed["overrides"]] == [6]
    assert listed["version"] == second["version"]
    run("unset", RATE, "--expect", second["version"], *where)
    assert json.loads(run("list", *where))["overrides"] == []
