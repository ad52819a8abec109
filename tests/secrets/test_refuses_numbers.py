"""A number where a secret stands is refused, since nothing would hide it."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from midflight import Runtime, Secret, hookimpl
from midflight.errors import InvalidConfigurationError
from midflight.testing import FakeModule
from midflight_plugins.api import explained
from midflight_plugins.cli._app import app

PIN = 74839201


@attrs.frozen
class Door:
    pin: Secret | int
    port: Secret | None = None
    width: int = 0


class WithPin:
    """A module whose configuration class says what is secret."""

    Config = Door

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self):
        pass


def explanation(runtime, path):
    """Return what is told of a path of a runtime's document."""
    return explained(runtime.snapshot.document, runtime.snapshot.loaded, path)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"password": PIN}, "password"),
        ({"token": float(PIN)}, "token"),
        ({"token": -PIN}, "token"),
        ({"apiKey": [True, PIN]}, "apiKey[1]"),
        ({"tokens": [PIN]}, "tokens[0]"),
        ({"passwords": {"ada": PIN}}, "passwords.ada"),
        ({"credentials": {"pins": [{"value": PIN}]}}, "credentials.pins[0].value"),
        ({"password": datetime.date(2024, 1, 2)}, "password"),
        ({"x": {"db": {"pwd": 0}}}, "x.db.pwd"),
    ],
)
def test_a_number_below_a_secret_key_is_refused(faults_of, config, path):
    """The fault says where it is and what to do, and not what was found."""
    (fault,) = faults_of(config)

    assert str(fault) == (
        "E_SECRET: a secret is a number or a date, which nothing would hide at "
        f"`modules.m.config.{path}`, expected a string (write it in quotes)"
    )


@pytest.mark.parametrize(
    "config",
    [
        {"max_tokens": 4096, "token_ttl": 60, "password_min_length": 12},
        {"tokens": 4096, "completion_tokens": 7, "total_tokens": 1.5},
        {"token_count": 3, "numPasswords": 3, "passes": 2, "key": 5, "pin": 1},
        {"credentials": {"port": 5432, "maxAge": 1, "connect_timeout": 2.5}},
        {"token": {"ttl": 60, "refresh": True, "leeway": None}},
        {"password": True, "authorization": None},
    ],
)
def test_a_number_that_measures_stays_as_it_is(resolve, config):
    """Limits, lifetimes, ports and the like are no secrets; nor is a yes or a no."""
    assert resolve(config) == config


def test_the_same_digits_in_quotes_are_hidden(resolve, monkeypatch):
    """So are those of a variable, which are a string below such a key."""
    monkeypatch.setenv("CODE", str(PIN))
    found = resolve({"password": str(PIN), "token": "${CODE}", "n": "${CODE}"})

    assert found == {"password": Secret(str(PIN)), "token": Secret(str(PIN)), "n": PIN}


def test_a_number_within_a_variable_is_refused(faults_of, monkeypatch):
    """JSON in a variable is looked through as the document is."""
    monkeypatch.setenv("LOGIN", json.dumps({"user": "ada", "password": PIN}))
    (fault,) = faults_of({"login": "${LOGIN}"})

    assert (fault.code, fault.path[-1]) == ("E_SECRET", "password")
    assert str(PIN) not in repr(fault)


def test_a_named_key_has_no_exception(resolve, monkeypatch):
    """Who names `pin` or `port` in the environment means it."""
    monkeypatch.setenv("MIDFLIGHT_SECRETS_KEYS", "pin,*port")

    for config in ({"pin": 1234}, {"db_port": 1}, {"credentials": {"port": 1}}):
        with pytest.raises(InvalidConfigurationError, match="E_SECRET"):
            resolve(config)


def test_an_exception_is_named_in_the_environment(resolve, monkeypatch):
    """`!shards` says that such a key holds no secret, wherever it stands."""
    monkeypatch.setenv("MIDFLIGHT_SECRETS_KEYS", "!shards, !pass")
    config = {"credentials": {"shards": 3, "user": "ada"}, "PASS": 2, "passwd": "x"}

    assert resolve(config) == {
        "credentials": {"shards": 3, "user": Secret("ada")},
        "PASS": 2,
        "passwd": Secret("x"),
    }


@pytest.mark.parametrize("library", [True, False])
def test_a_marked_field_takes_no_number(faults_of, monkeypatch, library):
    """A field of type `Secret` is one whatever it is called; other numbers stay."""
    if not library:
        monkeypatch.setitem(sys.modules, "msgspec", None)
    config = {"pin": PIN, "port": PIN, "width": 3}
    faults = faults_of(config, modules={"keeps": WithPin})

    assert [(each.code, each.path[-1]) for each in faults] == [
        ("E_SECRET", "pin"),
        ("E_SECRET", "port"),
    ]
    assert str(PIN) not in repr(faults)


def test_other_faults_are_told_with_it(faults_of):
    """One look finds them all, and says each once."""
    config = {"pin": PIN, "width": "wide"}
    faults = faults_of(config, modules={"keeps": WithPin})

    assert {each.path[-1]: each.code for each in faults} == {
        "pin": "E_SECRET",
        "width": "E_TYPE",
    }


def test_sections_are_looked_through_as_well(build):
    """The name of a section counts as a key does."""
    runtime, _ = build({}, sections={"token": PIN, "db": {"passwd": PIN}, "n": PIN})
    faults = runtime.check()

    assert {each.path for each in faults} == {("token",), ("db", "passwd")}
    assert str(PIN) not in repr(faults)


def entry(secret, n=1):
    """Return a configuration as text, with places below secret keys."""
    config = {"password": secret, "n": n, "deep": {"tokens": [secret]}}
    modules = {"m": {"type": "fake", "config": config}}
    return json.dumps({"modules": modules, "vault": {"api_key": secret}})


def test_a_running_service_shows_none(tmp_path, caplog, capsys):
    """A change to a number is refused; status, journal, log and state hold none."""
    caplog.set_level("DEBUG")
    path, state = tmp_path / "app.yaml", tmp_path / "state"
    path.write_text(entry("quoted"))
    told = []
    kinds = {"fake": FakeModule}
    with Runtime(f"file:{path}", modules=kinds, state_dir=state) as runtime:
        path.write_text(entry(PIN))
        outcome = runtime.reload()
        told += [outcome, runtime.status(), runtime.check(), runtime.snapshot]
        told.append(explanation(runtime, ""))
    files = [each.read_bytes() for each in state.rglob("*") if each.is_file()]
    shown = "".join([*map(repr, told), caplog.text, *capsys.readouterr()])

    assert "E_SECRET" in shown
    assert not outcome.ok
    assert str(PIN) not in shown
    assert files
    assert not any(str(PIN).encode() in each for each in files)


@pytest.mark.parametrize(
    "words",
    [
        ("check", "file:bad.yaml"),
        ("check", "--format", "json", "file:bad.yaml"),
        ("diff", "good.yaml", "bad.yaml"),
        ("diff", "bad.yaml", "good.yaml"),
        ("plan", "good.yaml", "bad.yaml"),
        ("explain", "--all", "--source", "file:bad.yaml"),
        ("explain", "vault.api_key", "--source", "file:bad.yaml"),
        ("explain", "--all", "--source", "file:bad.yaml", "--source", "file:top.yaml"),
        ("override", "set", "--store", "file:o.yaml", "vault.api_key", str(PIN)),
        ("override", "list", "--store", "file:old.yaml"),
    ],
    ids=" ".join,
)
def test_no_command_shows_one(tmp_path, monkeypatch, words):
    """Neither does what hides a number of a lower layer, or is about to be set."""
    monkeypatch.chdir(tmp_path)
    for name, secret in (("good", "quoted"), ("bad", PIN), ("top", "quoted")):
        Path(f"{name}.yaml").write_text(entry(secret).replace('"fake"', '"logging"'))
    Path("old.yaml").write_text(json.dumps({"vault": {"api_key": PIN}}))
    result = CliRunner().invoke(app, words)

    assert str(PIN) not in result.output.replace(" ".join(words), "")
    assert not isinstance(result.exception, AssertionError)
    assert "Usage" not in result.output
