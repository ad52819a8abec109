from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from midflight_plugins.file import FileSource
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._unit import build, rebuild

LIMITS = Limits()
HEAD = "a: 1\nmodules:\n"
ITEM = "  - name: {0}\n    type: t\n    config:\n      rate: {1}\n"
TAIL = "triggers:\n  x: 1\n"


def app(count: int, **rates: object) -> str:
    """Write a configuration of so many modules."""
    items = (ITEM.format(f"m{at}", rates.get(f"m{at}", at)) for at in range(count))
    return HEAD + "".join(items) + TAIL


def both(before: str, after: str) -> tuple[Any, Any]:
    """Return what the shortcut makes of a change, and what a full parse does."""
    old = build("a.yaml", before.encode(), "a.yaml", LIMITS)
    short = rebuild(old, after.encode(), "a.yaml")
    return short, build("a.yaml", after.encode(), "a.yaml", LIMITS)


def agree(short: Any, full: Any) -> None:
    """Compare what the shortcut gave with the full parse."""
    if short is None:
        return
    assert not full.faults
    assert short.document.digest == full.document.digest
    assert list(short.document.modules) == list(full.document.modules)
    assert short.imports == full.imports
    if full.layout is not None:
        assert short.layout.starts == full.layout.starts
        assert short.layout.end == full.layout.end


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (app(3), app(3, m1=7)),
        (app(3), app(3, m0=7)),
        (app(3), app(3, m2=7)),
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


@pytest.mark.parametrize(
    "after",
    [
        app(3).replace("a: 1", "a: 2"),
        app(3).replace("x: 1", "x: 2"),
        app(3).replace("rate: 1", "rate: &r 1"),
        app(3).replace("rate: 1", "rate: NO"),
        app(3).replace("rate: 1", 'rate: "1'),
        app(3).replace("rate: 1", "rate: [1"),
        app(3).replace("rate: 1", "rate: !x 1"),
        app(3).replace("rate: 1", "rate: 1\n---"),
        app(3).replace("rate: 1", "rate:\t1"),
        app(3).replace("rate: 1", "rate: 1\r"),
        app(3).replace("name: m1", "name: m2"),
        app(3).replace("  - name: m1", " - name: m1"),
        app(3).replace("  - name: m1", "- name: m1"),
        app(3).replace("rate: 2\n", "rate: 2"),
        app(3).replace("  - name: m1", "  -\n    name: m1"),
        app(3).replace("  - name: m1", "b: 1\n  - name: m1"),
        HEAD + TAIL,
    ],
)
def test_what_could_mean_something_else_is_read_in_full(after: str) -> None:
    """Edits outside of entries, faults and doubtful texts take the full parse."""
    short, _ = both(app(3), after)

    assert short is None


def test_a_quoted_text_that_runs_into_the_next_key_is_not_cut() -> None:
    """The cut is where the parser saw the next key, not where it looks like one."""
    before = 'modules:\n  - name: a\n    type: "x\nfoo: y"\nb: 1\n'
    short, _ = both(before, before.replace('"x', "x"))

    assert short is None


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
