from __future__ import annotations

import pytest

from midflight import Runtime
from midflight.errors import Code, InvalidConfigurationError, PluginError
from midflight_plugins.env import EnvSource


def load(**environ):
    """Return what these variables give."""
    return EnvSource("APP", environ=environ).load().document


def faults(**environ):
    """Return the faults of these variables."""
    with pytest.raises(InvalidConfigurationError) as caught:
        Runtime(EnvSource("APP", environ=environ)).read()
    return caught.value.faults


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("APP__MODULES__web__CONFIG__port", ["modules", "web", "config", "port"]),
        ("APP__modules__web__config__port", ["modules", "web", "config", "port"]),
        (
            "APP__MODULES__WEB__CONFIG__MAX_SIZE",
            ["modules", "web", "config", "max_size"],
        ),
        ("APP__MODULES__web__CONFIG__maxSize", ["modules", "web", "config", "maxSize"]),
        ("APP__MODULES__api-limiter__TYPE", ["modules", "api-limiter", "type"]),
        ("APP__MODULES__web__DEPENDSON", ["modules", "web", "dependsOn"]),
        ("APP__MODULES__web__DEPENDS_ON", ["modules", "web", "dependsOn"]),
        ("APP__PLATFORM__REGION", ["platform", "region"]),
        ("APP__DEBUG", ["debug"]),
    ],
)
def test_a_name_is_a_path(name, path):
    """Keys are joined by `__`; those all in capitals are taken in small letters."""
    value = load(**{name: "x"})
    for key in path:
        value = value[key]

    assert value == "x"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8080", 8080),
        ("-1.5", -1.5),
        ("true", True),
        ("null", None),
        ('["a", 1]', ["a", 1]),
        ('{"K": 1}', {"K": 1}),
        ('"8080"', "8080"),
        ("", ""),
        ("True", "True"),
        ("NO", "NO"),
        ("22:22", "22:22"),
        ("10.0.0.1", "10.0.0.1"),
        ("NaN", "NaN"),
        (" 1", " 1"),
    ],
)
def test_a_value_is_json_or_a_string(text, value):
    """What looks like JSON is JSON, everything else is a string as it stands."""
    got = load(APP__X=text)["x"]

    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("environ", "code"),
    [
        ({"APP__X": "1.10"}, Code.E_VALUE),
        ({"APP__X": "007"}, Code.E_VALUE),
        ({"APP__X": "1e3"}, Code.E_VALUE),
        ({"APP__X": "1_000"}, Code.E_VALUE),
        ({"APP__X": "9" * 5000}, Code.E_VALUE),
        ({"APP__X": "{hunter2"}, Code.E_SYNTAX),
        ({"APP__X": "[" * 20_000}, Code.E_SYNTAX),
        ({"APP__X": '{"a": 1, "a": 2}'}, Code.E_DUPKEY),
        ({"APP__a____b": "1"}, Code.E_NAME),
        ({"APP__X": "1", "APP__x": "2"}, Code.E_DUPKEY),
        ({"APP__a__b": "1", "APP__a": "2"}, Code.E_DUPKEY),
        ({"APP_MODULES__web__TYPE": "m"}, Code.E_NAME),
        ({"APP__MODULES": "5"}, Code.E_TYPE),
        ({"APP__X": "\udc80"}, Code.E_CHAR),
    ],
)
def test_what_is_not_clear_is_refused(environ, code):
    """No variable is guessed at: the fault names it as the place."""
    [fault] = faults(**environ)

    assert fault.code is code
    assert str(fault.place).removeprefix("env:") in environ
    assert "hunter2" not in str(fault)


def test_only_variables_with_the_prefix_count():
    """Variables that other programs own are no configuration."""
    others = {"APP_HOME": "/", "APP_PORT": "tcp://", "APPLE__X": "1", "app__x": "1"}

    assert load(**others) == {}


def test_the_token_follows_the_variables_that_count():
    """It differs after a change, and is the same after one that does not matter."""
    environ = {"APP__X": "1"}
    source = EnvSource("APP", environ=environ)
    first = source.hash()
    environ["PATH"] = "/bin"
    same = source.hash()
    environ["APP__X"] = "2"

    assert first == same
    assert source.hash() != first


@pytest.mark.parametrize("prefix", ["", "APP_", "_APP", "A__B", "A-B", "1A"])
def test_a_prefix_that_could_be_misread_is_refused(prefix):
    """A prefix has letters, digits and single underscores."""
    with pytest.raises(PluginError, match="is no prefix of variables"):
        Runtime(f"env:{prefix}")


def test_reads_the_variables_of_the_process(monkeypatch):
    """`env:APP` is found by its entry point and reads the process's own variables."""
    monkeypatch.setenv("APP__PLATFORM__REGION", "eu")
    document, _ = Runtime("env:APP").read()

    assert document.sections == {"platform": {"region": "eu"}}
