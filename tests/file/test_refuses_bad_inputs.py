from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from midflight_plugins.file import FileSource

DATA = runpy.run_path(str(Path(__file__).parents[1] / "data" / "bad_inputs.py"))
# A type may come from another layer; that it is nowhere is found in the whole.
ROWS = [row for row in DATA["ROWS"] if row.name != "no type"]


@pytest.fixture(params=["", "pure"], ids=["any parser", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the C parser be asked, or not."""
    monkeypatch.setenv("MIDFLIGHT_YAML", request.param)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_names_what_is_wrong_and_where(
    row: Any, write: Any, faults_of: Any, tmp_path: Path
) -> None:
    """Each bad input gives its code, file, line and column, and says what to do."""
    source = FileSource(write(row.files))

    found = faults_of(source)

    fitting = [fault for fault in found if fault.code == row.code]
    assert fitting, [str(fault) for fault in found]
    fault = fitting[0]
    assert fault.place is not None
    assert fault.place.source == str(tmp_path / row.file)
    assert (fault.place.line, fault.place.column) == (row.line, row.column), str(fault)
    for words in row.says:
        assert words in str(fault)
    assert len(fault.message) <= 200


def test_each_code_of_a_file_has_a_row() -> None:
    """The table leaves out no code that a file by itself can carry."""
    codes = {row.code for row in ROWS}

    assert codes >= {
        *("E_EMPTY", "E_TOPLEVEL", "E_MULTIDOC", "E_DUPKEY", "E_KEYTYPE", "E_TYPE"),
        *("E_NONFINITE", "E_RANGE", "E_DEPTH", "E_ALIAS", "E_MERGE", "E_CYCLE"),
        *("E_TAG", "E_SYNTAX", "E_CHAR", "E_ENCODING", "E_SIZE", "E_FORMAT"),
        *("E_REQUIRED", "E_DUPMODULE", "E_NAME", "E_IMPORT_PATH", "E_IMPORT_CYCLE"),
        "E_MERGE_CONFLICT",
    }


def test_shows_every_fault_at_once(write: Any, faults_of: Any) -> None:
    """Faults of values, of modules and of imports come together."""
    path = write(
        {
            "app.yaml": "a: NO\nb: !x 1\nmodules:\n- type: m\n"
            "imports: [b.yaml, c.yaml]\n",
            "b.yaml": "d: 010\nd: 1\n",
        }
    )

    codes = [str(fault.code) for fault in faults_of(FileSource(path))]

    assert sorted(codes) == sorted(
        ["E_TYPE", "E_TAG", "E_REQUIRED", "E_TYPE", "E_DUPKEY", "E_IMPORT_PATH"]
    )


def test_keeps_faults_before_a_syntax_error(write: Any, faults_of: Any) -> None:
    """A syntax error does not hide the faults that were found before it."""
    source = FileSource(write({"app.yaml": "a: NO\nb: [1\n"}))

    assert [str(fault.code) for fault in faults_of(source)] == ["E_TYPE", "E_SYNTAX"]


def test_stops_after_so_many_faults(write: Any, faults_of: Any) -> None:
    """A file of nothing but mistakes gives a bounded list."""
    text = "".join(f"k{at}: NO\n" for at in range(5_000))

    assert len(faults_of(FileSource(write({"app.yaml": text})))) == 100


@pytest.mark.parametrize("name", ["a", "1"])
def test_a_module_that_is_named_by_a_number_draws_no_fault(
    write: Any, faults_of: Any, name: str
) -> None:
    """Modules are counted from 0, and one may be called `1`."""
    text = f'[[modules]]\nname = "{name}"\ntype = "t"\n'
    text += '[[modules]]\nname = "b"\ntype = "t"\nconfig = {x = nan}\n'

    [fault] = faults_of(FileSource(write({"app.toml": text})))

    assert (fault.place.line, fault.place.column) == (7, 10)
