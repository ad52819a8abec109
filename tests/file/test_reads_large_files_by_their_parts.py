"""A large file is read by the shortcut too, wherever an edit of it stands."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from midflight_plugins.file import _ends
from midflight_plugins.file._ends import common_prefix, common_suffix
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._unit import Unit, build, rebuild

pytestmark = pytest.mark.usefixtures("shortcut")

BLOCK = _ends._BLOCK
FORMS = ("yaml", "json", "toml")
SAME, LONGER, SHORTER = "a different one", "one that is longer", "one shorter"


def app(form: str, count: int, size: int, changed: int = -1, kind: str = "") -> bytes:
    """Write so many modules, each with a text of so many bytes.

    Args:
        form: the format.
        count: how many modules.
        size: bytes of each text.
        changed: which module has another text.
        kind: how that text differs.
    """
    other = {SAME: "b" * size, LONGER: "b" * (size + 9), SHORTER: "b", "": ""}[kind]
    texts = [other if at == changed else "a" * size for at in range(count)]
    if form == "json":
        entries = (
            {"name": f"m{at}", "type": "t", "config": {"x": text}}
            for at, text in enumerate(texts)
        )
        return json.dumps({"modules": [*entries], "z": 1}, indent=1).encode()
    wording, tail = {
        "yaml": ("  - name: m{0}\n    type: t\n    config:\n      x: {1}\n", "z: 1\n"),
        "toml": ('[[modules]]\nname = "m{0}"\ntype = "t"\nconfig.x = "{1}"\n', ""),
    }[form]
    head = "modules:\n" if form == "yaml" else ""
    return (
        head + "".join(wording.format(*each) for each in enumerate(texts)) + tail
    ).encode()


def read(old: Unit, data: bytes) -> Unit:
    """Read an edit by the shortcut, which has to be taken."""
    short = rebuild(old, data, old.name)
    assert short is not None
    return short


def of(form: str, data: bytes) -> Any:
    """Read a text in full."""
    unit = build(f"a.{form}", data, f"a.{form}", Limits())
    assert not unit.faults
    return unit


def near(*borders: int) -> Iterator[int]:
    """Yield each place beside some borders."""
    for border in borders:
        yield from range(max(border - 3, 0), border + 4)


@pytest.mark.parametrize("length", [*near(0, BLOCK, 2 * BLOCK, 3 * BLOCK), BLOCK // 2])
def test_a_difference_is_found_at_every_place_beside_a_border(length: int) -> None:
    """Of texts of some blocks: what is alike at the ends is counted to the byte."""
    one = random.Random(length).randbytes(length).replace(b"!", b"?")
    borders = (0, BLOCK, 2 * BLOCK, length - 2 * BLOCK, length - BLOCK, length)
    for at in {each for each in near(*borders) if each < length}:
        other = one[:at] + b"!" + one[at + 1 :]

        assert common_prefix(one, other) == at
        assert common_suffix(one, other, at) == length - at - 1
        longer = one[:at] + b"!!!" + one[at:]
        assert common_prefix(one, longer) == at
        assert common_prefix(longer, one) == at
        assert common_suffix(one, longer, at) == length - at
    assert common_prefix(one, one + b"!") == length
    assert common_suffix(one, one, length) == 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [SAME, LONGER, SHORTER])
def test_an_edit_in_a_file_of_several_blocks_is_read_by_itself(
    form: str, kind: str
) -> None:
    """In each part of a file of more than two blocks, the shortcut gives the whole."""
    count = 800
    old = of(form, app(form, count, 150))
    assert len(old.data) > 2 * BLOCK
    for changed in (0, 1, 250, 299, count // 2, 550, count - 2, count - 1):
        data = app(form, count, 150, changed, kind)
        short = read(old, data)

        assert short.document is not None
        modules = short.document.modules
        differing = {n for n, m in modules.items() if m is not old.document.modules[n]}
        assert differing == {f"m{changed}"}
    full = of(form, data)
    assert short.document == full.document
    assert short.layout == full.layout


@pytest.mark.parametrize("form", FORMS)
def test_an_edit_of_the_same_length_is_seen_at_every_place(
    form: str, monkeypatch: Any
) -> None:
    """Each byte of each text is changed, with borders of blocks all over the file."""
    monkeypatch.setattr(_ends, "_BLOCK", 256)
    old = of(form, app(form, 40, 20))
    places = [
        at for at, byte in enumerate(old.data) if old.data[at - 1 : at + 2] == b"aaa"
    ]
    assert len(places) > 40 * 15
    for at in places:
        short = read(old, old.data[:at] + b"b" + old.data[at + 1 :])

        assert short.document is not None
        pairs = zip(
            short.document.modules.values(), old.document.modules.values(), strict=True
        )
        [now] = [new for new, before in pairs if new is not before]
        assert "b" in now.config["x"]
        text = now.config["x"]
        assert len(text) == 20
        assert text.replace("b", "a") == "a" * 20


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("count", "changed", "expected"),
    [(100, 64, True), (100, 65, False), (400, 100, True), (400, 101, False)],
)
def test_more_than_a_quarter_of_many_entries_is_read_in_full(
    form: str, count: int, changed: int, expected: bool
) -> None:
    """64 entries may always be read one by one, and of a longer list a quarter."""
    before = app(form, count, 4)
    old = of(form, before)
    data = before.replace(b"aaaa", b"bbbb", changed)

    assert (rebuild(old, data, old.name) is not None) is expected


def test_a_file_of_three_thousand_modules_follows_edit_after_edit() -> None:
    """Each edit goes on from the one before; the last is what a full parse gives."""
    unit = of("yaml", app("yaml", 3_000, 60))
    data = unit.data
    for row in (1200, 2999, 0, 1201, 700, 310):
        old, new = (f"m{row}\n    type: {kind}\n".encode() for kind in "tu")
        data = data.replace(old, new)
        unit = read(unit, data)
    full = of("yaml", data)

    assert len(data) > 4 * BLOCK
    assert unit.document == full.document
    assert unit.layout == full.layout
