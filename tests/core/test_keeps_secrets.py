"""Secrets hide themselves, and are plain text only for those who use them."""

from __future__ import annotations

import copy
import json
import logging
import pickle

import attrs
import pytest

from midflight import Diff, Document, Health, Secret, hookimpl
from midflight.errors import Code, Fault, HookError, InvalidConfigurationError, masked

VALUE = "correct horse\nbattery 'staple'"


def secret_document(value=VALUE, fingerprint=""):
    """Return a document with a secret in a module and in a section."""
    secret = Secret(value, fingerprint)
    config = {"password": secret, "hosts": [{"key": secret}], "v": 1}
    raw = {"modules": [{"name": "m1", "type": "plain", "config": config}], "s": secret}
    return Document.from_mapping(raw)


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        "{}".format,
        "{:>20}".format,
        "{!r}".format,
        lambda s: f"x{s}",
        lambda s: "%s" % s,  # noqa: UP031  # this way too
        lambda s: repr([s]),
        lambda s: json.dumps({"a": s}, default=str),
        lambda s: repr(pickle.dumps(s)),
        lambda s: repr(pickle.loads(pickle.dumps(s)).reveal()),
        lambda s: repr(vars(s) if hasattr(s, "__dict__") else ""),
        lambda s: s.fingerprint,
        lambda s: repr(copy.deepcopy({"a": s})),
    ],
)
def test_a_secret_shows_nothing(show):
    """No usual way to turn a value into text or bytes gives a secret away."""
    assert "horse" not in show(Secret(VALUE))


def test_a_secret_is_no_json_by_itself():
    """An encoder that knows nothing of secrets fails instead of writing one."""
    with pytest.raises(TypeError, match="Secret"):
        json.dumps({"a": Secret(VALUE)})


def test_a_secret_is_a_value():
    """Equal texts are equal secrets; a copy still has its text."""
    one = Secret(VALUE)

    assert one == Secret(VALUE, "other")
    assert len({one, Secret(VALUE), Secret("x")}) == 2
    assert one != VALUE
    assert copy.deepcopy(one).reveal() == copy.copy(one).reveal() == VALUE
    assert one.fingerprint == Secret(VALUE).fingerprint != Secret("x").fingerprint


def test_a_document_tells_secrets_by_their_fingerprints():
    """Another fingerprint is another digest; the text itself is not in it."""
    old, same = secret_document(fingerprint="f1"), secret_document(fingerprint="f1")
    new = secret_document("other", "f2")
    changes = {str(c.path[-1]): c for c in Diff.between(old, new).key_changes()}

    assert old.digest == same.digest != new.digest
    assert Diff.between(old, new).modified == ("m1",)
    assert "f1" in repr(changes["password"].old)
    assert "f2" in repr(changes["password"].new)
    assert "horse" not in repr(changes) + repr(old.as_mapping()) + repr(old)


def test_a_module_gets_plain_text(bench):
    """Start and reconfigure see the same kind of value: the text itself."""
    seen = []

    def look(_module, config):
        seen.append((config["password"], config["hosts"][0]["key"]))

    for value in (1, 2):
        for hook in ("prepare", "start", "reconfigure"):
            bench.script("m1", hook, look, value)
    runtime = bench.run(secret_document())
    raw = secret_document("new").as_mapping()
    raw["modules"][0]["config"] = {**raw["modules"][0]["config"], "v": 2}
    bench.change(Document.from_mapping(raw))

    assert seen[0] == (VALUE, VALUE)
    assert seen[-1] == ("new", "new")
    assert runtime.snapshot.document.modules["m1"].config["password"] == Secret("new")


@attrs.define
class Settings:
    password: int
    hosts: list
    v: int = 0


class Typed:
    Config = Settings

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        pass


def test_a_fault_of_a_secret_value_does_not_show_it(bench):
    """A type that refuses the text is named with its path, without the text."""
    entry = {"password": Secret(VALUE), "hosts": Secret("0123456789" * 9), "v": "x"}
    raw = {"modules": [{"name": "m1", "type": "typed", "config": entry}]}
    runtime = bench.make(raw, modules={"typed": Typed})
    with pytest.raises(InvalidConfigurationError) as caught:
        runtime.start()

    text = str(caught.value)
    assert "modules.m1.config.password" in text
    assert "horse" not in text
    assert "012" not in text
    assert "found 'x'" in text


@pytest.mark.parametrize("hook", ["prepare", "reconfigure", "probe", "stop", "discard"])
def test_a_modules_error_does_not_show_its_secrets(bench, hook, caplog):
    """What a module raises is shown without the secrets of its configuration."""
    caplog.set_level(logging.DEBUG)

    def fail(_module, _config):
        msg = f"cannot log in with {VALUE!r} or {VALUE}"
        raise RuntimeError(msg)

    first = secret_document().as_mapping()
    runtime = bench.run(Document.from_mapping(first))
    entry = first["modules"][0]
    other = {**entry, "config": {**entry["config"], "v": 2}}
    bench.script("m1", hook, fail, 2)
    bench.script("m1", hook, fail, 1)
    outcome = bench.change(Document.from_mapping({**first, "modules": [other]}))
    runtime.stop()

    shown = repr(outcome) + str(outcome.error) + str(outcome.faults) + caplog.text
    shown += repr(runtime.status()) + str(outcome.warnings)
    assert "horse" not in shown


def test_what_a_module_says_of_its_health_is_made_safe(bench):
    """The detail of an unhealthy module, and what `probe` raises, show no secret."""

    def unwell(*_):
        return Health(healthy=False, detail=f"no {VALUE}")

    def fail(*_):
        raise RuntimeError(VALUE)

    runtime = bench.run(secret_document())
    bench.script("m1", "probe", unwell, 2)
    bench.script("m1", "probe", fail, 1)
    probed = runtime.probe("m1").detail
    raw = secret_document().as_mapping()
    raw["modules"][0]["config"] = {**raw["modules"][0]["config"], "v": 2}
    outcome = bench.change(Document.from_mapping(raw))

    assert "horse" not in probed + str(outcome.faults)
    assert "RuntimeError" in probed


def test_a_text_is_hidden_also_where_it_was_cut():
    """Whole, quoted or cut short, a hidden text does not come through."""
    word = "0123456789abcdef"

    assert masked(f"a {word} b", [word]) == "a ******** b"
    assert masked("found '0123456…, expected", [word]) == "found '********…, expected"
    assert masked("nothing", ["", word]) == "nothing"
    assert masked(repr("a\nbc"), ["a\nbc"]) == "'********'"
    assert masked("ab…", [word]) == "ab…"


def test_a_fault_hides_in_all_its_texts():
    """Message, found, expected and hint are all made safe."""
    fault = Fault(Code.E_TYPE, "m w0rd", (), None, "f w0rd", "e w0rd", "h w0rd")

    assert "w0rd" not in str(fault.masked(["w0rd"]))
    assert fault.masked(()) == fault


def test_a_hook_error_hides_before_it_is_cut():
    """A long message is made safe before it is shortened."""
    text = "x" * 190 + "0123456789abcdef"
    error = HookError("module `m`", "start", ValueError(text), ["0123456789abcdef"])

    assert "0123" not in str(error)
