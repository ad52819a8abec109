from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

WHOLE = ("--module", "limiter=shop:Limiter")


@pytest.fixture
def installed(here):
    """Install a distribution with a sound type, and one that cannot be imported."""
    folder = here / "acme-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(
        "[midflight.modules]\nacme = acme_one:Limiter\nbroken = acme_two:Limiter\n"
    )
    (here / "acme_one.py").write_text("from shop import Limiter\n")
    (here / "acme_two.py").write_text("import no_such_library\n")
    yield
    sys.modules.pop("acme_one", None)


@pytest.mark.usefixtures("installed")
def test_only_the_types_that_are_named_are_imported(here, schema):
    """With --type or a FILE no other module type is imported; all are known by name."""
    Path("app.yaml").write_text(
        "modules: [{name: a, type: limiter, config: {rate: 1}}]"
    )
    for words in (["--type", "limiter"], ["app.yaml"], ["--source", "file:app.yaml"]):
        made = schema(*words, *WHOLE)

        assert [key for key in made["$defs"] if key.startswith("type.")] == [
            "type.limiter"
        ]
        assert "acme_one" not in sys.modules
        kinds = made["$defs"]["module"]["properties"]["type"]["enum"]
        assert {"acme", "broken", "limiter", "http"} <= set(kinds)


@pytest.mark.usefixtures("installed")
def test_a_type_that_cannot_be_imported_is_named_and_spoils_no_other(schema):
    """Without a word, all that is installed is described; what cannot be is told."""
    made = schema()

    assert {"type.acme", "type.http", "type.logging"} <= made["$defs"].keys()
    assert "type.broken" not in made["$defs"]
    assert "broken" in made["$comment"]


def test_a_type_that_there_is_not_is_refused(schema):
    """A misspelt --type is answered with the one that was meant."""
    assert "did you mean `http`" in schema("--type", "htpp", code=2)


def test_it_is_written_to_a_file(here, schema):
    """With -o nothing is printed, and the file ends with a line break."""
    assert schema("--type", "http", "-o", "midflight.schema.json") == ""
    text = Path("midflight.schema.json").read_text()

    assert json.loads(text)["title"] == "Midflight configuration"
    assert text.endswith("}\n")


def test_a_file_that_cannot_be_written_is_told(here, schema):
    """A folder that is not there is a mistake of usage, without a traceback."""
    told = schema("--type", "http", "-o", here / "none" / "x.json", code=2)

    assert "cannot write" in told
    assert "No such file" in told


def test_the_settings_module_types_are_known(here, schema):
    """Types of `midflight.toml` are described like installed ones."""
    Path("midflight.toml").write_text('modules = {limiter = "shop:Limiter"}\n')
    made = schema("--type", "limiter")

    assert made["$defs"]["type.limiter"]
