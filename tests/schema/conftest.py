"""The command `midflight schema`, and a validator made of what it writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from midflight_plugins.cli._app import app

MODULES = """
import attrs

from midflight import Secret, hookimpl


@attrs.frozen
class Tls:
    cert: str
    days: int = attrs.field(default=90, metadata={"x-midflight": "live"})


@attrs.frozen
class Limits:
    rate: int
    port: int = attrs.field(default=80, metadata={"x-midflight": "restart"})
    token: Secret = attrs.field(factory=lambda: Secret(""))
    hosts: list[str] = attrs.field(factory=list)
    tls: Tls | None = attrs.field(default=None, metadata={"x-midflight": "restart"})


class Limiter:
    Config = Limits

    def __init__(self, name):
        pass

    @hookimpl
    def start(self):
        pass
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Iterator[Path]:
    """Return the current directory, which has a module type `shop:Limiter`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "shop.py").write_text(MODULES)
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    yield tmp_path
    sys.modules.pop("shop", None)  # other tests have a `shop` of their own


@pytest.fixture
def schema():
    """Return a function that runs `midflight schema` and reads what it wrote."""

    def run(*words, code=0):
        done = CliRunner().invoke(app, ["schema", *map(str, words)])
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if done.stdout else done.stderr

    return run


@pytest.fixture
def faults():
    """Return a function that lists what a schema says against a document."""

    def listed(schema, document):
        if isinstance(document, str):
            document = YAML(typ="safe", pure=True).load(document)
        jsonschema.Draft202012Validator.check_schema(schema)
        found = jsonschema.Draft202012Validator(schema).iter_errors(document)
        return [each.json_path for each in found]

    return listed
