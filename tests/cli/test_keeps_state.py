from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Return `$XDG_STATE_HOME`, which no other test writes to."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.delenv("MIDFLIGHT_STATE_DIR", raising=False)
    folder = tmp_path.parent / f"{tmp_path.name}-home"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder / "midflight"


@pytest.fixture
def where(midflight):
    """Return what tells the state directory that settings lead to."""

    def find(*words):
        data = json.loads(midflight(*words, "settings", "--format", "json").stdout)
        [row] = [row for row in data["settings"] if row["name"] == "state_dir"]
        return row["value"]

    return find


def of_file(where, name="app.yaml"):
    """Return the directory of a service that runs one file."""
    return where("--set", f"source={name}")


def test_each_configuration_has_its_own(where, home, folder, monkeypatch):
    """The same file in another folder, or another file here, is another service."""
    first, other = of_file(where), of_file(where, "other.yaml")
    (folder / "deep").mkdir()
    monkeypatch.chdir(folder / "deep")
    second, again = of_file(where), of_file(where, "../app.yaml")

    assert Path(first).parent == home
    assert Path(first).name.startswith("app-")
    assert len({first, other, second}) == 3
    assert Path(again).name.startswith("app-")


def test_the_name_does_not_depend_on_how_a_file_is_named(where, folder):
    """A relative and an absolute path to one file are one service."""
    assert of_file(where) == of_file(where, f"file:{folder}/app.yaml")


def test_a_password_makes_no_name(where, monkeypatch):
    """A new password leaves the service where it was, and stands nowhere."""
    found = []
    for password in ("s3cr3t", "0ther"):
        uri = f"database:postgresql://app:{password}@host/db#shop"
        monkeypatch.setenv("MIDFLIGHT_SOURCE", uri)
        found.append(where())

    assert found[0] == found[1]
    assert Path(found[0]).name.startswith("shop-")


def test_a_settings_file_is_a_service(where, home, folder):
    """Its directory is named after the folder, whatever sources it has."""
    (folder / "midflight.toml").write_text('source = "app.yaml"\n')
    first = where()
    (folder / "midflight.toml").write_text('source = ["app.yaml", "env:X"]\n')

    assert where() == first
    assert Path(first).parent == home


def test_systemd_says_where(where, monkeypatch):
    """The first of its directories is taken, before that of the user."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")

    assert of_file(where) == "/var/lib/a"


@pytest.mark.parametrize("text", ["false", "/x/y"])
def test_who_says_something_is_heard_before_systemd(where, monkeypatch, text):
    """An explicit directory, or none, wins."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/a")
    monkeypatch.setenv("MIDFLIGHT_STATE_DIR", text)

    assert of_file(where) == (None if text == "false" else text)


def test_a_relative_home_is_ignored(where, monkeypatch):
    """As the specification of these directories asks."""
    monkeypatch.setenv("XDG_STATE_HOME", "here")
    monkeypatch.setenv("HOME", "/nobody")

    assert of_file(where).startswith("/nobody/.local/state/midflight/app-")


def test_run_says_where_its_state_is(started, home):
    """One line names the directory, which only its owner can enter."""
    service = started()
    [line] = [line for line in service.lines if "state in " in line]
    found = Path(line.partition("state in ")[2])

    assert found.parent == home
    assert stat.S_IMODE(found.stat().st_mode) == 0o700
    assert service.stop() == 0


def test_runs_without_a_home(started, tmp_path):
    """Where the usual directory cannot be made, the service runs and says so once."""
    (tmp_path / "file").touch()
    service = started(env={"XDG_STATE_HOME": str(tmp_path / "file")})

    assert sum("no state is kept" in line for line in service.lines) == 1
    assert "Not a directory" in service.text
    assert service.stop() == 0


def test_runs_without_state_if_told_so(started, home):
    """`--no-state` writes nothing anywhere."""
    service = started("--no-state")

    assert service.stop() == 0
    assert "no state is kept" in service.text
    assert not home.exists()


@pytest.mark.parametrize("place", ["app.yaml", "app.yaml/state"])
def test_what_is_no_directory_is_a_usage_error(run, folder, place):
    """Who names it means it: nothing is started without."""
    service = run("--state-dir", place)

    assert service.end() == 2
    assert service.text.count("Not a directory") == 1
    assert "state in" not in service.text


@pytest.mark.parametrize("trouble", ["owner", "mode", "systemd"])
def test_a_directory_that_cannot_be_used_is_told_once(run, folder, trouble, boot):
    """One line says what is true of it, and nothing is tried there."""
    where = folder / "mine"
    where.mkdir(mode=0o700)
    env, said = {}, "others may write it (mode 777)"
    if trouble == "systemd":
        where, said = folder / "app.yaml", "Not a directory"
        env = {"STATE_DIRECTORY": str(where)}
    elif trouble == "mode":
        where.chmod(0o777)
    else:
        said = f"it belongs to user {os.geteuid()}, not to {os.geteuid() + 1}"
    words = () if env else ("--state-dir", "mine")
    service = run(*words, env=env, boot=boot if trouble == "owner" else None)
    service.until("ready")

    lines = [line for line in service.lines if str(where) in line and "state" in line]
    assert len(lines) == 1
    assert f"no state is kept: {where}: {said}" in lines[0]
    assert "control" not in service.text
    assert service.stop() == 0


@pytest.fixture
def boot(folder):
    """Return a start of the command line by another user than owns the folder."""
    file = folder / "boot.py"
    file.write_text(
        "import os\n"
        f"os.geteuid = lambda: {os.geteuid() + 1}\n"
        "from midflight_plugins.cli._app import main\n"
        "main()\n"
    )
    return str(file)


LAYERED = """\
state_dir = "kept"
watch = true
log_level = "info"
sweep = 1

[[layers]]
name = "base"
source = "app.yaml"

[[layers]]
name = "site"
source = "site.yaml"

[overrides]
store = "overrides.yaml"

[modules]
worker = "kinds:Worker"
"""


@pytest.fixture
def layered(folder, monkeypatch, edit):
    """Write settings with three layers; they bring the module type."""
    (folder / "midflight.toml").write_text(LAYERED)
    (folder / "site.yaml").write_text("modules: {a: {config: {rate: 2}}}\n")
    (folder / "overrides.yaml").write_text("modules: {a: {config: {rate: 3}}}\n")
    monkeypatch.setenv("MIDFLIGHT_LOG_LEVEL", "debug")
    return folder


@pytest.fixture
def service(run, layered):
    """Return what starts `midflight run` with nothing but the settings."""
    return lambda option="--watch": run(file=option)


def test_explains_three_layers(midflight, layered):
    """The highest layer that has a value set it; lower ones are shown below."""
    text = midflight("explain", "modules.a.config.rate").stdout
    lines = [" ".join(line.split()) for line in text.splitlines()]

    assert lines[0].startswith(
        "modules.a.config.rate = 3 overrides.yaml:1:30 (overrides)"
    )
    assert lines[1:] == [
        "instead of 2 site.yaml:1:30 (site)",
        "instead of 1 app.yaml:5:13 (base)",
    ]


def test_explains_layers_of_the_command_line(midflight, layered):
    """A FILE and sources are layers, the lowest first; overrides stay on top."""
    (layered / "midflight.toml").unlink()
    words = ("explain", "--all", "app.yaml", "--source", "site.yaml")
    data = json.loads(midflight(*words, "--format", "json").stdout)
    rows = {row["path"]: row for row in data["values"]}

    assert rows["modules.a.config.rate"]["value"] == 2
    assert [s["value"] for s in rows["modules.a.config.rate"]["shadows"]] == [1]
    assert rows["modules.b.type"]["file"] == "app.yaml"
    assert "modules.a.name" not in rows


def test_a_secret_shadows_what_lower_layers_say(midflight, layered, monkeypatch):
    """What a secret replaced is as secret as what it was replaced by."""
    (layered / "app.yaml").write_text("db: {motto: hunter1}\nmodules: []\n")
    (layered / "site.yaml").write_text(f"db: {{motto: '${{file:{layered}/motto}}'}}\n")
    monkeypatch.setenv("MIDFLIGHT_SECRETS_PATH", str(layered))
    (layered / "motto").write_text("hunter2")
    (layered / "motto").chmod(0o600)
    (layered / "overrides.yaml").write_text("{}\n")
    for form in ("text", "json"):
        for words in (("--all",), ("db",)):
            text = midflight("explain", *words, "--format", form).output
            assert "hunter" not in text
            assert "********" in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_error_names_the_layer(midflight, layered, form):
    """A fault says in which layer's file it is."""
    (layered / "site.yaml").write_text("modules: {a: {config: {rate: ten}}}\n")
    (layered / "overrides.yaml").write_text("{}\n")
    text = midflight("check", "--format", form, code=1).stdout
    github = midflight("check", "--format", "github", code=1).stdout

    assert "site.yaml:1:30 (site)" in text or '"layer": "site"' in text
    assert github.startswith("::error file=site.yaml,line=1,col=30,title=E_TYPE::")


def test_diff_and_plan_compare_with_the_settings(midflight, layered):
    """Without NEW it is what `run` would run."""
    diff = midflight("diff", "app.yaml").stdout
    plan = midflight("plan", "app.yaml").stdout

    assert "config.rate  1 -> 3" in diff
    assert "reconfigure  a" in plan


def test_runs_layers_of_the_settings(service, state, layered, midflight):
    """All layers together are in force, one of them is edited, and status tells."""
    running = service()
    running.until("ready")
    assert state("a") == "3"
    (layered / "new").write_text("modules: {a: {config: {rate: 4}}}\n")
    (layered / "new").replace(layered / "overrides.yaml")
    running.until_true(lambda: state("a") == "4")
    running.until("generation 2 applied")
    told = json.loads(midflight("status", "--format", "json").stdout)
    text = midflight("explain", "modules.a.config.rate", "--running").stdout

    assert (told["state"], told["generation"]) == ("healthy", 2)
    assert "healthy, generation 2" in midflight("status").stdout
    assert "= 4" in text
    assert "instead of 2" in text
    assert midflight("reload").stdout.startswith("unchanged:")
    assert running.stop() == 0


def test_explains_what_the_files_say_though_nothing_came_of_it(
    service, layered, midflight
):
    """A value that another layer hides, or one on another line, is told as it is."""
    running = service("--no-watch")
    running.until("ready")
    app, site = layered / "app.yaml", layered / "site.yaml"
    app.write_text(app.read_text().replace("rate: 1", "rate: 9"))
    site.write_text("# one\n# two\n" + site.read_text())
    words = ("explain", "modules.a.config.rate")
    reloaded = midflight("reload").stdout
    here, there = midflight(*words).stdout, midflight(*words, "--running").stdout

    assert reloaded.startswith("unchanged: same_digest; generation 1")
    assert there == here
    lines = [" ".join(line.split()) for line in there.splitlines()]
    assert lines[1:] == [
        "instead of 2 site.yaml:3:30 (site)",
        "instead of 9 app.yaml:5:13 (base)",
    ]
    assert running.stop() == 0


def test_reload_says_who_asked(service, layered, midflight, monkeypatch):
    """The outcome names the user, as the author of a change is named elsewhere."""
    monkeypatch.setenv("LOGNAME", "ada")
    running = service("--no-watch")
    running.until("ready")
    (layered / "overrides.yaml").write_text("{}\n")
    outcome = json.loads(midflight("reload", "--format", "json").stdout)

    assert outcome["outcome"] == "applied"
    assert outcome["actor"].startswith("ada@")
    assert running.stop() == 0


def test_reload_tells_what_is_wrong(service, layered, midflight):
    """A change that is refused has exit status 1, and its faults are shown."""
    running = service("--no-watch")
    running.until("ready")
    (layered / "site.yaml").write_text("modules: {a: {config: {rate: ten}}}\n")
    (layered / "overrides.yaml").write_text("{}\n")
    text = midflight("reload", code=1).stdout

    assert "rejected" in text
    assert "site.yaml:1:30 (site): E_TYPE" in text
    assert "generation 1" in text
    assert "rejected" in midflight("status", code=4).stdout
    assert running.stop() == 0


def test_starts_on_the_last_good_without_its_sources(
    service, layered, state, midflight
):
    """A restart with every layer down starts what ran before, and says so."""
    first = service()
    first.until("ready")
    assert first.stop() == 0
    for name in ("app.yaml", "site.yaml"):
        (layered / name).rename(layered / f"away-{name}")
    second = service()
    second.until("ready")

    assert state("a") == "3"
    assert "degraded" in midflight("status", code=4).stdout
    assert second.stop() == 0


@pytest.mark.parametrize(
    "words", [("status",), ("reload",), ("explain", "--running", "a")]
)
def test_says_that_no_service_runs(midflight, folder, words):
    """Nobody at the socket is exit status 3, with the directory that was looked in."""
    one = midflight(*words, "--state-dir", "nowhere", code=3).stderr
    none = midflight(*words, code=3).stderr

    assert str(folder / "nowhere") in one
    assert "no service runs in the default place" in none
    assert "--state-dir" in none


def test_finds_the_only_service(started, midflight, home):
    """Who gives nothing means the one that runs; of two, one has to be named."""
    first = started()
    assert "healthy" in midflight("status").stdout
    second = started("--source", "env:NOTHING_HERE")
    text = midflight("status", code=2).stderr

    assert "2 services run; say which" in text
    assert text.count(f"--state-dir {home}{os.sep}") == 2
    assert "healthy" in midflight("status", "app.yaml").stdout
    for service in (first, second):
        service.send(signal.SIGTERM)
        assert service.end() == 0


def test_an_unknown_path_of_a_service_is_a_usage_error(started, midflight):
    """It says what is there instead, as without `--running`."""
    service = started()
    text = midflight("explain", "--running", "modles", "app.yaml", code=2).stderr

    assert "did you mean `modules`?" in text
    assert service.stop() == 0
