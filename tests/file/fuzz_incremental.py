"""Edits made-up documents, and compares what the shortcut reads with a full parse.

No test by itself, since it takes long: `python tests/file/fuzz_incremental.py`; the
tests compare some thousands of documents.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import random
import re
import runpy
import sys
import textwrap
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

from midflight_plugins.file import _ends, _incremental
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._packed import pack, unpack
from midflight_plugins.file._unit import Unit, build, rebuild

LIMITS = Limits(max_depth=12)
FORMS = ("yaml", "json", "toml")
SUFFIXES = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}
MANY = 0.004  # of all chains have up to 2,000 modules: each edit takes tenths of a s
LARGE = 65_536  # bytes: more than one block of the comparison
PATIENCE = 10.0  # s to make a text smaller that is read wrong
SHOWN = 4_000  # bytes of such a text; its seed gives the rest
MADE = runpy.run_path(str(Path(__file__).with_name("made_texts.py")))


def said(unit: Unit) -> tuple[Any, ...]:
    """Return all that a unit says; types and order count."""
    document = unit.document
    assert document is not None
    return (
        repr([*document.modules.items()]),
        repr([*document.sections.items()]),
        unit.imports,
        unit.workflows,
        unit.faults,
        unit.text,
    )


def places(unit: Unit) -> list[Any]:
    """Return the place of every module, of every key in it, and of some below."""
    document = unit.document
    assert document is not None
    paths: list[tuple[str | int, ...]] = []
    for name, module in document.modules.items():
        paths += [("modules", name), ("modules", name, "config", "missing")]
        for key in module.as_mapping():
            paths.append(("modules", name, key))
        for key, value in module.config.items():
            paths.append(("modules", name, "config", key))
            if isinstance(value, dict | tuple):
                inner = value if isinstance(value, dict) else range(len(value))
                paths += [("modules", name, "config", key, each) for each in inner]
    # Last, since for these the whole text is read, and then for all.
    paths += [*((name,) for name in document.sections), ()]
    return [(path, str(unit.place(path))) for path in paths]


@attrs.define
class Found:
    """What was seen so far."""

    counts: Counter[str] = attrs.field(factory=Counter)
    wrong: list[str] = attrs.field(factory=list)


@contextlib.contextmanager
def small_sizes(rng: random.Random) -> Iterator[None]:
    """Draw the sizes that decide between two ways: so each is gone by small texts."""
    block, many = _ends._BLOCK, _incremental._MANY
    if rng.random() < 0.5:
        _ends._BLOCK = rng.choice((8, 16, 64, 256, 1024))
    if rng.random() < 0.1:
        _incremental._MANY = rng.choice((1, 2, 3))
    try:
        yield
    finally:
        _ends._BLOCK, _incremental._MANY = block, many


def difference(
    full: Unit, old: Unit, data: bytes, *, look: bool
) -> tuple[Unit | None, str]:
    """Read a change by the shortcut; tell in what it is not as the full parse."""
    try:
        short = rebuild(old, data, old.name)
        if short is None:
            return None, ""
        if full.faults or full.document is None:
            return short, f"faults were missed: {full.faults[:1]}"
        if said(short) != said(full):
            return short, f"another document: {said(short)} for {said(full)}"[:SHOWN]
        if full.layout is not None and short.layout != full.layout:
            return short, f"another layout: {short.layout} for {full.layout}"[:SHOWN]
        if look and places(short) != places(attrs.evolve(full, layout=None)):
            return short, "other places"
    except Exception:  # noqa: BLE001  # any is a difference
        return None, f"an exception: {traceback.format_exc()}"
    return short, ""


def compare(old: Unit, data: bytes, found: Found, seed: str, *, look: bool) -> Unit:
    """Read a change in both ways; return what a source would go on with."""
    form = old.name.rpartition(".")[2]
    full = build(old.name, data, old.name, LIMITS)
    short, wrong = difference(full, old, data, look=look)
    found.counts[form] += 1
    found.counts["good"] += not full.faults
    if wrong:
        found.wrong.append(f"{seed}: {wrong}\n{smallest(old, data)}")
    if short is None or wrong:
        return old if full.faults or full.document is None else full
    found.counts[f"{form} short"] += 1
    found.counts["large"] += len(data) > LARGE
    found.counts["uncut"] += full.layout is None
    return short


def smallest(old: Unit, data: bytes) -> str:
    """Take lines away from both texts as long as they are still read differently."""
    before, after = old.data.split(b"\n"), data.split(b"\n")
    size, end = max(len(before) // 2, 1), time.monotonic() + PATIENCE
    while size:
        for at in reversed(range(0, len(before), size)):
            gone = before[at : at + size]
            there = next(
                (n for n in range(len(after)) if after[n : n + size] == gone), None
            )
            if not gone or there is None or time.monotonic() > end:
                continue
            less = before[:at] + before[at + size :]
            other = b"\n".join(after[:there] + after[there + size :])
            unit = build(old.name, b"\n".join(less), old.name, LIMITS)
            full = build(old.name, other, old.name, LIMITS)
            if not unit.faults and difference(full, unit, other, look=True)[1]:
                before, after = less, other.split(b"\n")
        size //= 2
    return "\n".join(repr(b"\n".join(each)[:SHOWN]) for each in (before, after))


def carried(unit: Unit, found: Found, seed: str) -> Unit:
    """Return what a process that starts from the cache would go on with."""
    again = unpack(pack(unit), unit.name, LIMITS, "")
    if said(again) != said(unit) or again.layout != unit.layout:
        found.wrong.append(f"{seed}: the cache gives another: {unit.data[:SHOWN]!r}")
    found.counts["from the cache"] += 1
    return again


def chain(seed: str, form: str, found: Found) -> None:
    """Make one document and edit it some times."""
    rng = random.Random(seed)
    with small_sizes(rng):
        _chain(rng, seed, form, found)


def _chain(rng: random.Random, seed: str, form: str, found: Found) -> None:
    maker = MADE["MAKERS"][form](rng)
    names = [f"m{at}" for at in rng.sample(range(10), rng.randint(1, 5))]
    if rng.random() < MANY:
        names = [f"m{at}" for at in range(int(70 * 28 ** rng.random() ** 2))]
    text = maker.text(names, odd=rng.random() < 0.6)
    text = f"\ufeff{text}" if rng.random() < 0.03 else text
    unit = build(f"a.{form}", text.encode("utf-8", "replace"), "a", LIMITS)
    if unit.faults or unit.document is None:
        text = maker.text(names, odd=False)
        unit = build(f"a.{form}", text.encode(), "a", LIMITS)
    for _ in range(rng.randint(3, 9)):
        if rng.random() < 0.1:
            unit = carried(unit, found, seed)
        now = MADE["edited"](maker, text)
        data = now.encode("utf-8", "replace")
        good = compare(unit, data, found, seed, look=rng.random() < 0.1)
        # After a fault an author goes on from it, or back to what was good.
        if good is not unit or rng.random() < 0.1:
            text, unit = now, good


def placed(text: str, form: str) -> list[str]:
    """Put a foreign text at each place of a document: head, tail, value, module."""
    whole = modules_of(form)
    if form == "json":
        entry, list_ = '"name": "b"', whole[1:-1]
        values = [whole.replace(entry, f'{entry}, "x": {text}')]
        return [f'{{"a": {text}, {list_}}}', f'{{{list_}, "z": {text}}}', *values]
    ends = [f"{text}\n{whole}", f"{whole}\n{text}"]
    if form == "toml":
        return [*ends, whole.replace('name = "b"\n', f'name = "b"\n{text}\n')]
    head, mark, tail = whole.partition("  - name: c\n")
    value = textwrap.indent(text, "      ")
    module = f"{textwrap.indent(text, '  ')}\n"
    put = (f"    config:\n      x: \n{value}\n", f"    config:\n      x: 1\n{module}")
    return [*ends, *(f"{head}{each}{mark}{tail}" for each in put)]


def modules_of(form: str) -> str:
    """Return three modules."""
    if form == "json":
        items = ", ".join(f'{{"name": "{name}", "type": "t"}}' for name in "abc")
        return f'{{"modules": [{items}]}}'
    if form == "toml":
        return "".join(f'[[modules]]\nname = "{n}"\ntype = "t"\n' for n in "abc")
    return "modules:\n" + "".join(f"  - name: {n}\n    type: t\n" for n in "abc")


def texts_of(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield name, format and text of each document below a folder.

    These are files by their suffix, and the blocks of pages in Markdown.
    """
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        if file.suffix in SUFFIXES:
            text = file.read_bytes().decode(errors="replace")
            yield str(file), SUFFIXES[file.suffix], text
        elif file.suffix == ".md":
            text = file.read_bytes().decode(errors="replace")
            blocks = re.finditer(
                r"^```(yaml|json|toml)\b.*\n((?s:.*?))^```", text, re.MULTILINE
            )
            for at, block in enumerate(blocks):
                yield f"{file}#{at}", block[1], block[2]


def read_all(
    texts: Iterable[tuple[str, str, str]], found: Found, lines: int = 20
) -> None:
    """Read each text as a document and in others; edit so many lines of all."""
    for name, form, text in texts:
        for now in (text, *placed(text, form)):
            before = build(f"a.{form}", modules_of(form).encode(), "a", LIMITS)
            unit = compare(before, now.encode(), found, name, look=True)
            for at, edit in enumerate(edits(now, lines)):
                compare(unit, edit.encode(), found, f"{name}:{at}", look=at % 5 == 0)


def edits(text: str, most: int) -> Iterator[str]:
    """Yield a text without a line, and with other digits in one; and with a new key."""
    lines = text.splitlines(keepends=True)
    for at, line in list(enumerate(lines))[:: 1 + len(lines) // most]:
        yield "".join([*lines[:at], *lines[at + 1 :]])
        if (other := re.sub("[0-9]", "7", line)) != line:
            yield "".join([*lines[:at], other, *lines[at + 1 :]])
    yield text.replace("- name: a\n", "- name: a\n    y: 2\n", 1)
    yield text.replace('"name": "a"', '"name": "a", "y": 2', 1)
    yield text.replace('name = "a"\n', 'name = "a"\ny = 2\n', 1)


def run(documents: int, seed: int, forms: tuple[str, ...] = FORMS) -> Found:
    """Compare so many documents, and return what was found."""
    found = Found()
    for number in itertools.count():
        form = forms[number % len(forms)]
        name = f"{seed}/{number}/{form}"
        try:
            chain(name, form, found)
        except Exception:  # noqa: BLE001  # no seed may be lost
            found.counts[form] += 1
            found.wrong.append(f"{name}: an exception: {traceback.format_exc()}")
        if sum(found.counts[each] for each in forms) >= documents:
            return found
    return found


def main() -> bool:
    """Run as many as asked for; tell whether there was a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=FORMS)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="a folder of documents, read first")
    given = parser.parse_args()
    of_corpus = Found()
    if given.corpus:
        texts = [*texts_of(given.corpus)]
        if not texts:
            parser.error(f"{given.corpus} holds no document")
        read_all(texts, of_corpus)
        read = sum(of_corpus.counts[form] for form in FORMS)
        print(f"{read:,} made of {len(texts):,} documents of the corpus")
    forms = (given.format,) if given.format else FORMS
    began, share = time.perf_counter(), -(-given.documents // given.processes)
    jobs = [
        (share, given.seed * 1_000 + number, forms) for number in range(given.processes)
    ]
    with multiprocessing.Pool(given.processes) as pool:
        results = pool.starmap(run, jobs)
    results.append(of_corpus)
    counts = sum((each.counts for each in results), Counter[str]())
    wrong = [each for result in results for each in result.wrong]
    total, took = sum(counts[form] for form in forms), time.perf_counter() - began
    print(f"{total:,} documents in {took:.0f} s: {total / took:.0f} per second")
    for form in forms:
        share = counts[f"{form} short"] / max(counts[form], 1)
        print(f"{form}: {counts[form]:,}, {share:.0%} by the shortcut")
    print(
        f"{counts['good'] / total:.0%} without fault; {counts['uncut']:,} later uncut;"
        f" {counts['large']:,} of more than 64 KiB by the shortcut;"
        f" {counts['from the cache']:,} from the cache"
    )
    print(f"{len(wrong)} differences")
    for each in wrong[:5]:
        print("WRONG", each)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
