from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from midflight import Diff
from midflight_plugins.file import FileSource

CONFIGS = Path(__file__).parents[1] / "data" / "configs"
FILES = sorted(path.name for path in CONFIGS.iterdir() if path.is_file())


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """Copy the examples, to edit them."""
    return Path(shutil.copytree(CONFIGS, tmp_path / "configs"))


@pytest.mark.parametrize("name", FILES)
def test_loads_and_hashes_the_same_each_time(
    name: str, configs: Path, load: Any
) -> None:
    """Each example loads; two loads agree in token and digest."""
    one, other = FileSource(configs / name), FileSource(CONFIGS / name)
    first, second = load(one), load(other)

    assert first.digest == second.digest
    assert not Diff.between(first, second)
    before = one.hash()
    load(one)
    assert one.hash() == before


def edited(path: Path, old: str, new: str) -> None:
    """Replace a text that must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "old", "new", "modified", "sections"),
    [
        ("02-web.yaml", "5s", "6s", ("server",), ()),
        ("02-web.yaml", "http.router", "http.mux", ("router",), ()),
        ("02-web.yaml", "[server]", "[]", ("router",), ()),
        ("02-web.yaml", "/health", "/up", (), ("workflows",)),
        ("02-web.yaml", "# A web", "# The web", (), ()),
        ("03-requires.yaml", ">=1.2", ">=1.3", (), ("requires",)),
        ("04-triggers.yaml", "0 2", "0 3", (), ("triggers",)),
        ("05-pipelines.yaml", "onError: stop", "onError: skip", (), ("pipelines",)),
        ("06-platform.yaml", "cpu: 0.5", "cpu: 1.0", (), ("platform",)),
        ("07-extra-keys.yaml", "team-blue", "team-red", ("api",), ()),
        ("07-extra-keys.yaml", "right: b", "right: c", ("api",), ()),
        ("12-all.json", "10.5", "11.5", ("limiter",), ()),
        ("13-all.toml", "10.5", "11.5", ("limiter",), ()),
    ],
)
def test_a_change_is_seen_where_it_is(
    name: str,
    old: str,
    new: str,
    modified: Any,
    sections: Any,
    configs: Path,
    load: Any,
) -> None:
    """The diff names the touched module, by extra keys too, or the touched section."""
    source = FileSource(configs / name)
    before, token = load(source), source.hash()
    edited(configs / name, old, new)
    assert source.hash() != token
    after = load(source)

    diff = Diff.between(before, after)
    assert (diff.modified, diff.sections) == (modified, sections)
    assert (before.digest == after.digest) == (not modified and not sections)


def test_a_change_in_an_imported_file_is_seen(configs: Path, load: Any) -> None:
    """Files two levels down are part of the token and of the document."""
    source = FileSource(configs / "08-imports.yaml")
    before, token = load(source), source.hash()
    edited(configs / "base" / "logging.yaml", "@daily", "@hourly")

    assert source.hash() != token
    assert Diff.between(before, load(source)).sections == ("triggers",)


def test_the_same_configuration_in_json_and_toml_has_one_digest(load: Any) -> None:
    """The format does not count."""
    digests = {
        load(FileSource(CONFIGS / name)).digest
        for name in ("12-all.json", "13-all.toml")
    }

    assert len(digests) == 1


def test_references_are_consumed(load: Any) -> None:
    """`imports` is no section; of `application` the name stays."""
    for name in FILES:
        sections = load(FileSource(CONFIGS / name)).sections
        assert "imports" not in sections
    application = load(FileSource(CONFIGS / "09-application.yaml"))

    assert application.sections["application"] == {"name": "shop"}
    assert sorted(application.modules) == ["mailer", "orders-db"]
    assert len(application.sections["workflows"]["messaging"]["subscriptions"]) == 2


def test_the_examples_cover_the_original_sections() -> None:
    """Every section of the original design stands in at least one example."""
    text = "".join(path.read_text() for path in CONFIGS.rglob("*.yaml"))

    for section in (
        *("modules", "requires", "workflows", "triggers", "pipelines", "platform"),
        *("imports", "application"),
    ):
        assert re.search(rf"^{section}:", text, re.MULTILINE)
