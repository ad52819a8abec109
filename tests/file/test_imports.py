from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from midflight.errors import SourceUnavailableError
from midflight_plugins.file import FileSource


def test_the_importing_file_wins(write: Any, load: Any) -> None:
    """Modules and entries of the importing file stand; the rest is added after them."""
    source = FileSource(
        write(
            {
                "app.yaml": "imports: [b.yaml, c.yaml]\n"
                "modules:\n- {name: m, type: mine}\n"
                "triggers: {t: mine}\nplatform: 1\n"
                "requires: {plugins: [a], version: 1}\n",
                "b.yaml": "modules:\n- {name: m, type: b}\n"
                "- {name: n, type: b}\n"
                "triggers: {t: b, u: b}\nplatform: {x: 1}\n"
                "requires: {plugins: [a, b], version: 2}\n",
                "c.yaml": "modules:\n- {name: n, type: c}\n"
                "triggers: {u: c}\nd: {e: 1}\n",
            }
        )
    )

    document = load(source)

    assert {name: m.type for name, m in document.modules.items()} == {
        "m": "mine",
        "n": "b",
    }
    assert document.sections == {
        "triggers": {"t": "mine", "u": "b"},
        "platform": 1,
        "requires": {"plugins": ("a", "b"), "version": 1},
        "d": {"e": 1},
    }
    assert list(document.modules) == ["m", "n"]


def test_an_import_makes_no_section_a_misspelt_one(write: Any, load: Any) -> None:
    """A file that has `modules` may call a section alike, also where it imports."""
    source = FileSource(
        write(
            {
                "app.yaml": "imports: [b.yaml]\nmodules: []\nmodule: 1\n",
                "b.yaml": "found: true\n",
            }
        )
    )

    assert load(source).sections == {"module": 1, "found": True}


def test_imports_nest_and_are_relative_to_their_file(write: Any, load: Any) -> None:
    """A path is relative to the file that holds it; a diamond is fine."""
    source = FileSource(
        write(
            {
                "app.yaml": "imports: [x/b.yaml, x/c.yaml]\n",
                "x/b.yaml": "imports: [y/d.yaml]\n",
                "x/c.yaml": "imports: [../x/y/d.yaml]\n",
                "x/y/d.yaml": "imports: [../../e.json]\n",
                "e.json": '{"found": true}',
            }
        )
    )

    assert load(source).sections == {"found": True}


def test_a_tower_of_diamonds_is_loaded_once(write: Any, load: Any) -> None:
    """Thirty layers of two files that import each both of the next take no time."""
    files = {
        f"{side}{at}.yaml": f"imports: [a{at + 1}.yaml, b{at + 1}.yaml]\n"
        f"{side}{at}: 1\n"
        for at in range(30)
        for side in "ab"
    }
    files |= {"a30.yaml": "x: 1\n", "b30.yaml": "y: 1\n"}

    assert len(load(FileSource(write(files))).sections) == 61


def test_too_many_levels_and_files_are_refused(write: Any, faults_of: Any) -> None:
    """A long chain of imports, or too many files, is a fault."""
    files = {f"f{at}.yaml": f"imports: [f{at + 1}.yaml]\n" for at in range(80)}
    files |= {"f80.yaml": "x: 1\n"}
    path = write(files)

    deep = faults_of(FileSource(path))
    many = faults_of(FileSource(path, max_files=5))

    assert [str(fault.code) for fault in deep] == ["E_DEPTH"]
    assert [str(fault.code) for fault in many] == ["E_SIZE"]


def test_a_link_out_of_the_root_is_refused(
    write: Any, load: Any, faults_of: Any, tmp_path: Path
) -> None:
    """What counts is where the opened file is, not how its path reads."""
    path = write(
        {
            "in/app.yaml": "imports: [link.yaml]\n",
            "out/secret.yaml": "secret: 1\n",
            "in/dir/x.yaml": "",
        }
    )
    (tmp_path / "in" / "link.yaml").symlink_to(tmp_path / "out" / "secret.yaml")

    fault = faults_of(FileSource(path))[0]

    assert fault.code == "E_IMPORT_PATH"
    assert "link.yaml" in str(fault)
    assert load(FileSource(path, root=tmp_path)).sections == {"secret": 1}


def test_a_link_to_a_directory_outside_is_refused(
    write: Any, faults_of: Any, tmp_path: Path
) -> None:
    """A linked directory does not lead out either."""
    path = write({"in/app.yaml": "imports: [d/s.yaml]\n", "out/s.yaml": "secret: 1\n"})
    (tmp_path / "in" / "d").symlink_to("../out")

    assert [str(fault.code) for fault in faults_of(FileSource(path))] == [
        "E_IMPORT_PATH"
    ]


def test_the_file_itself_may_be_a_link(write: Any, load: Any, tmp_path: Path) -> None:
    """Whoever starts the service names the file; a link to it is followed."""
    write({"out/real.yaml": "a: 1\n", "in/x": ""})
    (tmp_path / "in" / "app.yaml").symlink_to("../out/real.yaml")

    assert load(FileSource(tmp_path / "in" / "app.yaml")).sections == {"a": 1}


def test_config_map_links_inside_the_directory_work(
    write: Any, load: Any, tmp_path: Path
) -> None:
    """File to `..data` to `..2026` is a chain of links inside the root."""
    write({"..2026/app.yaml": "imports: [b.yaml]\n", "..2026/b.yaml": "b: 1\n"})
    (tmp_path / "..data").symlink_to("..2026")
    for name in ("app.yaml", "b.yaml"):
        (tmp_path / name).symlink_to(f"..data/{name}")

    assert load(FileSource(tmp_path / "app.yaml")).sections == {"b": 1}


def test_a_missing_import_is_noticed_when_it_appears(
    write: Any, load: Any, faults_of: Any
) -> None:
    """The token differs as soon as the other half of a deployment is there."""
    source = FileSource(write({"app.yaml": "imports: [b.yaml]\n"}))
    fault = faults_of(source)[0]
    before = source.hash()
    write({"b.yaml": "b: 1\n"})

    assert "b.yaml" in str(fault)
    assert source.hash() != before
    assert load(source).sections == {"b": 1}


def test_an_application_is_put_together(write: Any, load: Any) -> None:
    """Workflow files are merged: modules, mappings and lists; the name stays."""
    source = FileSource(
        write(
            {
                "app.yaml": "application:\n  name: shop\n  workflows:\n"
                "  - {file: w/one.yaml, name: one}\n  - {file: w/two.yaml}\n",
                "w/one.yaml": "imports: [../log.yaml]\n"
                "modules:\n- {name: a, type: t}\n"
                "workflows: {http: {routes: [/a], server: a}}\ntriggers: {x: 1}\n",
                "w/two.yaml": "imports: [../log.yaml]\n"
                "modules:\n- {name: b, type: t}\n"
                "workflows: {http: {routes: [/b]}}\ntriggers: {y: 1}\n",
                "log.yaml": "modules:\n- {name: log, type: l}\ntriggers: {z: 1}\n"
                "level: info\n",
            }
        )
    )

    document = load(source)

    assert sorted(document.modules) == ["a", "b", "log"]
    assert document.sections == {
        "application": {"name": "shop"},
        "workflows": {"http": {"routes": ("/a", "/b"), "server": "a"}},
        "triggers": {"x": 1, "z": 1, "y": 1},
        "level": "info",
    }


def test_workflow_files_may_not_disagree(write: Any, faults_of: Any) -> None:
    """Two values for one key name both files and both places."""
    source = FileSource(
        write(
            {
                "app.yaml": "application:\n"
                "  workflows: [{file: a.yaml}, {file: b.yaml}]\n",
                "a.yaml": "platform: {size: 1}\n",
                "b.yaml": "platform: {size: 2}\n",
            }
        )
    )

    (fault,) = faults_of(source)

    assert fault.code == "E_MERGE_CONFLICT"
    assert str(fault.place).endswith("b.yaml:1:18")
    assert "a.yaml:1:18" in fault.found


def test_places_lead_to_the_file_that_holds_the_value(write: Any) -> None:
    """A path is looked up in the file that won it."""
    path = write(
        {
            "app.yaml": "imports: [b.yaml]\nt: {x: 1}\n",
            "b.yaml": "modules:\n- {name: m, type: q}\nt: {y: 1}\n",
        }
    )
    positions = FileSource(path).load().positions
    assert positions is not None

    assert str(positions(("t", "x"))).endswith("app.yaml:2:8")
    assert str(positions(("t", "y"))).endswith("b.yaml:3:8")
    assert str(positions(("modules", "m", "type"))).endswith("b.yaml:2:19")


def test_an_impossible_name_is_a_fault_like_any_other(
    write: Any, faults_of: Any
) -> None:
    """A name that no file can have is refused, hashed and watched without an upset."""
    text = r'{"imports": ["a\u0000.yaml", "\ud800.yaml", "' + "x" * 5000 + '.yaml"]}'
    source = FileSource(write({"app.json": text}))
    with source.watch(lambda: None):
        codes = {str(fault.code) for fault in faults_of(source)}

        assert codes == {"E_IMPORT_PATH"}
        assert source.hash() == source.hash()


def test_the_token_covers_imports_from_the_first_look_on(
    write: Any, load: Any, tmp_path: Path
) -> None:
    """Before any load, and before a newly imported file is loaded, it counts."""
    source = FileSource(write({"app.yaml": "imports: [b.yaml]\n", "b.yaml": "b: 1\n"}))
    first = source.hash()
    load(source)
    assert source.hash() == first
    write({"b.yaml": "imports: [c.yaml]\n", "c.yaml": "c: 1\n"})
    second = source.hash()
    assert second != first
    write({"c.yaml": "c: 2\n"})

    assert source.hash() != second


def test_a_load_without_faults_looks_no_place_up(write: Any, load: Any) -> None:
    """Places cost a second parse, which only an error is worth."""
    source = FileSource(
        write(
            {
                "app.yaml": "imports: [b.yaml]\nt: {a: 1}\n"
                "application: {workflows: [{file: c.yaml}]}\n",
                "b.yaml": "t: {b: 1}\n",
                "c.yaml": "t: {c: 1}\n",
            }
        )
    )
    load(source)

    assert len(source._units) == 3
    assert all(unit._spots is None for unit in source._units.values())


def test_an_import_that_cannot_be_read_for_now_is_no_fault_of_the_content(
    write: Any, monkeypatch: Any
) -> None:
    """A failing disk is a source that is down, and the file that imports is named."""
    path = write({"app.yaml": "a: 1\nimports: [b.yaml]\n", "b.yaml": "b: 1\n"})
    opened = os.open

    def failing(name: str, flags: int) -> int:
        if name.endswith("b.yaml"):
            raise OSError(errno.EIO, "input/output error")
        return opened(name, flags)

    monkeypatch.setattr(os, "open", failing)

    with pytest.raises(SourceUnavailableError, match=r"imported at .*app\.yaml:2:"):
        FileSource(path).load()
