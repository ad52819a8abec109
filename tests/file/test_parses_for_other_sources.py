from __future__ import annotations

import contextlib
import json
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from midflight import Document, Loaded, Runtime, hookimpl
from midflight.errors import InvalidConfigurationError
from midflight_plugins.database import DatabaseSource
from midflight_plugins.database._schema import upgrade
from midflight_plugins.database._url import parsed as parsed_url
from midflight_plugins.file import FileSource, _formats, _unit, _yaml

BAD = runpy.run_path(str(Path(__file__).parents[1] / "data" / "bad_inputs.py"))["ROWS"]
ELSEWHERE = {"E_IMPORT_PATH", "E_IMPORT_CYCLE", "E_FORMAT"}
ROWS = [
    row
    for row in BAD
    if len(row.files) == 1 and row.code not in ELSEWHERE and row.name != "no type"
]
NAME = "rows:app#default"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Begin with nothing remembered."""
    _formats._kept.clear()
    yield
    _formats._kept.clear()


@pytest.fixture
def parse() -> Any:
    """Parse as a source does, through a runtime."""
    return Runtime("memory:").parse


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect every text that the YAML parser gets, but not from the sampler."""
    texts: list[str] = []
    plain = _yaml.parse

    def noted(text: str, *args: Any, **options: Any) -> Any:
        if threading.current_thread().name != "midflight-sample":
            texts.append(text)
        return plain(text, *args, **options)

    monkeypatch.setattr(_yaml, "parse", noted)
    monkeypatch.setitem(_unit._PARSERS, ".yaml", noted)
    return texts


def app(count: int, rate: int = 0, at: int = 0) -> bytes:
    """Write a configuration of so many modules; one of them has another rate."""
    item = "- name: m{0}\n  type: t\n  config:\n    rate: {1}\n"
    items = (item.format(n, rate if n == at else n) for n in range(count))
    return f"# kept\nmodules:\n{''.join(items)}".encode()


def test_what_was_loaded_shows_nothing_of_its_text(parse: Any) -> None:
    """The `repr` of what was read may stand in a log, and the text holds secrets."""
    loaded = parse(b"modules: {}\ndb: {password: s3same}\n", "yaml", NAME)

    assert "s3same" not in f"{loaded!r} {loaded.positions!r}"
    assert str(loaded.positions(("db", "password"))) == f"{NAME}:2:16"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_finds_in_bytes_what_it_finds_in_a_file(row: Any, parse: Any) -> None:
    """Each bad input gives the code and the place that it gives as a file."""
    (file, data) = next(iter(row.files.items()))
    with pytest.raises(InvalidConfigurationError) as caught:
        parse(data, file.rpartition(".")[2], NAME)
    found = caught.value.faults

    fitting = [fault for fault in found if fault.code == row.code]
    assert fitting, [str(fault) for fault in found]
    place = fitting[0].place
    assert place is not None
    assert (place.source, place.line, place.column) == (NAME, row.line, row.column)
    assert not [str(fault) for fault in found if "the file holds" in str(fault)]
    assert not [str(fault) for fault in found if "`imports:`" in fault.hint]


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("yaml", "# why\nmodules:\n- name: a\n  type: t\n  config: {n: 1}\n"),
        ("yml", "modules: [{name: a, type: t, config: {n: 1}}]"),
        ("json", '{"modules": [{"name": "a", "type": "t", "config": {"n": 1}}]}'),
        ("toml", '[[modules]]\nname = "a"\ntype = "t"\nconfig.n = 1\n'),
    ],
)
def test_reads_each_format(parse: Any, format: str, text: str) -> None:  # noqa: A002  # the hook's name
    """Every format gives the document; YAML and JSON give their text with it."""
    loaded = parse(text.encode(), format, NAME)

    assert loaded.document.modules["a"].config == {"n": 1}
    assert loaded.text == (None if format == "toml" else text)
    assert loaded.positions(("modules", "a")).source == NAME


def test_leaves_other_formats_to_others(parse: Any) -> None:
    """What it does not read is another plugin's, or a fault that names the format."""

    class Ini:
        @hookimpl
        def parse(self, format: str) -> Loaded | None:  # noqa: A002  # the hook's name
            return Loaded({"modules": []}) if format == "ini" else None

    other = Runtime("memory:", plugins=[Ini()])

    assert other.parse(b"", "ini", NAME).document == {"modules": []}
    assert other.parse(b"a: 1", "yaml", NAME).text == "a: 1"
    with pytest.raises(InvalidConfigurationError, match="`ini`"):
        parse(b"", "ini", NAME)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("modules: []\nimports:\n- b.yaml\n", "3:3"),
        ("application:\n  workflows:\n  - {file: b.yaml}\n", "3:12"),
    ],
)
def test_refuses_to_follow_names_of_files(parse: Any, text: str, place: str) -> None:
    """Stored bytes stand in no directory: names of files are faults, with a way out."""
    with pytest.raises(InvalidConfigurationError) as caught:
        parse(text.encode(), "yaml", NAME)
    fault = caught.value.faults[0]

    assert (str(fault.code), str(fault.place)) == ("E_IMPORT_PATH", f"{NAME}:{place}")
    assert fault.found == "'b.yaml'"
    assert "one document" in fault.hint


def test_refuses_what_is_too_large(parse: Any) -> None:
    """The bound of a file holds for bytes too, before anything is parsed."""
    with pytest.raises(InvalidConfigurationError) as caught:
        parse(b"#" * (16 * 2**20 + 1), "yaml", NAME)

    assert str(caught.value.faults[0].code) == "E_SIZE"


def test_keeps_the_text_to_the_byte(parse: Any) -> None:
    """Comments, line ends and a byte order mark come back as they were."""
    data = b"\xef\xbb\xbf# why\r\nmodules: []   \r\nx: \xc3\xa4\r\n\r\n"

    assert parse(data, "yaml", NAME).text.encode() == data


@pytest.mark.usefixtures("shortcut")
def test_an_edit_of_one_module_reads_that_module(parse: Any, parsed: Any) -> None:
    """Of a thousand modules, one that changed is read again, and none other."""
    first = parse(app(1_000), "yaml", NAME).document
    whole = sum(map(len, parsed))
    parsed.clear()
    second = parse(app(1_000, 7_777, at=500), "yaml", NAME)

    assert sum(map(len, parsed)) < whole / 100
    document = second.document
    changed = [n for n, m in document.modules.items() if m is not first.modules[n]]
    assert changed == ["m500"]
    assert document.modules["m500"].config["rate"] == 7_777
    assert second.text.encode() == app(1_000, 7_777, at=500)
    assert str(second.positions(("modules", "m999", "config", "rate"))).endswith(
        ":4002:11"
    )


@pytest.mark.usefixtures("shortcut")
@pytest.mark.parametrize("form", ["json", "toml"])
def test_an_edit_of_one_module_leaves_the_others(parse: Any, form: str) -> None:
    """In every format all but the changed module are the very same objects."""

    def text(rate: int) -> bytes:
        modules = [
            {"name": f"m{n}", "type": "t", "rate": rate if n == 50 else n}
            for n in range(100)
        ]
        if form == "json":
            return json.dumps({"modules": modules}).encode()
        pairs = ("\n".join(f"{k} = {v!r}" for k, v in m.items()) for m in modules)
        return "".join(f"[[modules]]\n{each}\n" for each in pairs).encode()

    first = parse(text(1), form, NAME).document
    second = parse(text(2), form, NAME)

    changed = [
        n for n, m in second.document.modules.items() if m is not first.modules[n]
    ]
    assert changed == ["m50"]
    assert second.document.sections is first.sections
    assert str(second.positions(("modules", "m50"))).startswith(f"{NAME}:")


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_document_in_a_database_is_read_by_its_modules(
    tmp_path: Path, form: str
) -> None:
    """After a put of one changed module, a database gives the others as they were."""
    text = app(100).decode()
    if form == "json":
        modules = [{"name": f"m{n}", "type": "t", "rate": n} for n in range(100)]
        text = json.dumps({"modules": modules}, indent=1)
    url = f"sqlite:///{tmp_path}/a.db"
    upgrade(parsed_url(url)[0])
    source = DatabaseSource(url)
    loaded: list[Any] = []
    runtime = Runtime(source)
    with contextlib.closing(source):
        for version, each in enumerate((text, text.replace("m50", "other"))):
            document: Any = runtime.parse(each.encode(), form, "x").document
            runtime.put(document, expected_version=version or None, text=each)
            loaded.append(source.load(runtime).document)

    first, second = (each.modules for each in loaded)
    changed = [n for n, m in second.items() if first.get(n) is not m]
    assert changed == ["other"]


def test_a_series_of_edits_gives_what_full_parses_give(
    parse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever comes after what, documents, order and places are those of the text."""
    plain = app(8).decode()
    texts = [
        plain,
        plain.replace("rate: 3\n", "rate: 33\n"),
        plain.replace("- name: m5", "# new\n\n- name: m5"),
        plain.replace("- name: m2\n  type: t\n", "- name: other\n  type: u\n"),
        plain + "- name: m8\n  type: t\n",
        plain.replace("modules:", "x: &x 1\nmodules:"),
        plain.replace("rate: 6\n", "rate: 6.0\n"),
        plain.replace("# kept\n", ""),
        plain,
    ]
    short = [parse(text.encode(), "yaml", NAME) for text in texts]
    monkeypatch.setenv("MIDFLIGHT_FULL_PARSE", "1")
    full = [parse(text.encode(), "yaml", f"{at}") for at, text in enumerate(texts)]

    for mine, whole in zip(short, full, strict=True):
        assert mine.document == whole.document
        assert [*mine.document.modules] == [*whole.document.modules]
        for name in mine.document.modules:
            spots = [
                each.positions(("modules", name, "type")) for each in (mine, whole)
            ]
            assert (spots[0].line, spots[0].column) == (spots[1].line, spots[1].column)


def test_the_same_bytes_are_not_read_again(parse: Any, parsed: Any) -> None:
    """A poll that finds nothing new costs no parse."""
    first = parse(app(3), "yaml", NAME).document
    parsed.clear()

    assert parse(app(3), "yaml", NAME).document is first
    assert parsed == []


@pytest.mark.usefixtures("shortcut")
def test_an_edit_after_a_faulty_one_is_read_by_itself(parse: Any, parsed: Any) -> None:
    """What was refused does not take the place of the last good text."""
    parse(app(100), "yaml", NAME)
    with pytest.raises(InvalidConfigurationError):
        parse(app(100).replace(b"rate: 5\n", b"rate: NO\n"), "yaml", NAME)
    parsed.clear()
    parse(app(100, 7), "yaml", NAME)

    assert sum(map(len, parsed)) < len(app(100)) / 10


def test_another_format_under_one_name_is_read_as_such(parse: Any) -> None:
    """The same bytes under another format are another text."""
    data = b'{"modules": [], "x": "\\/"}'

    assert parse(data, "json", NAME).document.sections["x"] == "/"
    assert parse(data, "yaml", NAME).text == data.decode()
    assert _formats._kept[NAME].form == ".yaml"


def test_remembers_only_so_many_texts(parse: Any) -> None:
    """However many sources there are, sixteen texts are kept: those read last."""
    for at in range(40):
        parse(app(2), "yaml", f"rows:{at}")
        parse(app(2, at), "yaml", "rows:busy")

    assert len(_formats._kept) == 16
    assert "rows:busy" in _formats._kept


def test_threads_may_parse_at_once(parse: Any) -> None:
    """Sources of many runtimes read under one name and each gets its own."""
    wrong: list[object] = []

    def work(number: int) -> None:
        for at in range(30):
            rate = 1_000 * number + at
            document = parse(app(30, rate, at=29), "yaml", f"rows:{at % 3}").document
            if document.modules["m29"].config["rate"] != rate:
                wrong.append((number, at))

    threads = [threading.Thread(target=work, args=[n]) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_is_there_without_a_heavy_import() -> None:
    """A runtime that parses nothing imports no parser."""
    code = (
        "import sys, midflight\nruntime = midflight.Runtime('memory:')\n"
        "print('ruamel' in sys.modules)\nruntime.parse(b'a: 1', 'yaml', 'x')\n"
        "print('ruamel' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-Ic", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"app.yaml": "# why\nmodules: []\n"}, "# why\nmodules: []\n"),
        ({"app.json": '{"modules": []}'}, '{"modules": []}'),
        ({"app.yaml": "imports: []\nmodules: []\n"}, "imports: []\nmodules: []\n"),
        ({"app.toml": "x = 1\n"}, None),
        ({"app.yaml": "imports: [b.yaml]\n", "b.yaml": "x: 1\n"}, None),
        (
            {
                "app.yaml": "application: {workflows: [{file: b.yaml}]}\n",
                "b.yaml": "modules: []\n",
            },
            None,
        ),
    ],
)
def test_a_file_gives_its_text_if_it_is_all(write: Any, files: Any, says: Any) -> None:
    """A source of one YAML or JSON file tells what its author wrote."""
    source = FileSource(write(files))

    assert source.load().text == says
    assert source.load().text == says


def test_the_text_of_a_file_means_its_document(write: Any, parse: Any) -> None:
    """Parsed again, the text gives the document that the file gave."""
    modules = [{"name": "a", "type": "t", "config": {"n": 1.0}}]
    text = json.dumps({"modules": modules, "x": 2})
    loaded = FileSource(write({"app.json": text})).load()

    assert isinstance(loaded.document, Document)
    assert loaded.text == text
    assert parse(text.encode(), "json", NAME).document == loaded.document
