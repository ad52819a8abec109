from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pydantic
import pytest

from midflight import Runtime, Secret
from midflight.testing import FakeSource
from midflight_plugins.schema import Described

GOOD: dict[str, Any] = {
    "rate": 5,
    "mode": "slow",
    "tls": {"cert": "a.pem", "days": 3},
    "hosts": ["a", "b"],
    "sites": {"x": {"cert": "b.pem"}},
    "token": "hunter2",
}
BAD = """\
modules:
  - name: api
    type: limiter
    config:
      rate: "5"
      prot: 80
      mode: fats
      tls: {days: 3}
      hosts: [a, 2]
      sites:
        x: {cert: b.pem, dyas: 1}
      token: 31337
"""
FOUND = {
    ("app.yaml:5:13", "E_TYPE", "rate"),
    ("app.yaml:6:13", "E_UNKNOWN", "prot"),
    ("app.yaml:7:13", "E_ENUM", "mode"),
    ("app.yaml:8:12", "E_REQUIRED", "tls.cert"),
    ("app.yaml:9:18", "E_TYPE", "hosts[1]"),
    ("app.yaml:11:32", "E_UNKNOWN", "sites.x.dyas"),
}
pytestmark = pytest.mark.no_canaries


@pytest.fixture
def runtime_of(module_of: Any) -> Callable[[Any, Any], Runtime]:
    """Return what makes a runtime that knows `limiter`, with a kind of `Config`."""
    return lambda kind, source: Runtime(source, modules={"limiter": module_of(kind)})


def value(config: Any, key: str) -> Any:
    """Return a value of a typed configuration, whatever its kind."""
    return config[key] if isinstance(config, dict) else getattr(config, key)


def document(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration of one module."""
    return {"modules": [{"name": "api", "type": "limiter", "config": config}]}


def test_a_module_is_given_its_configuration_typed(kind, runtime_of):
    """Values come as they stand, nested ones too; a secret hides itself."""
    with runtime_of(kind, FakeSource(document(GOOD))) as runtime:
        given = runtime.module("api").given[0]

    assert value(given, "rate") == 5
    assert value(value(given, "tls"), "days") == 3
    assert tuple(value(given, "hosts")) == ("a", "b")
    assert value(value(given, "sites")["x"], "cert") == "b.pem"
    if not isinstance(kind, dict):
        assert isinstance(value(given, "token"), Secret | pydantic.SecretStr)
        assert "hunter2" not in repr(given)


def test_every_fault_comes_at_once_with_its_place(
    kind, runtime_of, tmp_path, monkeypatch
):
    """All kinds find the same faults, with the same codes, at the same places."""
    monkeypatch.chdir(tmp_path)
    Path("app.yaml").write_text(BAD)
    faults = runtime_of(kind, "file:app.yaml").check()
    found = {
        (str(each.place), str(each.code), str(each).split(" at `")[1].split("`")[0])
        for each in faults
    }

    assert {(a, b, c.removeprefix("modules.api.config.")) for a, b, c in found} >= FOUND
    assert all("31337" not in str(each) for each in faults)
    assert "did you mean `port`?" in str(faults)
    assert "did you mean `fast`?" in str(faults)
    assert "did you mean `days`?" in str(faults)


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"rate": "5"}, "E_TYPE"),
        ({"rate": 5.0}, "E_TYPE"),
        ({"rate": True}, "E_TYPE"),
        ({"rate": None}, "E_NULL"),
        ({}, "E_REQUIRED"),
        ({"rate": 0}, "E_VALUE"),
        ({"rate": 1, "hosts": "a"}, "E_TYPE"),
        ({"rate": 1, "tls": {"cert": "a", "days": "90"}}, "E_TYPE"),
        ({"rate": 1, "tls": []}, "E_TYPE"),
        ({"rate": 1, "mode": "FAST"}, "E_ENUM"),
    ],
)
def test_nothing_is_converted_silently(kind, kinds, runtime_of, config, code):
    """What nearly fits is refused by every kind, and by the schema it gives."""
    has_bounds = kind is not kinds["TypedDict"]
    runtime = runtime_of(kind, FakeSource(document(config)))
    schema = runtime.schema("limiter")

    codes = [code] if has_bounds or code != "E_VALUE" else []

    assert [str(each.code) for each in runtime.check()] == codes
    if config not in ({"rate": 5.0}, {"rate": 0}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(config, schema)


def test_every_kind_has_a_schema_that_takes_what_it_takes(kind, runtime_of):
    """The schema of each kind is one of 2020-12, hides secrets and tells restarts."""
    runtime = runtime_of(kind, FakeSource(document(GOOD)))
    schema: Any = runtime.schema("limiter")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(GOOD, schema)
    said = Described.by(schema)

    assert said.at(("token",)).marks == ("secret",)
    assert said.at(("port",)).marks == ("restart",)
    assert said.at(("sites", "x", "days")).marks == ()
    assert said.at(("sites", "x", "days")).words == "an integer"


def test_no_library_is_imported_unless_its_kind_is_used(tmp_path):
    """A service with attrs classes imports neither pydantic, msgspec nor jsonschema."""
    program = textwrap.dedent(
        """
        import sys
        import attrs
        from midflight import Runtime, hookimpl

        @attrs.frozen
        class Limits:
            rate: int = 1

        class Limiter:
            Config = Limits

            def __init__(self, name):
                pass

            @hookimpl
            def start(self, config):
                pass

            @hookimpl
            def reconfigure(self, config):
                pass

        with open("app.yaml", "w") as file:
            file.write("modules: [{name: a, type: limiter, config: {rate: 1}}]")
        with Runtime("file:app.yaml", modules={"limiter": Limiter}) as runtime:
            with open("app.yaml", "w") as file:
                file.write("modules: [{name: a, type: limiter, config: {rate: 2}}]")
            runtime.reload()
            assert runtime.snapshot.generation == 2
            runtime.schema("limiter")
        print(sorted({"pydantic", "msgspec", "jsonschema"} & set(sys.modules)))
        """
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_a_library_that_is_missing_is_named_with_its_extra(
    kinds, runtime_of, monkeypatch
):
    """Without jsonschema, a `Config` that is a schema says what to install."""
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    runtime = runtime_of(kinds["JSON Schema"], FakeSource(document(GOOD)))
    (fault,) = runtime.check()

    assert str(fault.code) == "E_DEPENDENCY"
    assert "pip install 'midflight[jsonschema]'" in fault.message
