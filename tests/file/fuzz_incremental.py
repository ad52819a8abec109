"""Edits made-up documents, and compares what the shortcut reads with a full parse.

No test by itself, since it takes long: `python tests/file/fuzz_incremental.py`; the
tests compare some thousands of documents.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import random
import runpy
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import Any

import attrs

from midflight_plugins.file._limits import Limits
from midflight_plugins.file._unit import Unit, build, rebuild

LIMITS = Limits(max_depth=12)
FORMS = ("yaml", "json", "toml")
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


def compare(old: Unit, data: bytes, found: Found, seed: str, *, look: bool) -> Unit:
    """Read a change in both ways; return what a source would go on with."""
    form = old.name.rpartition(".")[2]
    full = build(old.name, data, old.name, LIMITS)
    short = rebuild(old, data, old.name)
    found.counts[form] += 1
    found.counts["good"] += not full.faults
    if short is None:
        return old if full.faults or full.document is None else full
    found.counts[f"{form} short"] += 1
    wrong = ""
    if full.faults or full.document is None:
        wrong = f"faults were missed: {full.faults[:1]}"
    elif said(short) != said(full):
        wrong = f"another document: {said(short)} for {said(full)}"
    elif full.layout is not None and short.layout != full.layout:
        wrong = f"another layout: {short.layout} for {full.layout}"
    elif look and places(short) != places(attrs.evolve(full, layout=None)):
        wrong = "other places"
    if wrong:
        found.wrong.append(f"{seed}: {wrong}\n{smallest(old, data)}")
    found.counts["uncut"] += full.layout is None
    return short


def differs(old: Unit, data: bytes) -> bool:
    """Tell whether the two ways disagree."""
    short = rebuild(old, data, old.name)
    if short is None:
        return False
    full = build(old.name, data, old.name, LIMITS)
    if full.faults or full.document is None:
        return True
    if said(short) != said(full):
        return True
    return places(short) != places(attrs.evolve(full, layout=None))


def smallest(old: Unit, data: bytes) -> str:
    """Take lines away from both texts as long as they are still read differently."""
    before, after = old.data.split(b"\n"), data.split(b"\n")
    for at in itertools.chain(reversed(range(len(before))), range(len(before))):
        gone = before[at : at + 1]
        if not gone or gone[0] not in after:
            continue
        less, other = before[:at] + before[at + 1 :], list(after)
        other.remove(gone[0])
        unit = build(old.name, b"\n".join(less), old.name, LIMITS)
        if not unit.faults and differs(unit, b"\n".join(other)):
            before, after = less, other
    return "\n".join(repr(b"\n".join(each)) for each in (before, after))


def chain(seed: str, form: str, found: Found) -> None:
    """Make one document and edit it some times."""
    rng = random.Random(seed)
    maker = MADE["MAKERS"][form](rng)
    names = [f"m{at}" for at in rng.sample(range(10), rng.randint(1, 5))]
    text = maker.text(names, odd=rng.random() < 0.6)
    text = f"\ufeff{text}" if rng.random() < 0.03 else text
    unit = build(f"a.{form}", text.encode("utf-8", "replace"), "a", LIMITS)
    if unit.faults or unit.document is None:
        text = maker.text(names, odd=False)
        unit = build(f"a.{form}", text.encode(), "a", LIMITS)
    for _ in range(rng.randint(3, 9)):
        now = MADE["edited"](maker, text)
        data = now.encode("utf-8", "replace")
        good = compare(unit, data, found, seed, look=rng.random() < 0.1)
        # After a fault an author goes on from it, or back to what was good.
        if good is not unit or rng.random() < 0.1:
            text, unit = now, good


def placed(text: str) -> list[str]:
    """Put a foreign text at each place of a document: head, tail, value, module."""
    inner = textwrap.indent(text, "      ")
    return [
        f"{text}\n{modules_of()}",
        f"{modules_of()}\n{text}",
        modules_of(f"\n{inner}\n"),
        modules_of("1", f"{textwrap.indent(text, '  ')}\n"),
    ]


def modules_of(value: str = "1", more: str = "") -> str:
    """Return three modules; the one in the middle has the value, and more after it."""
    ends = [f"  - name: {name}\n    type: t\n" for name in "abc"]
    ends[1] += f"    config:\n      x: {value}\n{more}"
    return "modules:\n" + "".join(ends)


def read_all(folder: Path, found: Found) -> None:
    """Read each text of a folder as a part of documents, whole and without a line."""
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        text = file.read_bytes().decode(errors="replace")
        for now in placed(text):
            before = build("a.yaml", modules_of().encode(), "a", LIMITS)
            unit = compare(before, now.encode(), found, str(file), look=True)
            lines = now.splitlines(keepends=True)
            for at in range(len(lines))[:: 1 + len(lines) // 20]:
                edit = "".join([*lines[:at], *lines[at + 1 :]])
                compare(unit, edit.encode(), found, f"{file}:{at}", look=at % 5 == 0)
            other = now.replace("- name: a\n", "- name: a\n    y: 2\n", 1)
            compare(unit, other.encode(), found, f"{file}:other", look=True)


def run(documents: int, seed: int, forms: tuple[str, ...] = FORMS) -> Found:
    """Compare so many documents, and return what was found."""
    found = Found()
    for number in itertools.count():
        form = forms[number % len(forms)]
        chain(f"{seed}/{number}/{form}", form, found)
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
    parser.add_argument("--corpus", type=Path, help="a folder of YAML, read first")
    given = parser.parse_args()
    of_corpus = Found()
    if given.corpus:
        read_all(given.corpus, of_corpus)
        print(f"{of_corpus.counts['yaml']:,} of the corpus")
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
        f"{counts['good'] / total:.0%} without fault; {counts['uncut']:,} later uncut"
    )
    print(f"{len(wrong)} differences")
    for each in wrong[:5]:
        print("WRONG", each)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
