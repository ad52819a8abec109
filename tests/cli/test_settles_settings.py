from __future__ import annotations

import json
import os
import tomllib
from typing import Any

import pytest

from midflight_plugins.cli import _show
from midflight_plugins.cli._settings import BY_NAME, SETTINGS

LAYERS = '[{name = "base", source = "file:base.yaml"}]'
ORDER = ["option", "--set", "environment", "file"]
# Of each setting four values: by option, `--set`, the environment and the file.
VALUES: dict[str, tuple[Any, ...]] = {
    "source": ("a.yaml", "b.yaml", "c.yaml", '"d.yaml"'),
    "layers": (None, LAYERS, LAYERS.replace("base", "b"), LAYERS.replace("base", "c")),
    "merge": (None, "replace", "deep", '"replace"'),
    "overrides.store": (None, "file:a", "file:b", '"file:c"'),
    "admin": ("a:1", "[::1]:2", "unix:/c", '"d:4"'),
    "strategy": ("a", "b", "c", '"d"'),
    "watch": (None, "yes", "0", "true"),
    "state_dir": ("/a", "false", "/c", '"/d"'),
    "plugins": (None, "a,b", '["c"]', '["d"]'),
    "allow": (None, "a,b", '["c"]', "false"),
    "modules": (None, "a=b:C", '{d="e:F"}', '{g = "h:I"}'),
    "deadline": ("1", "2.5", "3", "4"),
    "shutdown": ("1", "2.5", "3", "4"),
    "wait": ("1", "0", "3", "4"),
    "sweep": (None, "2.5", "3", "4"),
    "backoff": (None, "2.5", "3", "4"),
    "log_format": ("text", "json", "text", '"json"'),
    "log_level": ("debug", "info", "warning", '"error"'),
}
HELD: dict[str, list[Any]] = {
    "layers": [
        [{"name": name, "source": f"file:{name}.yaml"}] for name in ("base", "b", "c")
    ],
    "source": [[f"file:{name}.yaml"] for name in "abcd"],
    "watch": [True, False, True],
    "state_dir": ["/a", None, "/c", "/d"],
    "plugins": [["a", "b"], ["c"], ["d"]],
    "allow": [["a", "b"], ["c"], []],
    "modules": [{"a": "b:C"}, {"d": "e:F"}, {"g": "h:I"}],
}
CASES = [
    (name, at)
    for name, values in VALUES.items()
    for at in range(4)
    if values[at] is not None
]


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """Let the variables of who runs the tests say nothing."""
    for name in {"STATE_DIRECTORY", *os.environ}:
        if name.startswith("MIDFLIGHT_") or name == "STATE_DIRECTORY":
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settle(midflight):
    """Return what gives the rows of `midflight settings` by name."""

    def rows(*words):
        data = json.loads(midflight(*words, "settings", "--format", "json").stdout)
        return {row["name"]: row for row in data["settings"]}

    return rows


@pytest.fixture
def write(folder):
    """Return what writes the settings file."""
    return lambda text, name="midflight.toml": (folder / name).write_text(text)


def held(name, at):
    """Return what a setting holds if the origin of that number speaks."""
    if name in HELD:
        return HELD[name][at - (4 - len(HELD[name]))]
    value = VALUES[name][at]
    number = name in {"deadline", "shutdown", "wait", "sweep", "backoff"}
    return float(value) if number else value.strip('"')


def in_file(name, value):
    """Write one setting as the file has it."""
    return f"[overrides]\nstore = {value}\n" if "." in name else f"{name} = {value}\n"


def test_every_setting_is_tried():
    """The table above has each setting, and an option for each that has one."""
    assert list(VALUES) == list(BY_NAME)
    for setting in SETTINGS:
        mine = setting.name in {"plugins", "allow", "modules", "watch"}
        assert mine or bool(VALUES[setting.name][0]) is bool(setting.option)


@pytest.mark.parametrize(("name", "at"), [case for case in CASES if case[1]])
def test_the_nearest_origin_wins(settle, write, monkeypatch, name, at):
    """An origin is heard over all below it, whatever the setting."""
    values, words = VALUES[name], []
    write(in_file(name, values[3]))
    if at <= 2:
        monkeypatch.setenv(BY_NAME[name].variable, values[2])
    if at == 1:
        words = ["--set", f"{name}={values[1]}"]
    row = settle(*words)[name]

    assert (row["value"], row["origin"]) == (held(name, at), ORDER[at])


@pytest.mark.parametrize("name", [name for name, at in CASES if at == 0])
def test_an_option_wins(name, monkeypatch, write, folder):
    """What the command itself is told is heard over everything else."""
    from click.testing import CliRunner

    from midflight_plugins.cli import _run
    from midflight_plugins.cli._app import app

    heard = []

    def serve(sources):
        heard.append(sources)
        return 0

    monkeypatch.setattr(_run, "serve", serve)
    monkeypatch.setenv(BY_NAME[name].variable, VALUES[name][2])
    write(in_file(name, VALUES[name][3]))
    option = f"--{name.replace('_', '-')}"
    words = ["run", option, VALUES[name][0], "--set", f"{name}={VALUES[name][1]}"]
    result = CliRunner().invoke(app, words)

    assert result.exit_code == 0, result.output
    found = heard[0].settings.found[name]
    value = list(found.value) if isinstance(found.value, tuple) else found.value
    assert (value, found.origin) == (held(name, 0), "option")


def test_defaults_are_named_as_such(settle):
    """Without anything each setting has its default."""
    rows = settle()

    for setting in SETTINGS:
        row = rows[setting.name]
        assert (row["from"], row["origin"]) == ("default", "default")
    assert rows["strategy"]["value"] == "surgical"


def test_says_where_each_value_comes_from(midflight, write, monkeypatch):
    """File and line, the variable's name or `--set` stand beside the value."""
    write('# mine\nstrategy = "full"\nwait = 5\n')
    monkeypatch.setenv("MIDFLIGHT_WATCH", "1")
    lines = midflight("--set", "sweep=1", "settings").stdout.splitlines()
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}

    assert rows["strategy"] == ["full", "midflight.toml:2"]
    assert rows["wait"] == ["5", "midflight.toml:3"]
    assert rows["watch"] == ["true", "MIDFLIGHT_WATCH"]
    assert rows["sweep"] == ["1", "--set"]
    assert rows["backoff"] == ["30", "default"]


def test_a_long_value_leaves_room_for_its_origin(midflight, write, monkeypatch):
    """On a terminal the value is cut, not who said it."""
    monkeypatch.setattr(_show, "terminal", lambda: 60)
    write(f'source = "{"long/" * 30}app.yaml"\n')
    lines = midflight("settings").stdout.splitlines()

    assert max(map(len, lines)) <= 60
    assert lines[1].endswith("…  midflight.toml:1")


def test_reads_the_table_of_a_project(settle, write):
    """`[tool.midflight]` of pyproject.toml does as well, with its lines."""
    write('[project]\nname = "x"\n[tool.midflight]\nwait = 3\n', "pyproject.toml")

    assert settle()["wait"]["from"] == "pyproject.toml:4"


@pytest.mark.parametrize(
    "text", ["[project]\nname = 'midflight-x'\n", "[tool.other]\n", "not TOML"]
)
def test_a_project_without_that_table_says_nothing(settle, write, text):
    """What does not speak of settings is not ours to judge."""
    write(text, "pyproject.toml")

    assert {row["origin"] for row in settle().values()} == {"default"}


def test_its_own_file_wins_over_a_project(midflight, write):
    """Where both are there, midflight.toml is read, and that is said."""
    write("wait = 1\n")
    write("[tool.midflight]\nwait = 2\n", "pyproject.toml")
    result = midflight("settings")

    assert "midflight.toml:1" in result.stdout
    assert "pyproject.toml has [tool.midflight] too" in result.stderr


def test_another_file_can_be_named(settle, write, monkeypatch, folder):
    """By an option or a variable, the option first."""
    write("wait = 1\n")
    write("wait = 2\n", "two.toml")
    write("wait = 3\n", "three.toml")
    assert settle("--settings", "two.toml")["wait"]["value"] == 2
    monkeypatch.setenv("MIDFLIGHT_SETTINGS", "three.toml")
    assert settle()["wait"]["value"] == 3
    assert settle("--settings", "two.toml")["wait"]["value"] == 2
    assert settle("--settings", os.devnull)["wait"]["value"] == 0


def test_paths_begin_where_the_file_is(settle, folder):
    """Sources, stores and directories of a file elsewhere are beside it."""
    (folder / "conf").mkdir()
    (folder / "conf" / "m.toml").write_text(
        'state_dir = "state"\n'
        '[[layers]]\nname = "a"\nsource = "base.yaml"\n'
        '[[layers]]\nsource = "database:sqlite:///app.db#x"\n'
        '[[layers]]\nsource = {type = "file", path = "more.yaml"}\n'
        '[[layers]]\nsource = "/etc/app.yaml"\n'
        '[[layers]]\ntype = "file"\npath = "last.yaml"\n'
        '[[layers]]\nsource = "env:APP"\n'
        '[overrides]\nstore = "o.yaml"\n'
    )
    rows = settle("--settings", "conf/m.toml")

    assert [
        each.get("source", each.get("path")) for each in rows["layers"]["value"]
    ] == [
        "file:conf/base.yaml",
        "database:sqlite:///conf/app.db#x",
        {"type": "file", "path": "conf/more.yaml"},
        "file:/etc/app.yaml",
        "conf/last.yaml",
        "env:APP",
    ]
    assert rows["overrides.store"]["value"] == "file:conf/o.yaml"
    assert rows["state_dir"]["value"] == str(folder / "conf" / "state")


def test_an_empty_variable_says_nothing(settle, monkeypatch):
    """A container that passes on an unset variable changes nothing."""
    monkeypatch.setenv("MIDFLIGHT_STRATEGY", "")

    assert settle()["strategy"]["origin"] == "default"


def test_who_says_where_the_configuration_is_says_it_alone(settle, write, monkeypatch):
    """A `source` of the environment sets the layers of the file aside."""
    write(f"layers = {LAYERS}\nwait = 1\n")
    monkeypatch.setenv("MIDFLIGHT_SOURCE", "env:APP")
    rows = settle()

    assert rows["source"]["value"] == ["env:APP"]
    assert (rows["layers"]["value"], rows["wait"]["value"]) == ([], 1)
    assert rows["layers"]["from"] == "not used: `source` is set"


def test_passwords_are_not_shown(midflight, write, monkeypatch):
    """Neither in a URI nor under a name that says what it is."""
    write(
        '[[layers]]\nsource = "database:postgresql://u:s3cr3t@h/db"\n'
        '[[layers]]\nsource = {type = "x", password = "s3cr3t", url = "redis://:s3cr3t@h"}\n'
    )
    monkeypatch.setenv("MIDFLIGHT_OVERRIDES", "database:postgresql://u:s3cr3t@h/db")
    for form in ("text", "json"):
        assert "s3cr3t" not in midflight("settings", "--format", form).output


@pytest.mark.parametrize(
    ("text", "line", "code", "says"),
    [
        ("stratgey = 'x'\n", 1, "E_UNKNOWN", "did you mean `strategy`?"),
        ("\nadmins = 'x'\n", 2, "E_UNKNOWN", "`admins` is no setting"),
        ("admin = 'x'\n", 1, "E_RANGE", "HOST:PORT, or unix:PATH"),
        ("admin = 8900\n", 1, "E_TYPE", "HOST:PORT, or unix:PATH"),
        ("[tool.midflight]\n", 1, "E_UNKNOWN", "for pyproject.toml"),
        ("[overrides]\nstroe = 1\n", 2, "E_UNKNOWN", "did you mean `store`?"),
        ("overrides = 'x'\n", 1, "E_TYPE", "a table"),
        ("wait = 'x'\n", 1, "E_TYPE", "a number of seconds"),
        ("wait = true\n", 1, "E_TYPE", "a number of seconds"),
        ("wait = nan\n", 1, "E_RANGE", "0 or more"),
        ("sweep = 0\n", 1, "E_RANGE", "more than 0"),
        ("deadline = 1e300\n", 1, "E_RANGE", "at most a year"),
        ("watch = 'yes'\n", 1, "E_TYPE", "true or false"),
        ("merge = 'deeep'\n", 1, "E_ENUM", "did you mean `deep`?"),
        ("strategy = ''\n", 1, "E_VALUE", "`strategy` is empty"),
        ("source = []\n", 1, "E_TYPE", "a URI, or a list of URIs"),
        ("source = [1]\n", 1, "E_TYPE", "a URI"),
        ("plugins = 'x'\n", 1, "E_TYPE", "a list of names"),
        ("[modules]\na = 'b'\n", 2, "E_TYPE", "package.module:Class"),
        ("state_dir = 1\n", 1, "E_TYPE", "a directory, or false"),
        ("layers = [1]\n", 1, "E_TYPE", 'as in `{source = "file:a.yaml"}`'),
        ("[[layers]]\nname = 'a'\n", 1, "E_REQUIRED", "where the layer comes from"),
        ("[[layers]]\nsource = 'a'\n\n[[layers]]\nsource = 1\n", 5, "E_TYPE", "text"),
        ("[[layers]]\nsource = 'a'\noptinal = true\n", 3, "E_UNKNOWN", "`optional`?"),
        ("[[layers]]\nsource = 'a'\noptional = 1\n", 3, "E_TYPE", "true or false"),
        ("source = 'a'\n[[layers]]\nsource = 'a'\n", 2, "E_VALUE", "keep one"),
        ("a = 1\na = 2\n", 2, "E_SYNTAX", "overwrite"),
        ("a = [\n", 2, "E_SYNTAX", "value"),
        ("a = \xff\n", 1, "E_SYNTAX", "value"),
    ],
)
def test_says_what_is_wrong_and_where(midflight, write, text, line, code, says):
    """A fault of the file is a usage error with its code and line."""
    write(text)
    result = midflight("check", "app.yaml", code=2)

    assert f"error[{code}]" in result.stderr
    assert f" --> midflight.toml:{line}" in result.stderr
    assert says in result.stderr


def test_finds_every_fault_at_once(midflight, write, monkeypatch):
    """Those of the file, the environment and `--set` come together."""
    write("wait = 'x'\nnope = 1\n[overrides]\nstore = 1\n")
    monkeypatch.setenv("MIDFLIGHT_SWEEP", "often")
    words = ("--set", "strategy", "--set", "dedline=1", "--set", "watch=perhaps")
    text = midflight(*words, "settings", code=2).stderr

    assert "7 faults" in text
    for place in ("midflight.toml:1", "midflight.toml:2", "midflight.toml:4"):
        assert place in text
    assert "--> MIDFLIGHT_SWEEP" in text
    assert "did you mean `deadline`?" in text
    assert "expected: true or false" in text


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda file: None, "No such file"),
        (lambda file: file.mkdir(), "Is a directory"),
        (lambda file: file.write_bytes(b"a = '\xff'"), "not UTF-8"),
        (lambda file: file.write_bytes(b"#" * 2**20 + b"#"), "at most 1048576 bytes"),
        (lambda file: file.write_text("a = " + "[" * 9999), "nested too deep"),
        (lambda file: file.symlink_to("nowhere"), "No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(midflight, folder, make, says):
    """A settings file that is asked for and is no settings file is a usage error."""
    make(folder / "x.toml")
    text = midflight("--settings", "x.toml", "settings", code=2).stderr

    assert "x.toml" in text
    assert says in text


def test_no_password_is_shown_in_a_fault(midflight, monkeypatch):
    """What is wrong is shown without the password in it."""
    monkeypatch.setenv("MIDFLIGHT_WAIT", "database:postgresql://u:s3cr3t@h/db")

    assert "s3cr3t" not in midflight("settings", code=2).output


@pytest.mark.parametrize(
    "words",
    [
        ("--set", "source=database:postgresql://u:s3cr3t@h/db"),
        ("--set=layers=[{source='redis://:s3cr3t@h'}]",),
    ],
)
def test_no_password_is_taken_from_the_command_line(midflight, words):
    """`--set` is as public as every other word."""
    result = midflight("check", *words, code=2)

    assert "every user of the host" in result.output
    assert "s3cr3t" not in result.output


def test_a_nearly_right_variable_is_noticed(midflight, monkeypatch):
    """A slip is told; what Kubernetes sets for a service of that name is not."""
    monkeypatch.setenv("MIDFLIGHT_STRATGEY", "full")
    monkeypatch.setenv("MIDFLIGHT_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("MIDFLIGHT_SERVICE_HOST", "10.0.0.1")
    text = midflight("settings").stderr

    assert "MIDFLIGHT_STRATGEY is no setting; did you mean MIDFLIGHT_STRATEGY?" in text
    assert text.count("\n") == 1


def test_module_types_are_found_beside_the_file(midflight, folder, monkeypatch):
    """A class that a settings file names is imported from its folder."""
    (folder / "elsewhere").mkdir()
    (folder / "kinds.py").rename(folder / "elsewhere" / "kinds.py")
    (folder / "elsewhere" / "m.toml").write_text('[modules]\nworker = "kinds:Worker"\n')

    result = midflight("check", "app.yaml", "--settings", "elsewhere/m.toml")
    assert result.stdout.startswith("ok: 2 modules")


def test_a_module_type_that_is_not_there_is_told_with_its_line(midflight, write):
    """It is found before anything is read."""
    write('[modules]\nworker = "kinds:Nobody"\n')
    text = midflight("check", "app.yaml", code=2).stderr

    assert "midflight.toml:2" in text
    assert "AttributeError" in text


def test_every_setting_is_in_the_reference(root):
    """The page has each setting with its kind, variable and default."""
    page = (root / "docs/reference/settings.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    told = [row.split(" | ") for row in rows]

    names = [cells[0].strip("| `") for cells in told]
    assert names == list(BY_NAME)
    for cells, setting in zip(told, SETTINGS, strict=True):
        assert cells[1].strip("` ") == setting.variable
        assert all(option in cells[2] for option in setting.option.split(", "))


def test_the_file_of_the_reference_is_one(root, write, settle):
    """The example of the page says what it seems to."""
    page = (root / "docs/reference/settings.md").read_text()
    text = page.split("```toml\n# midflight.toml\n")[1].split("```")[0]
    tomllib.loads(text)
    write(text)

    assert settle()["layers"]["origin"] == "file"
