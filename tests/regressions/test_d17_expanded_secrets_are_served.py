"""D17: what was read out of a secret's reference was served by the read API."""

from __future__ import annotations

import json
import pickle

import pytest

from midflight import Diff, Runtime, hookimpl
from midflight.testing import FakeSource

CANARY = "canary-5b1c"


class Talks:
    """A module that says its password when it fails."""

    def __init__(self, name):
        self.words = []

    @hookimpl
    def start(self, config):
        self.words.append(config["url"])

    @hookimpl
    def reconfigure(self, config):
        if config["fails"]:
            msg = f"cannot connect to {config['url']}"
            raise ValueError(msg)
        self.words.append(config["url"])


class Expands:
    """The original's rule: the value of a reference is a text as any other."""

    @hookimpl(wrapper=True)
    def transform(self, document):
        document = yield
        return type(document).from_mapping(_plain(document.as_mapping()))


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.reveal() if hasattr(value, "reveal") else value


def config(name, *, fails=False):
    """Return a configuration with a secret in the middle of a text."""
    entry = {"url": f"tcp://u:${{file:{name}}}@h", "fails": fails}
    return {"modules": [{"name": "m", "type": "talks", "config": entry}]}


def shown(runtime, source, name, capsys, caplog):
    """Return all that a runtime shows, and the one thing its module was given."""
    said = []
    with runtime:
        before = runtime.snapshot.document
        name.write_text(f"{CANARY}-two")
        outcomes = [runtime.reload()]
        source.set(config(name, fails=True))
        wanted, loaded = runtime.read()
        outcomes += [runtime.reload(), runtime.probe("m")]
        after = runtime.snapshot.document
        said += [before, after, wanted, loaded, *outcomes, runtime.snapshot]
        said += [before.as_mapping(), Diff.between(before, after), runtime.status()]
        said += [runtime.plan(wanted), runtime.check(), pickle.dumps(before)]
        said += [json.dumps(after.as_mapping(), default=str), f"{after.modules['m']}"]
        given = list(runtime.module("m").words)
    out = capsys.readouterr()
    return "\n".join([*map(repr, said), *map(str, said), caplog.text, *out]), given


def assert_serves_no_secret(plugins, tmp_path, monkeypatch, capsys, caplog):
    """The oracle: the module gets the secret, and nobody else."""
    caplog.set_level("DEBUG")
    monkeypatch.setenv("MIDFLIGHT_SECRETS_PATH", str(tmp_path))
    name = tmp_path / "pw"
    name.write_text(f"{CANARY}-one")
    source = FakeSource(config(name))
    runtime = Runtime(source, modules={"talks": Talks}, plugins=plugins)
    text, given = shown(runtime, source, name, capsys, caplog)

    assert given[:2] == [f"tcp://u:{CANARY}-{word}@h" for word in ("one", "two")]
    assert "cannot connect" in text
    assert CANARY not in text, "served"


def test_expanded_secrets_are_never_served(tmp_path, monkeypatch, capsys, caplog):
    """Neither snapshot nor diff, plan, status, outcome, error, log or pickle has it."""
    assert_serves_no_secret((), tmp_path, monkeypatch, capsys, caplog)


def test_the_oracle_sees_a_plugin_that_serves_them(
    tmp_path, monkeypatch, capsys, caplog
):
    """The original's rule fails it."""
    with pytest.raises(AssertionError, match="served"):
        assert_serves_no_secret((Expands(),), tmp_path, monkeypatch, capsys, caplog)
