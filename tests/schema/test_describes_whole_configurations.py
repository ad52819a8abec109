from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "tests" / "data" / "configs").rglob("*.yaml"))
BAD = runpy.run_path(str(ROOT / "tests" / "data" / "bad_inputs.py"))["ROWS"]
TELLS = {"E_TOPLEVEL", "E_REQUIRED", "E_NAME"}  # whatever reader the editor has
WHOLE = ("--module", "limiter=shop:Limiter")
GOOD = """
modules:
  - name: api
    type: limiter
    config: {rate: 5, token: hunter2, tls: {cert: a.pem}}
  - {name: other, type: limiter, config: {rate: 1}, dependsOn: [api], owner: me}
limits: {batch: 3}
requires: {plugins: [midflight, {name: attrs, version: ">=23"}], capabilities: [http]}
"""


def types_in(path: Path) -> set[str]:
    """Return the module types of one file."""
    modules = YAML(typ="safe", pure=True).load(path).get("modules", [])
    entries = modules.values() if isinstance(modules, dict) else modules
    return {entry["type"] for entry in entries}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_sample_configurations_are_valid(path, here, schema, faults):
    """Each file of the samples fits, imports, applications and further keys too."""
    ours = {"http", "logging", "admin"}
    others = sorted(types_in(path) - ours)
    words = [word for name in others for word in ("--module", f"{name}=shop:Limiter")]
    made = schema("--type", "http", *words)

    assert faults(made, path.read_text()) == []


@pytest.mark.parametrize(
    ("folder", "file", "module"),
    [
        ("database", "limits.yaml", "limiter=limiter:Limiter"),
        ("embedded", "app.yaml", ""),
        ("embedded", "async.yaml", "poller=worker_async:Poller"),
        ("greeter", "app.yaml", "greeter=greeter:Greeter"),
    ],
)
def test_the_examples_are_valid_and_a_slip_in_them_is_not(
    folder, file, module, tmp_path, faults
):
    """Each example fits the schema of its own types; a misspelt key does not."""
    shutil.copytree(ROOT / "examples" / folder, tmp_path / folder)
    words = ["--module", module] if module else []
    ran = subprocess.run(
        [sys.executable, "-m", "midflight", "schema", file, *words],
        cwd=tmp_path / folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    text = (tmp_path / folder / file).read_text()
    slip = text.replace("config:", "config:\n      no-such-key: 1", 1)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert faults(json.loads(ran.stdout), text) == []
    assert bool(faults(json.loads(ran.stdout), slip)) == bool(module)


@pytest.mark.parametrize(
    "row",
    [
        row
        for row in BAD
        if row.code in TELLS and next(iter(row.files)).endswith(("yaml", "json"))
    ],
    ids=lambda row: row.name,
)
def test_what_check_refuses_the_schema_refuses(row, schema, faults):
    """Broken samples whose fault is one of form do not fit the schema either."""
    made = schema("--type", "http")

    assert faults(made, next(iter(row.files.values())).decode())


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("rate: 5", 'rate: "5"', "$.modules[0].config.rate"),
        ("rate: 5, ", "", "$.modules[0].config"),
        ("rate: 5", "rate: 5, prot: 1", "$.modules[0].config"),
        ("cert: a.pem", "crt: a.pem", "$.modules[0].config.tls"),
        ("config: {rate: 1}, ", "", "$.modules[1]"),
        ("type: limiter", "type: limitr", "$.modules[0].type"),
        ("dependsOn: [api]", "dependsOn: api", "$.modules[1].dependsOn"),
        ("capabilities: [http]", "capabilties: []", "$.requires"),
        ("name: attrs", "nam: attrs", "$.requires.plugins[1]"),
    ],
)
def test_a_slip_is_found_where_it_is(old, new, where, here, schema, faults):
    """A wrong value, a missing, misspelt or unknown word is told at its place."""
    made = schema("--type", "limiter", *WHOLE)
    found = faults(made, GOOD.replace(old, new, 1))

    assert faults(made, GOOD) == []
    assert any(each.startswith(where.rsplit(".tls", 1)[0]) for each in found), found


def test_modules_by_name_are_described_too(here, schema, faults):
    """The other form of `modules` has the same rules, and needs no `name`."""
    made = schema("--type", "limiter", *WHOLE)
    good = {"modules": {"api": {"type": "limiter", "config": {"rate": 5}}}}
    bad = {"modules": {"api": {"type": "limiter", "config": {"rate": "x"}}}}

    assert faults(made, good) == []
    assert faults(made, bad) == ["$.modules.api.config.rate"]
    assert faults(made, {"modules": {"a b": {"type": "limiter"}}})


def test_a_reference_may_stand_for_any_single_value(here, schema, faults):
    """An editor does not complain of `${NAME}` where a number belongs."""
    made = schema("--type", "limiter", *WHOLE)
    config: dict[str, object] = {
        "rate": "${RATE}",
        "port": "${PORT:-80}",
        "token": "${file:/run/x}",
    }
    document = {"modules": [{"name": "a", "type": "limiter", "config": config}]}
    config["hosts"] = ["${HOST}"]

    assert faults(made, document) == []
    config["rate"] = "$RATE"
    assert faults(made, document) == ["$.modules[0].config.rate"]
    config["rate"], config["tls"] = 1, "${TLS}"
    assert faults(made, document) == ["$.modules[0].config.tls"]


def test_a_layer_needs_nothing_and_may_patch(here, schema, faults):
    """With --layer parts of a configuration fit, and `$patch` has its two words."""
    made = schema("--type", "limiter", "--layer", *WHOLE)
    part = {"modules": {"api": {"config": {"port": 81, "tls": {"$patch": "delete"}}}}}
    hosts = {"$patch": "replace", "$value": ["a"]}

    assert faults(made, part) == []
    assert faults(made, {"modules": {"api": {"$patch": "delete"}}}) == []
    assert faults(made, {"modules": {"api": {"config": {"hosts": hosts}}}}) == []
    slip = {"modules": {"api": {"type": "limiter", "config": {"prot": 81}}}}
    assert faults(made, slip)
    assert faults(made, {"modules": {"api": {"$patch": "remove"}}})
    assert faults(schema("--type", "limiter", *WHOLE), part)


def test_marks_and_secrets_are_told(here, schema):
    """The schema says which fields are live, need a restart or are secret."""
    made = schema("--type", "limiter", *WHOLE)
    kinds = made["$defs"]["type.limiter"]["$defs"]

    assert kinds["Limits"]["properties"]["port"]["x-midflight"] == "restart"
    assert kinds["Limits"]["properties"]["tls"]["x-midflight"] == "restart"
    assert kinds["Tls"]["properties"]["days"]["x-midflight"] == "live"
    assert kinds["Limits"]["properties"]["token"]["writeOnly"] is True


ODD = """
from midflight import hookimpl


class Limiter:
    Config = %s

    def __init__(self, name):
        pass

    @hookimpl
    def start(self):
        pass
"""
WORD = {"type": "string", "minLength": 2}
AT = "$.modules[0].config"


@pytest.mark.parametrize(
    ("config", "good", "bad", "where"),
    [
        (
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "definitions": {"k": {"type": "integer"}},
                "properties": {"x": {"items": [{"$ref": "#/definitions/k"}]}},
            },
            {"x": [1, "a"]},
            {"x": ["a"]},
            f"{AT}.x[0]",
        ),
        (
            {
                "$id": "https://x.invalid/a.json",
                "$defs": {"k": {"$anchor": "k", "type": "integer"}},
                "properties": {"x": {"$ref": "#k"}, "y": {"$ref": "b.json"}},
            },
            {"x": 1, "y": "anything"},
            {"x": "a"},
            f"{AT}.x",
        ),
        (
            {
                "$defs": {"k": WORD, "n": {"const": 1}},
                "properties": {"x": {"propertyNames": {"$ref": "#/$defs/k"}}},
                "if": {"properties": {"y": {"$ref": "#/$defs/n"}}, "required": ["y"]},
                "then": {"required": ["z"]},
                "not": {"properties": {"q": {"type": "string"}}, "required": ["q"]},
            },
            {"x": {"ab": 1}, "y": 2, "q": 1},
            {"x": {"a": 1}, "y": 2},
            f"{AT}.x",
        ),
    ],
    ids=["an old draft", "names", "tests"],
)
def test_a_schema_of_an_author_means_the_same_within_the_whole(
    config, good, bad, where, here, schema, faults
):
    """Old drafts, names, and references in `if`, `not` and `propertyNames` hold."""
    Path("odd.py").write_text(ODD % config)
    made = schema("--type", "odd", "--module", "odd=odd:Limiter")
    sys.modules.pop("odd")
    entry = {"name": "a", "type": "odd"}

    assert faults(made, {"modules": [{**entry, "config": good}]}) == []
    assert faults(made, {"modules": [{**entry, "config": bad}]}) == [where]
    assert "x.invalid" not in json.dumps(made)


def test_a_schema_that_is_none_is_named_and_spoils_no_other(here, schema, faults):
    """What an author wrote wrongly is left out; the rest is a sound schema."""
    Path("odd.py").write_text(ODD % {"properties": {"x": {"type": "objct"}}})
    made = schema(*WHOLE, "--module", "odd=odd:Limiter")
    sys.modules.pop("odd")

    assert "type.odd" not in made["$defs"]
    assert "odd" in made["$comment"]
    assert faults(made, GOOD) == []
