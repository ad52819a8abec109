from __future__ import annotations

import json
import pickle
import stat
import sys
from typing import Any

import attrs
import pytest

from midflight import Diff, Runtime, Secret, hookimpl
from midflight.testing import FakeSource
from midflight_plugins.secrets._marks import marks_of
from midflight_plugins.secrets._names import looks_secret


@attrs.frozen
class Login:
    name: str
    word: Secret
    more: list[Secret] = attrs.field(factory=list)
    maybe: Secret | None = None


@attrs.frozen
class Marked:
    login: Login
    others: dict[str, Login] = attrs.field(factory=dict)
    label: str = ""


class WithSchema:
    """A module with a configuration class that has secrets."""

    Config = Marked

    def __init__(self, name):
        self.config = None

    @hookimpl
    def start(self, config):
        self.config = config


SECRET_NAMES = [
    "password", "passwd", "DB_PASSWORD", "dbPassword", "smtp_pass", "client-secret",
    "secrets", "token", "AUTH_TOKEN", "apiKey", "api_key", "APIKey", "apikeys",
    "private_key", "aws_secret_access_key", "credentials", "SENTRY_DSN", "password2",
    "Authorization",
]  # fmt: skip
PLAIN_NAMES = [
    "port", "host", "key", "public_key", "max_tokens", "token_url", "password_file",
    "secret_name", "bypass", "compass", "keyboard", "monkey", "tokenizer", "", "9",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_key_that_ends_like_a_secret_is_one(resolve, name):
    """Strings below such a key are hidden, in lists and mappings too."""
    found = resolve({name: ["one", {"two": "two"}, True]})[name]

    assert found == (Secret("one"), {"two": Secret("two")}, True)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_another_key_is_none(name):
    """A key that only begins like a secret names something about it."""
    assert not looks_secret(name)


def test_further_keys_are_named_in_the_environment(resolve, monkeypatch):
    """Patterns of `MIDFLIGHT_SECRETS_KEYS` add to those that are known."""
    monkeypatch.setenv("MIDFLIGHT_SECRETS_KEYS", "*_webhook, pin")
    found = resolve({"slack_webhook": "a", "PIN": "b", "token": "c", "pins": "d"})

    assert [isinstance(each, Secret) for each in found.values()] == [
        True, True, True, False,
    ]  # fmt: skip


def test_a_new_pattern_holds_for_what_was_read_before(build, monkeypatch):
    """Modules that did not change are looked at again under new patterns."""
    runtime, _ = build({"pin": "1234"})
    before = runtime.read()[0].modules["m"].config["pin"]
    monkeypatch.setenv("MIDFLIGHT_SECRETS_KEYS", "pin")

    assert before == "1234"
    assert runtime.read()[0].modules["m"].config["pin"] == Secret("1234")


def test_a_text_with_a_secret_in_it_is_a_secret_as_a_whole(
    resolve, folder, monkeypatch
):
    """By a resolver, by a variable's name, or by what the text itself shows."""
    (folder / "pw").write_text("hunter2\n")
    monkeypatch.setenv("DB_PASSWORD", "12345678")
    found = resolve(
        {
            "a": f"postgres://u:${{file:{folder}/pw}}@h",
            "b": "${DB_PASSWORD}",
            "c": "postgres://u:literal@h/db",
            "d": "-----BEGIN PRIVATE KEY-----\nMII\n",
            "e": "http://u@host:80/@x",
        }
    )

    assert found["a"] == Secret("postgres://u:hunter2@h")
    assert found["b"] == Secret("12345678")  # a string, whatever it looks like
    assert found["c"] == Secret("postgres://u:literal@h/db")
    assert isinstance(found["d"], Secret)
    assert found["e"] == "http://u@host:80/@x"


@pytest.mark.parametrize("library", [True, False])
def test_fields_of_type_secret_are_hidden_in_the_document(build, monkeypatch, library):
    """The schema marks them, nested and in lists; without msgspec as well."""
    if not library:
        monkeypatch.setitem(sys.modules, "msgspec", None)
    login = {"name": "n", "word": "hunter2", "more": ["hunter3"], "maybe": "hunter4"}
    config = {"login": login, "others": {"x": login}, "label": "seen"}
    runtime, _ = build(config, modules={"keeps": WithSchema})
    with runtime:
        document = runtime.snapshot.document
        typed = runtime.module("m").config

    assert "hunter" not in str(document)
    assert "seen" in str(document)
    assert typed.login.word == Secret("hunter2")
    assert typed.others["x"].more == [Secret("hunter3")]
    assert "hunter" not in repr(typed)


def test_any_schema_may_mark_secrets():
    """`writeOnly` counts through `$ref`, unions, patterns and positions."""
    word = {"type": "string", "writeOnly": True}
    schema = {
        "properties": {
            "a": {"$ref": "#/$defs/A"},
            "b": {"anyOf": [{"type": "null"}, word]},
            "c": {"prefixItems": [{}, word], "items": {"properties": {"d": word}}},
        },
        "patternProperties": {"^x-": word},
        "additionalProperties": {"items": word},
        "$defs": {"A": {"properties": {"s": word, "again": {"$ref": "#/$defs/A"}}}},
    }

    def hidden(*path):
        marks = marks_of(schema)
        for key in path:
            marks = marks and marks.below(key)
        return bool(marks and marks.is_secret)

    assert hidden("a", "s")
    assert hidden("a", "again", "again", "s")
    assert hidden("b")
    assert not hidden("c", 0)
    assert hidden("c", 1)
    assert hidden("c", 2, "d")
    assert hidden("x-y")
    assert hidden("other", 5)
    assert not hidden("a")
    assert marks_of({"type": "object"}) is None


class Broken:
    """A plugin that fails when it is asked what a type says."""

    @hookimpl
    def json_schema(self, type):  # noqa: A002  # the contract's name
        raise RuntimeError


class Foreign(WithSchema):
    """A module of a type that is asked for."""

    Config: Any = {"type": "object"}  # noqa: RUF012  # as a user writes it


def test_where_a_schema_fails_everything_is_hidden(build):
    """A plugin that raises does not uncover what it would have marked."""
    config = {"a": "b", "port": 1, "c": "${NOT_SET:-2}"}
    runtime, _ = build(config, modules={"keeps": Foreign}, plugins=[Broken()])

    hidden = {"a": Secret("b"), "port": 1, "c": Secret("2")}
    assert runtime.read()[0].modules["m"].config == hidden


def test_where_a_schema_fails_other_types_are_shown(build):
    """What is hidden in one module for its type's sake does not hide the next."""
    runtime, source = build({}, modules={"fails": Foreign}, plugins=[Broken()])
    modules = [("x", "keeps"), ("y", "fails"), ("z", "keeps")]
    source.set(
        {"modules": [{"name": n, "type": t, "config": {"a": "b"}} for n, t in modules]}
    )
    read = runtime.read()[0].modules

    assert [read[name].config["a"] for name, _ in modules] == ["b", Secret("b"), "b"]


def test_a_rotation_shows_as_two_fingerprints(build):
    """A diff says that the secret changed and shows neither value."""
    runtime, source = build({"password": "hunter2"})
    old = runtime.read()[0]
    source.set(
        {"modules": [{"name": "m", "type": "keeps", "config": {"password": "x"}}]}
    )
    new = runtime.read()[0]
    marks = [each.modules["m"].config["password"].fingerprint for each in (old, new)]

    assert Diff.between(old, new).modified == ("m",)
    assert marks[0] != marks[1]
    assert "hunter2" not in str(old) + json.dumps(old.as_mapping(), default=str)
    assert b"hunter2" not in pickle.dumps(old)


def test_fingerprints_last_as_long_as_the_state_directory(build, tmp_path):
    """The key is kept there for its owner alone, and another process finds it."""
    marks = []
    for directory in ("a", "a", "b"):
        runtime, _ = build({"token": "x"}, state_dir=tmp_path / directory)
        document = runtime.read()[0]
        marks.append(document.modules["m"].config["token"].fingerprint)
    key = tmp_path / "a" / "fingerprint.key"

    assert marks[0] == marks[1] != marks[2]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [each.name for each in (tmp_path / "a").iterdir()] == [key.name]


def test_without_secrets_no_key_is_made(build, tmp_path):
    """A configuration without a secret writes nothing."""
    build({"a": "b"}, state_dir=tmp_path / "s")[0].read()

    assert not (tmp_path / "s").exists()


def test_a_key_that_cannot_be_used_is_said_and_stops_nothing(build, tmp_path):
    """The fingerprints then hold for this process, and the status says so."""
    (tmp_path / "fingerprint.key").write_bytes(b"short")
    runtime, _ = build({"token": "x"}, state_dir=tmp_path)
    document = runtime.read()[0]

    assert document.modules["m"].config["token"].fingerprint
    assert "fingerprint.key" in runtime.status()["notes"]["secrets"]


def test_a_section_is_hidden_as_a_module_is():
    """Keys of other sections count, the sections' own names too."""
    raw = {"modules": [], "db": {"password": "a"}, "credentials": ["b"], "c": "d"}
    document, _ = Runtime(FakeSource(raw)).read()

    assert document.sections["db"] == {"password": Secret("a")}
    assert document.sections["credentials"] == (Secret("b"),)
    assert document.sections["c"] == "d"
