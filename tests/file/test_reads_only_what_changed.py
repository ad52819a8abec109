from __future__ import annotations

import json
import re
import threading
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from midflight_plugins.file import FileSource, _unit
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._sample import Sampler
from midflight_plugins.file._unit import build, rebuild

pytestmark = pytest.mark.usefixtures("shortcut")

LIMITS = Limits()
HEAD = "a: 1\nmodules:\n"
ITEM = "  - name: {0}\n    type: t\n    config:\n      rate: {1}\n"
TAIL = "triggers:\n  x: 1\n"


def app(count: int, **rates: object) -> str:
    """Write a configuration of so many modules."""
    items = (ITEM.format(f"m{at}", rates.get(f"m{at}", at)) for at in range(count))
    return HEAD + "".join(items) + TAIL


def both(before: str, after: str, form: str = "yaml") -> tuple[Any, Any]:
    """Return what the shortcut makes of a change, and what a full parse does."""
    name = f"a.{form}"
    old = build(name, before.encode(), name, LIMITS)
    short = rebuild(old, after.encode(), name)
    return short, build(name, after.encode(), name, LIMITS)


def agree(short: Any, full: Any) -> None:
    """Compare what the shortcut gave with the full parse."""
    if short is None:
        return
    assert not full.faults
    assert short.document.digest == full.document.digest
    assert list(short.document.modules) == list(full.document.modules)
    assert short.imports == full.imports
    if full.layout is not None:
        assert short.layout == full.layout


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (app(3), app(3, m1=7)),
        (app(3), app(3, m0=7)),
        (app(3), app(3, m2=7)),
        (app(3), app(3, m1="[" * 60 + "]" * 60)),
        (app(3), app(4)),
        (app(4), app(3)),
        (app(40), app(40, m3=70, m30=71)),
        (app(3), app(3).replace("  - name: m1", "  # new\n\n  - name: m1")),
        (HEAD + ITEM.format("a", 1), HEAD + ITEM.format("a", 2)),
        (HEAD + ITEM.format("a", 1), (HEAD + ITEM.format("a", 2)).rstrip()),
        (
            "modules:\n- name: a\n  type: t\nx: 1\n",
            "modules:\n- name: a\n  type: u\nx: 1\n",
        ),
    ],
)
def test_an_edit_of_modules_is_read_by_itself(before: str, after: str) -> None:
    """Ordinary edits of entries take the shortcut, and give what a full parse gives."""
    short, full = both(before, after)

    assert short is not None
    agree(short, full)


def test_untouched_modules_are_the_same_objects(write: Any, load: Any) -> None:
    """An edit leaves every other module, and every section, the very same object."""
    source = FileSource(write({"app.yaml": app(50)}))
    first = load(source)
    write({"app.yaml": app(50, m20=99)})
    second = load(source)

    changed = [n for n, m in second.modules.items() if m is not first.modules[n]]
    assert changed == ["m20"]
    assert second.sections is first.sections
    assert second.modules["m20"].config["rate"] == 99


def test_a_full_parse_shares_modules_that_are_alike(write: Any, load: Any) -> None:
    """Typed equality decides: 2 is not 2.0, and comments do not count."""
    source = FileSource(write({"app.yaml": app(4)}))
    first = load(source)
    write({"app.yaml": "# new\n" + app(4, m2="2.0").replace("a: 1", "a: 3")})
    second = load(source)

    changed = [n for n, m in second.modules.items() if m is not first.modules[n]]
    assert changed == ["m2"]


def test_places_after_an_edit_are_those_of_the_new_text(write: Any) -> None:
    """A shortcut does not leave places behind."""
    file = write({"app.yaml": app(3)})
    source = FileSource(file)
    source.load()
    write({"app.yaml": app(3).replace("  - name: m1", "\n\n  - name: m1")})
    positions = source.load().positions
    assert positions is not None

    assert str(positions(("modules", "m2", "config", "rate"))) == f"{file}:16:13"


PLAIN = app(3)
REFUSED = {
    # A chunk that could mean something else in the whole.
    "an anchor": PLAIN.replace("rate: 1", "rate: &r 1"),
    "an alias": PLAIN.replace("rate: 1", "rate: *r"),
    "a merge": PLAIN.replace("rate: 1", "<<: {rate: 1}"),
    "a tag": PLAIN.replace("rate: 1", "rate: !!int 1"),
    "a tag of others": PLAIN.replace("rate: 1", "rate: !x 1"),
    # The parser judges it by the line behind the entry.
    "a block that begins empty": PLAIN.replace("rate: 1\n", "rate: |\n \n", 1),
    # Characters and marks.
    "a directive": PLAIN.replace("  - name: m1", "%YAML 1.2\n  - name: m1"),
    "a byte order mark inside": PLAIN.replace("  - name: m1", "\ufeff  - name: m1"),
    "a byte order mark before": f"\ufeff{PLAIN}",
    "a carriage return": PLAIN.replace("rate: 1", "rate: 1\r"),
    "a tab": PLAIN.replace("rate: 1", "rate:\t1"),
    "NEL": PLAIN.replace("rate: 1", "rate: a\x85b"),
    "LS": PLAIN.replace("rate: 1", "rate: a\u2028b"),
    "PS": PLAIN.replace("rate: 1", "rate: a\u2029b"),
    "another document": PLAIN.replace("rate: 1", "rate: 1\n---"),
    "the end of the document": PLAIN.replace("rate: 1", "rate: 1\n..."),
    # How `modules` is written.
    "flow modules": "a: 1\nmodules: []\n" + TAIL,
    "quoted modules": PLAIN.replace("modules:", '"modules":'),
    "a second modules": PLAIN.replace("  - name: m1", "modules:\n  - name: m1"),
    # What goes on in other lines.
    "an open quote": PLAIN.replace("rate: 1", 'rate: "1'),
    "an open bracket": PLAIN.replace("rate: 1", "rate: [1"),
    "a bracket closed at column 0": PLAIN.replace("rate: 1", "rate: [1,\n2]"),
    "a quote closed at column 0": PLAIN.replace("rate: 1", 'rate: "1\n2"'),
    # Head, tail and the end of the region.
    "a change in the head": PLAIN.replace("a: 1", "a: 2"),
    "a change in the tail": PLAIN.replace("x: 1", "x: 2"),
    "a key among the entries": PLAIN.replace("  - name: m1", "b: 1\n  - name: m1"),
    "the tail joined to an entry": PLAIN.replace("rate: 2\n", "rate: 2"),
    "no entry left": HEAD + TAIL,
    # A chunk that is not exactly one mapping.
    "a word as an entry": PLAIN.replace("  - name: m1", "  - m9\n  - name: m1"),
    "a list as an entry": PLAIN.replace("  - name: m1", "  - - name: m1"),
    "a dash alone": PLAIN.replace("  - name: m1", "  -\n    name: m1"),
    "a shallower dash": PLAIN.replace("  - name: m1", " - name: m1"),
    "a dash at column 0": PLAIN.replace("  - name: m1", "- name: m1"),
    # What the whole would refuse.
    "a name twice": PLAIN.replace("name: m1", "name: m2"),
    "a name twice, far apart": app(60).replace("name: m50", "name: m1"),
    "a value that surprises": PLAIN.replace("rate: 1", "rate: NO"),
    "one level too deep": app(3, m1="[" * 61 + "]" * 61),
    "a key twice": PLAIN.replace("rate: 1", "rate: 1\n      rate: 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_mean_something_else_is_read_in_full(case: str) -> None:
    """Edits outside of entries, faults and doubtful texts take the full parse."""
    before = app(60) if "far apart" in case else PLAIN
    short, _ = both(before, REFUSED[case])

    assert short is None


@pytest.mark.parametrize(
    "before",
    [
        # Head or tail that is no plain block mapping, or that refers to entries.
        PLAIN.replace("a: 1", "a: &a 1"),
        PLAIN.replace("x: 1", "x: *a").replace("a: 1", "a: &a 1"),
        PLAIN.replace("a: 1", "a: !!int 1"),
        PLAIN.replace("a: 1", "a: 1\r"),
        "%YAML 1.2\n---\n" + PLAIN,
        PLAIN + "...\n",
        PLAIN.replace("modules:", '"modules":'),
        PLAIN.replace("modules:", "? modules\n:"),
        PLAIN.replace("modules:", "modules: &a"),
        PLAIN.replace("modules:", "modules: !!seq"),
        # Text of the head that looks like the list, or like the key behind it.
        "a: |\n  modules:\n  - x\nmodules: [{name: m1, type: t, config: {rate: 1}}]\n",
        'a: "\nmodules:\n  - name: m1\n"\n"modules": [{name: m1, config: {rate: 1}}]\n',
        'modules:\n  - name: a\n    type: "x\nfoo: y"\n    k: {rate: 1}\nb: 1\n',
        # An entry that the parser begins elsewhere.
        'modules:\n  - name: a\n    k: "a\n  - name: b"\n    rate: 1\n',
        "modules:\n  - {name: a, type: t, config: {rate: 1,\nx: 2}}\n",
    ],
)
def test_a_text_that_cannot_be_cut_has_no_shortcut(before: str) -> None:
    """Where a cut is in doubt, or something stands outside of it, none is kept."""
    assert "rate: 1" in before
    short, full = both(before, before.replace("rate: 1", "rate: 7"))

    assert not full.faults
    assert short is None


@pytest.mark.parametrize("now", ["1", "&r 2", "&other 1"])
def test_an_anchor_that_another_module_uses_is_read_in_full(now: str) -> None:
    """An edit of one module may change another, or leave it without its value."""
    short, _ = both(app(3, m1="&r 1", m2="*r"), app(3, m1=now, m2="*r"))

    assert short is None


BLOCK = "    b: |+\n      text\n       - name: no\n\n\n"
STRUCTURES = {
    "a block in the head": PLAIN.replace("a: 1\n", "a: |\n  modules:\n  - name: x\n\n"),
    "a block in the tail": PLAIN.replace("x: 1\n", "x: >+\n    - name: x\n\n"),
    "a block in the last entry": PLAIN.replace("triggers:", BLOCK + "triggers:"),
    "a block in an entry": PLAIN.replace("  - name: m2", BLOCK + "  - name: m2"),
    "a text with a star": PLAIN.replace("rate: 2", 'rate: 2\n      c: "*/5 * * * *"'),
    "a byte order mark": f"\ufeff{PLAIN}",
    "more than ASCII": PLAIN.replace("a: 1", "a: é 名 😀").replace(
        "rate: 2", "rate: 名"
    ),
    "comments between": PLAIN.replace("  - name: m2", "# é\n\n  # c\n  - name: m2"),
    "a comment as the tail": PLAIN.replace(TAIL, "# the end\n"),
}


@pytest.mark.parametrize("case", STRUCTURES)
def test_what_stands_around_an_edit_may_be_of_any_kind(case: str) -> None:
    """Blocks, comments and any characters beside an edited entry do no harm."""
    before = STRUCTURES[case]
    short, full = both(before, before.replace("rate: 1", "rate: 71"))

    assert short is not None
    agree(short, full)
    again = rebuild(short, before.encode(), "a.yaml")
    assert again is not None
    assert again.document == both(before, before)[1].document


def test_the_document_may_not_grow_beyond_its_bounds() -> None:
    """As many lists as a document may hold are counted over all of its modules."""
    many = "[" + "[]," * 500_000 + "[]]"
    text = f'{{"modules": [{{"name": "a", "x": {many}}}, {{"name": "b", "x": 1}}]}}'
    old = build("a.json", text.encode(), "a.json", LIMITS)
    more, most = (text.replace('"x": 1', f'"x": {each}') for each in ("[[]]", many))

    assert rebuild(old, more.encode(), "a.json") is not None
    assert rebuild(old, most.encode(), "a.json") is None


def test_the_shortcut_has_an_off_switch(monkeypatch: Any) -> None:
    """With MIDFLIGHT_FULL_PARSE=1 every load is a full parse."""
    monkeypatch.setenv("MIDFLIGHT_FULL_PARSE", "1")
    short, _ = both(app(3), app(3, m1=7))

    assert short is None


LINES = st.sampled_from(
    [
        "modules:", "modules: # x", '"modules":', "modules: []", "other:", "x: 1",
        "- name: a", "- name: b", "  - name: a", "  - name: b", "  - name: c", "  - a",
        "  -", "- ", "  - {name: d, type: t}", "    type: t", "  type: t", "  config:",
        "    config:", "      k: v", "    k: 'it", "    it'", '    q: "a', 'b"', '  c"',
        "    f: [1,", "  2]", "]", "    t: |", "    t: >-", "    t: |+", "     deep",
        "      deeper", "  - like an item", "", "   ", "# c", "  # c", "      # c",
        "    a: &a 1", "    b: *a", "    <<: {z: 1}", "---", "...", "%YAML 1.2",
        '    cron: "*/5 * * * *"', "\t", "    tab:\t1", "    ? q", "    : r",
        "    k2: plain", "      goes on", "    name: e", "      rate: 7", "    type: u",
        "  - {name: e, type: u}", "imports: []", "    u: \u2028",
    ]
)  # fmt: skip
GOOD = st.lists(st.sampled_from(range(6)), min_size=1, max_size=5, unique=True).map(
    lambda names: [
        line
        for at in names
        for line in ITEM.format(f"m{at}", at).rstrip("\n").split("\n")
    ]
)


@st.composite
def texts(draw: Any) -> tuple[str, str]:
    """Draw a text and what an edit makes of it."""
    lines = [*draw(st.sampled_from([["modules:"], ["a: 1", "modules:"]]))]
    lines += draw(GOOD)
    lines += draw(st.sampled_from([[], ["z: 1"], ["z:", "  y: 1"]]))
    lines = edit(draw, lines, [0, 0, 1, 2])
    end = draw(st.sampled_from(["\n", "\n", ""]))
    return "\n".join(lines) + "\n", "\n".join(edit(draw, lines, [1, 1, 2, 3])) + end


BLOCKS = st.sampled_from(
    [
        "    t: |\n      deep\n\n       - name: x", "    t: >-\n     a\n     b",
        "    t: |+\n      keep\n\n", "    q: 'a\n\n      b'", "    t: |",
        "    f: [1,\n      2]", "    f: {a: 1,\n# c\n      b: 2}", "    # c", "", "# c",
        "   ", "    p: plain\n      goes on", "    n:", "    n: 1",
        "  - name: z\n    type: t", "  - {name: y, type: u}", '    d: "a\n  b"',
        "    l:\n    - a\n    - b", "    l:\n      - a: 1\n        b: 2",
    ]
)  # fmt: skip


def edit(draw: Any, lines: list[str], times: list[int]) -> list[str]:
    """Change some lines: half of the time so that the text is likely to stay valid."""
    lines = list(lines)
    for _ in range(draw(st.sampled_from(times))):
        at = draw(st.integers(0, len(lines)))
        hows = ["insert", "delete", "replace", "copy", *["block"] * 4, *["rate"] * 2]
        how = draw(st.sampled_from(hows))
        ends = [n for n, line in enumerate(lines) if line == "    type: t"]
        if how == "insert":
            lines.insert(at, draw(LINES))
        elif not lines:
            continue
        elif how == "delete":
            del lines[min(at, len(lines) - 1)]
        elif how == "replace":
            lines[min(at, len(lines) - 1)] = draw(LINES)
        elif how == "copy":
            lines.insert(at, lines[min(at, len(lines) - 1)])
        elif ends and how == "block":
            at = draw(st.sampled_from(ends)) + draw(st.sampled_from([1, 1, 3]))
            lines[at:at] = draw(BLOCKS).split("\n")
        else:
            new = f"rate: {draw(st.integers(0, 99))}"
            which = draw(st.sampled_from(range(len(lines))))
            lines[which] = re.sub(r"rate: .*", new, lines[which])
    return lines


@settings(max_examples=400, deadline=None)
@given(texts())
@example(
    ("modules:\n  - name: a\n    type: t\n", "modules:\n  - name: a\n    type: t\n#")
)
def test_the_shortcut_never_gives_another_document(pair: tuple[str, str]) -> None:
    """Whatever is edited, the shortcut gives what a full parse gives, or nothing."""
    short, full = both(*pair)
    event(f"shortcut {short is not None}")

    agree(short, full)


def written(form: str, count: int, **rates: Any) -> str:
    """Write a configuration of so many modules as JSON or TOML."""
    rate = [rates.get(f"m{at}", at) for at in range(count)]
    if form == "json":
        modules = [
            {"name": f"m{at}", "type": "t", "config": {"rate": each}}
            for at, each in enumerate(rate)
        ]
        return json.dumps({"a": 1, "modules": modules, "é": {"modules": []}}, indent=2)
    items = (
        f'[[modules]]\nname = "m{at}"\ntype = "t"\n[modules.config]\nrate = {each}\n'
        for at, each in enumerate(rate)
    )
    return f"a = 1\n{''.join(items)}[é]\nx = 1\n".replace("é", '"é"')


@pytest.mark.parametrize("form", ["json", "toml"])
def test_other_formats_are_read_by_their_modules_too(form: str) -> None:
    """In JSON and TOML an edit leaves the other modules the very same objects."""
    name = f"a.{form}"
    old: Any = build(name, written(form, 50).encode(), name, LIMITS)
    for after in (
        written(form, 50, m20=2000, m30=-7),
        written(form, 50, m0=[1]),
        written(form, 51),
        written(form, 20),
        written(form, 50).replace("m20", "other"),
    ):
        short: Any = rebuild(old, after.encode(), name)
        full: Any = build(name, after.encode(), name, LIMITS)

        assert short is not None
        agree(short, full)
        before = old.document.modules
        alike = {n for n, m in full.document.modules.items() if before.get(n) == m}
        same = {n for n, m in short.document.modules.items() if before.get(n) is m}
        assert same == alike
        assert short.document.sections is old.document.sections


@pytest.mark.parametrize(
    ("form", "old", "new"),
    [
        ("json", '"rate": 1\n', '"rate": 1, "rate": 2\n'),
        ("json", '"rate": 1\n', '"rate": NaN\n'),
        ("json", '"rate": 1\n', '"rate": 1e999\n'),
        ("json", '"rate": 1\n', f'"rate": {"9" * 101}\n'),
        ("json", '"rate": 1\n', f'"rate": {2**64}\n'),
        ("json", '"rate": 1\n', '"rate": "\\ud800"\n'),
        ("json", '"rate": 1\n', f'"rate": {"[" * 70}{"]" * 70}\n'),
        ("json", '"rate": 1\n', f'"rate": {"[" * 9999}{"]" * 9999}\n'),
        (
            "json",
            '"rate": 1\n',
            '"rate": 1}}], "modules": [{"name": "x", "c": {"r": 1\n',
        ),
        ("json", '"name": "m1"', '"name": "m2"'),
        ("json", '"name": "m1",', ""),
        ("json", '    {\n      "name": "m1"', '    7, {\n      "name": "m1"'),
        ("json", '    {\n      "name": "m1"', '    , {\n      "name": "m1"'),
        ("json", '    {\n      "name": "m1"', '    \ufeff{\n      "name": "m1"'),
        ("json", '"modules": [\n', '"modules": {\n'),
        ("json", '"a": 1', '"a": 2'),
        ("json", '"\\u00e9"', '"modules"'),
        ("toml", "rate = 1\n", "rate = nan\n"),
        ("toml", "rate = 1\n", "rate = 1\nrate = 2\n"),
        ("toml", "rate = 1\n", "rate = [\n"),
        ("toml", "rate = 1\n", 'rate = """\n[[modules]]\n"""\n'),
        ("toml", "rate = 1\n", "rate = 1\n[other]\n"),
        ("toml", "rate = 1\n", "rate = 1\n[modules]\n"),
        ("toml", "rate = 1\n", "rate = 1\r\n"),
        ("toml", '[[modules]]\nname = "m1"', '[["modules"]]\nname = "m1"'),
        ("toml", '[[modules]]\nname = "m1"', 'q = 1[[modules]]\nname = "m1"'),
        ("toml", '"m1"', '"m2"'),
        ("toml", "a = 1\n", "a = 2\n"),
        ("toml", "x = 1\n", "x = 2\n"),
    ],
)
def test_doubtful_edits_of_other_formats_are_read_in_full(
    form: str, old: str, new: str
) -> None:
    """What the whole refuses, or what reaches out of an entry, takes the full parse."""
    before = written(form, 3)
    assert old in before
    short, _ = both(before, before.replace(old, new), form)

    assert short is None


@pytest.mark.parametrize(
    "before",
    [
        'modules = [{name = "a", type = "t", rate = 1}]\n',
        '[[modules]]\nname = "a"\nrate = 1\n["modules".x]\n',
        '[[modules]]\nname = "a"\nrate = 1\n[z]\n[modules.x]\n',
        '[[modules]]\nname = "a"\nrate = 1\n[z]\n["\\u006dodules".x]\n',
        '[[modules]]\nname = "a"\nrate = 1\nk = [\n[1],\n]\n',
        '[[modules]]\nname = "a"\nrate = 1\nk = """\n[[modules]]\n"""\n',
        'k = """\n[[modules]]\n"""\n[["modules"]]\nname = "a"\nrate = 1\n',
    ],
)
def test_toml_that_cannot_be_cut_has_no_shortcut(before: str) -> None:
    """Tables of a module may stand anywhere, and texts may look like headers."""
    short, full = both(before, before.replace("rate = 1", "rate = 7"), "toml")

    assert not full.faults
    assert short is None


@pytest.mark.parametrize(
    ("last", "behind"),
    [
        ("[modules.config]\nrate = 1\n", "[z]\n[modules.config]\n"),
        ("[modules.retry.most]\nrate = 1\n", "[z]\n[modules.retry]\n"),
        ("[modules.retry.most]\nrate = 1\n", '[z]\n["modules".retry]\n'),
    ],
)
def test_an_empty_table_behind_others_goes_to_the_entry_that_is_last(
    last: str, behind: str
) -> None:
    """It adds nothing to the entry that has such a table, and one to the next."""
    before = f'[[modules]]\nname = "a"\n{last}{behind}'
    entry = '[[modules]]\nname = "b"\n[modules.config]\nrate = 2\n'
    short, _ = both(before, before.replace(behind, entry + behind), "toml")

    assert short is None


def nested(form: str, levels: int, *, odd: str = "") -> str:
    """Write three modules, the second of which brings a file to so many levels."""
    lists = (
        levels - 4
    )  # the file, `modules`, the entry and its `config` are levels, too
    value = "[" * lists + odd + "]" * lists
    if form == "yaml":
        return app(3, m1=value)
    return (
        written(form, 3)
        .replace("rate = 1\n", f"rate = {value}\n")
        .replace('"rate": 1\n', f'"rate": {value}\n')
    )


@pytest.mark.parametrize("form", ["yaml", "json", "toml"])
@pytest.mark.parametrize("most", [5, 10, 64])
def test_a_file_has_at_most_so_many_levels(form: str, most: int) -> None:
    """The border is the same in each format, in full and by the shortcut."""
    name, limits = f"a.{form}", Limits(max_depth=most)
    old = build(name, nested(form, 4, odd="0").encode(), name, limits)
    for levels in range(5, most + 4):
        for odd in ("", "1", '"[[[[]"', r'"]]\"[", "{\\"'):
            text = nested(form, levels, odd=odd).encode()
            full, short = build(name, text, name, limits), rebuild(old, text, name)

            assert (full.faults == []) is (levels <= most)
            assert (short is not None) is (levels <= most)
    [fault] = full.faults
    assert str(fault.code) == "E_DEPTH"
    assert fault.message == f"nested deeper than {most} levels"
    assert fault.path == ("modules", 1, "config", "rate", 0, 0, 0, 0)[:most]
    assert fault.place is not None
    assert fault.place.line
    assert fault.place.column
    line = text.decode().split("\n")[fault.place.line - 1]
    assert "rate" in line
    assert line[fault.place.column - 1] == "["
    assert (fault.found, fault.expected) == ("", "")


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        (r'"\""', r'"\""'),
        (r'"\\"', r'"\\\""'),
        ('"]"', '"["'),
        (r'"\"]\""', r'"\"[\""'),
        (r'"\\\"}\\\""', r'"\\\"{\\\""'),
        ('"[]"', '"{}"'),
    ],
)
def test_no_text_hides_a_level_of_json(before: str, behind: str) -> None:
    """Quotes, backslashes and brackets in a text do not count."""
    value = "[]"
    for _ in range(8):
        value = f"[{before}, {value}, {behind}]"
    data = f'{{"a": {value}}}'.encode()
    faults = [
        [
            str(fault.code)
            for fault in build("a.json", data, "a", Limits(max_depth=n)).faults
        ]
        for n in (9, 10)
    ]

    assert faults == [["E_DEPTH"], []]


FORMS = {"yaml": app(3), "json": written("json", 3), "toml": written("toml", 3)}
FORMS["json in one line"] = json.dumps(json.loads(FORMS["json"]), ensure_ascii=False)


@pytest.mark.parametrize("case", FORMS)
def test_a_place_in_a_module_is_read_from_its_own_text(case: str) -> None:
    """Lines and columns are those of the whole, before and after an edit."""
    text, name = FORMS[case], f"a.{case.partition(' ')[0]}"
    unit = build(name, text.encode(), name, LIMITS)
    edited = text.replace("m0", "w0")
    short = rebuild(unit, edited.encode(), name)
    assert short is not None
    full: Any = build(name, edited.encode(), name, LIMITS)
    full.layout = None
    for module in full.document.modules:
        for path in ((), ("name",), ("config",), ("config", "rate"), ("config", "no")):
            whole = ("modules", module, *path)

            assert short.place(whole) == full.place(whole)
            assert short.exact(whole, least=5) == full.exact(whole, least=5)
    assert short._spots is None
    assert short.place(("a",)) == full.place(("a",))


def sampled(given: Any, whole: Any, reads: int) -> Any:
    """Note reads, one of which is repeated at once; wait for what comes of it."""
    sampler, repeated = Sampler(later=0), threading.Event()

    def full() -> Any:
        repeated.set()
        return whole

    for _ in range(reads):
        sampler.note("a.yaml", 100, given, full)
    for thread in threading.enumerate():
        if thread.name == "midflight-sample":
            thread.join(10)
    return sampler, repeated.is_set()


def documents(*texts: str) -> list[Any]:
    """Return what texts give."""
    units = [build("a.yaml", text.encode(), "a.yaml", LIMITS) for text in texts]
    return [unit.document for unit in units]


def test_now_and_then_a_read_is_repeated_in_full(monkeypatch: Any) -> None:
    """One of so many is, `0` means none, and what agrees changes nothing."""
    one, other = documents(PLAIN, PLAIN)

    for share, reads, expected in (
        ("3", 3, True),
        ("3", 2, False),
        ("0", 9, False),
        ("", 999, False),
        ("", 1_000, True),
    ):
        monkeypatch.setenv("MIDFLIGHT_FULL_PARSE", share)
        sampler, repeated = sampled(one, other, reads)
        assert repeated is expected
        assert not sampler.failed


def test_where_no_thread_is_to_be_had_a_read_is_not_repeated(monkeypatch: Any) -> None:
    """The check is an extra: what was read is given all the same."""

    def refuse(thread: threading.Thread) -> None:
        msg = f"can't start new thread {thread.name}"
        raise RuntimeError(msg)

    monkeypatch.setenv("MIDFLIGHT_FULL_PARSE", "2")
    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(_unit, "_sampler", Sampler())
    shorts = [both(app(3), app(3, m1=7))[0] for _ in range(2)]

    assert None not in shorts


@pytest.mark.parametrize(
    "whole",
    [
        PLAIN.replace("rate: 1", "rate: 1.0"),
        app(4),
        "modules: [{name: m1, type: t}]",
        "".join([HEAD, *(ITEM.format(f"m{at}", at) for at in (0, 2, 1)), TAIL]),
    ],
)
def test_a_read_that_was_wrong_ends_the_shortcut(
    monkeypatch: Any, caplog: Any, whole: str
) -> None:
    """A difference is told without a value, and every read is a full one then."""
    given, full = documents(PLAIN, whole)
    sampler, _ = sampled(given, full, 1_000)

    assert sampler.failed
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith("a.yaml: its changed modules were read")
    monkeypatch.setattr(_unit, "_sampler", sampler)
    assert both(app(3), app(3, m1=7))[0] is None


def test_a_read_by_the_shortcut_is_noted(monkeypatch: Any) -> None:
    """What is repeated is the very read, of its own bytes."""
    noted: list[Any] = []

    class Notes(Sampler):
        def note(self, name: str, size: int, given: Any, full: Any) -> None:
            noted.append((name, size, given, full()))

    monkeypatch.setattr(_unit, "_sampler", Notes())
    short, full = both(app(3), app(3, m1=7))

    [(name, size, given, whole)] = noted
    assert (name, size) == ("a.yaml", len(app(3)))
    assert given is short.document
    assert whole == full.document
