"""Reads made-up documents with the C parser and with the pure one, and compares.

No test by itself, since it takes long: `python tests/file/fuzz_c_parser.py`; the tests
read some thousands of documents. It needs the extra `fast`.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import runpy
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml.error import MarkedYAMLError

from midflight_plugins.file import _events, _yaml
from midflight_plugins.file._builder import Builder
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._text import Parsed, decode

LIMITS = Limits(max_depth=12)
WORDS = [
    *("a", "b", "name", "rate", "x1", "_", "a-b", "a.b", "a/b", "é", "名", "😀", "a b"),
    *("1", "0", "-1", "1.5", "~", "null", "true", "1.5h", "a, b", "/p?q=1&b=2"),
    *("h:80", "http://h:80/p?q=1", "a?b", "::1", "*/5", "a\ue000b", "12:30:45Z"),
]
ODD_WORDS = [
    *("on", "1.0", "010", "0x1F", "1e3", "NO", "2001-01-01", "12:30", "1:2", "<<", "="),
    *(".5", "-.inf", "+1", "..", "--", "-a", "http://h:80/p?q=1#f", "::1", ":a", "a:b"),
    *("a:", "?a", "a?b", "a?", "?", "-", "a #b", "a#b", "a  b", "a,b", "a]b", "{a}"),
    *("a}", "[a", "*/5 * *", "a'b", 'a"b', "it's", "%a", "a%b", "@a", "`a", "!a", "&a"),
    *("*a", "|", ">a", "\\n", "a\u00a0b", "a\u2028b", "\ufeffa", "a\x85b", "a\tb"),
    *("a\t", "x" * 130, "\U0010ffff", "a: b", "a : b", "a ? b", "...", "---", "- a"),
]
SINGLE = [
    *("", "a", "a b", "it''s", " a ", "a: b", "# a", "a\n  b", "a\n\n  b\n ", "é"),
    *("a\tb", "a\n--- b"),
]
DOUBLE = [
    *("", "a", "a b", "\\n", "\\t\\\\", "\\x41", "\\u00e9", "\\U0001F600", "\\ud83d"),
    *("a\n  b", "a \\\n  b", "a\n\n  b", "\\/", '\\"', "\\e", "\\q", "\\N\\_\\L"),
    *("a: b", "# a", "\\ ", "a\\\tb", "%a", "a\n--- b", "a\n...\nb", "名", " a "),
    *("\\ue000", "\\U0000E001", "h:80", "\ue000"),
]
HEADS = ["|", ">", "|-", ">-", "|+", ">+"]
ODD_HEADS = [*HEADS, "|2", ">1-", "|-3", "| # c", "|  ", "|0", "|a", "|#"]
INSERTED = [
    *" \n\n:-?,[]{}#&*!|>'\"%@`\\~\t\r<=.0aé",
    *(
        "\r\n",
        "\x85",
        "\u2028",
        "\ufeff",
        "\x00",
        "\x7f",
        "\u00a0",
        "  ",
        "\n ",
        "\n  ",
    ),
    *("- ", ": ", ":\n", " #", "\n#", "\n---\n", "\n...\n", "--- ", "? ", "&a ", "*a"),
    *("<<: *a", "\n%YAML 1.1\n", "|\n", ">-\n", '"', "''", "!!str ", "\n\n", "\n\t"),
]


class Maker:
    """Writes a document.

    Args:
        dice: decides.
        odd: how often a piece is out of the ordinary, from 0 to 1.
    """

    def __init__(self, dice: random.Random, odd: float) -> None:
        self.dice, self.odd = dice, odd
        self._keys = 0
        self._anchors: list[str] = []

    def document(self) -> str:
        """Write it whole."""
        dice = self.dice
        text = self._in_block(0, 0) if dice.random() < 0.93 else self._scalar(0) + "\n"
        if dice.random() < 0.25:
            text = (
                dice.choice(["# c\n", "\n", "---\n", "# c\n---\n", "--- # c\n"]) + text
            )
        if self._is_odd():
            starts = [
                "\ufeff",
                "%YAML 1.2\n---\n",
                "%TAG ! !a\n--- ",
                "--- ",
                " ",
                "...\n",
            ]
            text = dice.choice(starts) + text
        if self._is_odd():
            ends = ["...\n", "---\n", "\n\n", "# c", "--- a", "  \n", " # c\n", "\t\n"]
            text += dice.choice(ends)
        if dice.random() < 0.05:
            text = text.rstrip("\n")
        if dice.random() < 0.03:
            text = text.replace("\n", "\r\n")
        return text

    def _is_odd(self) -> bool:
        return self.dice.random() < self.odd

    def _plain(self) -> str:
        return self.dice.choice(ODD_WORDS if self._is_odd() else WORDS)

    def _scalar(self, indent: int) -> str:
        dice = self.dice
        way = dice.random()
        if way < 0.6:
            return self._plain()
        if way < 0.7:
            return f"'{dice.choice(SINGLE)}'"
        if way < 0.83:
            return f'"{dice.choice(DOUBLE)}"'
        if way < 0.88:
            return ""
        if way < 0.92:
            gap = "\n" * dice.choice([1, 1, 2, 3]) + " " * dice.choice([indent + 1, 4])
            return gap.join(self._plain() for _ in range(dice.choice([2, 3])))
        return self._literal(indent)

    def _literal(self, indent: int) -> str:
        dice = self.dice
        head = dice.choice(ODD_HEADS if self._is_odd() else HEADS)
        inner = indent + dice.choice([1, 2, 2, 4])
        lines = []
        for _ in range(dice.choice([0, 1, 1, 2, 3, 5])):
            deep = inner + dice.choice([0, 0, 0, 2])
            lines.append(dice.choice(["", " " * deep + self._plain()]))
            if self._is_odd():
                lines.append(" " * dice.choice([0, 1, inner, inner + 1]))
            if self._is_odd():
                lines.append(" " * dice.choice([0, inner, inner - 1]) + "# c")
        return "\n".join([head, *lines])

    def _key(self) -> str:
        dice = self.dice
        self._keys += 1
        if self._is_odd():
            keys = [self._plain(), "'a b'", '"a"', "<<", "? a\n", "[a]", "*a ", "&a a"]
            return dice.choice(keys)
        return f"{dice.choice(WORDS[:12])}{self._keys}"

    def _before(self) -> str:
        """Write an anchor or a tag, or nothing."""
        if self.dice.random() < 0.9:
            return ""
        if self._is_odd():
            odd = [
                "!!str ",
                "!!int ",
                "! ",
                "!x ",
                "&a !!map ",
                "!!map &a ",
                "&é ",
                "&a:b ",
            ]
            return self.dice.choice(odd)
        return f"&{self.dice.choice(['a', 'b', 'a-1'])} "

    def _anchored(self, indent: int) -> str:
        """Write a scalar, with an anchor now and then, which aliases may name."""
        before = self._before()
        text = self._scalar(indent)
        if before.startswith("&"):
            self._anchors.append("*" + before.strip()[1:])
        return before + text

    def _alias(self) -> str:
        return self.dice.choice(["*a"] if self._is_odd() else self._anchors or ["a"])

    def _after(self) -> str:
        ends = [
            "",
            "",
            "",
            "",
            " ",
            " # c",
            "  # c: d",
            "\n",
            "\n# c",
            "\n  # c",
            "\n   ",
        ]
        return self.dice.choice(ends) + "\n"

    def _in_block(self, indent: int, depth: int) -> str:
        """Write a mapping or a list, each entry on lines of its own."""
        dice = self.dice
        sequence = dice.random() < 0.35
        parts = []
        for _ in range(dice.choice([1, 2, 2, 3])):
            space = " " * (
                indent
                + (dice.choice([-1, 1, 2]) if dice.random() < self.odd / 8 else 0)
            )
            parts.append(space + ("-" if sequence else self._key() + ":"))
            parts.append(self._value(indent, depth, sequence=sequence))
        return "".join(parts)

    def _value(self, indent: int, depth: int, *, sequence: bool) -> str:
        dice = self.dice
        way = dice.random() if depth < 3 else 0.9
        if way < 0.3:
            deeper = indent + dice.choice([1, 2, 2, 2, 4])
            inner = self._in_block(deeper, depth + 1)
            return (" " + self._before() if dice.random() < 0.3 else "") + "\n" + inner
        if way < 0.42 and sequence:
            deeper = indent + 2
            return " " + self._in_block(deeper, depth + 1).lstrip(" ")
        if way < 0.42:
            space = " " * indent
            entries = [f"{space}- {self._anchored(indent)}\n" for _ in range(2)]
            return "\n" + "".join(entries)
        if way < 0.6:
            return f" {self._before()}{self._flow(indent, 0)}" + self._after()
        if way < 0.64:
            return f" {self._alias()}" + self._after()
        return f" {self._anchored(indent)}" + self._after()

    def _flow(self, indent: int, depth: int) -> str:
        dice = self.dice
        if depth and dice.random() < 0.6:
            return self._in_flow()
        mapping = dice.random() < 0.5
        gap = dice.choice([", ", ", ", ",", ",\n" + " " * (indent + 2), " , "])
        parts = []
        for _ in range(dice.choice([0, 1, 2, 3])):
            colon = (
                dice.choice([": ", ": ", ": ", ":", " : ", ":\n  "])
                if self._is_odd()
                else ": "
            )
            key = self._key() + colon if mapping or dice.random() < 0.1 else ""
            parts.append(key + self._flow(indent, depth + 1))
        if self._is_odd():
            parts.append("")
        inner = gap.join(parts)
        if self._is_odd():
            inner = dice.choice(["\n", " ", "# c\n", " # c\n  "]) + inner
        return f"{{{inner}}}" if mapping else f"[{inner}]"

    def _in_flow(self) -> str:
        quoted = [
            f"'{self.dice.choice(SINGLE)}'",
            f'"{self.dice.choice(DOUBLE)}"',
            self._alias(),
        ]
        return self.dice.choice(quoted) if self.dice.random() < 0.3 else self._plain()


def mutated(dice: random.Random, text: str) -> str:
    """Change a text in one place or in a few."""
    for _ in range(dice.choice([1, 1, 2, 3])):
        text = _mutated_once(dice, text)
    return text


def _mutated_once(dice: random.Random, text: str) -> str:
    at = dice.randrange(len(text) + 1)
    end = min(len(text), at + dice.choice([1, 1, 2, 5, 20]))
    before, rest = text[:at], text[end:]
    lines = text.split("\n")
    row = dice.randrange(len(lines))
    above, line, below = lines[:row], lines[row], lines[row + 1 :]
    new = dice.choice(INSERTED)
    ways = [
        before + new + text[at:],
        before + new + text[at:],
        before + new + rest,
        before + rest,
        text[:end] + text[at:],
        before,
        "\n".join([*above, " " + line, *below]),
        "\n".join([*above, line[1:], *below]),
        "\n".join([*above, *below, line]),
        "\n".join([*above, line + new, *below]),
    ]
    return dice.choice(ways)


def made(dice: random.Random, seeds: list[str]) -> str:
    """Make a document: ordinary, odd or broken."""
    odd = dice.choice([0.0, 0.0, 0.02, 0.1, 0.4])
    own = not seeds or dice.random() < 0.8
    text = Maker(dice, odd).document() if own else dice.choice(seeds)
    return text if dice.random() < 0.4 else mutated(dice, text)


def seeds(corpus: Path | None = None) -> list[str]:
    """Return bad inputs and sample files, of this repository and a folder; small ones.

    Args:
        corpus: a folder of YAML, such as the YAML test suite.
    """
    root = Path(__file__).parents[2]
    rows = runpy.run_path(str(root / "tests/data/bad_inputs.py"))["ROWS"]
    texts = [data for row in rows for data in row.files.values()]
    for folder in ("tests/data", "examples"):
        texts += [file.read_bytes() for file in sorted((root / folder).rglob("*.y*ml"))]
    if corpus:
        texts += [file.read_bytes() for file in corpus.rglob("*") if file.is_file()]
    decoded = (decode(text, "", []) for text in texts if len(text) < 3_000)
    return [text for text in decoded if text is not None]


def told(parsed: Parsed) -> str:
    """Return all that a parse says, in order."""
    places = list(parsed.spots.items()), parsed.items, list(parsed.keys.items())
    return repr((parsed.value, parsed.faults, parsed.complete, parsed.plain, places))


def by_c(text: str) -> Parsed | None:
    """Read a text with the C parser; `None` if the other one is to be asked."""
    if not _events.clear(text):
        return None
    return _yaml._from_c(Builder("a.yaml", LIMITS, record=True), text)


def by_python(text: str) -> Parsed:
    """Read a text with ruamel.yaml's own parser, as we ask it."""
    builder = Builder("a.yaml", LIMITS, record=True)
    _yaml.run(builder, text, "a.yaml")
    return builder.parsed


def by_ruamel(text: str) -> str:
    """Return the events that ruamel.yaml finds by itself, and its complaint."""
    return _listed(_events.reader()(typ="safe", pure=True).parse(text))


def _listed(events: Iterator[Any]) -> str:
    """Write events down, with all that is looked at."""
    found = []
    try:
        for each in events:
            parts = [type(each).__name__, getattr(each, "version", None)]
            names = ("value", "style", "anchor", "ctag", "implicit", "flow_style")
            parts += [str(getattr(each, name, None)) for name in names]
            found.append((*parts, each.start_mark.line, each.start_mark.column))
    except MarkedYAMLError as exc:
        marks = [
            mark and (mark.index, mark.line, mark.column)
            for mark in (exc.context_mark, exc.problem_mark)
        ]
        found.append((exc.context, exc.problem, *marks))
    except Exception as exc:  # noqa: BLE001  # both must fail alike
        found.append((type(exc).__name__, str(exc)))
    return repr(found)


def look(text: str, seen: Counter[str], *, ours: bool = True) -> str:
    """Compare what is made of a text; return what is wrong, or nothing.

    Args:
        text: the document.
        seen: counts how it was read.
        ours: whether to compare our use of ruamel.yaml with its own, too.
    """
    quick = by_c(text)
    seen["read by the C parser" if quick else "left to the other"] += 1
    if quick and (one := told(quick)) != (other := told(by_python(text))):
        return f"the C parser, {text!r}: {one} and not {other}"
    if ours:
        seen["left to it, but sound"] += not (quick or by_python(text).faults)
        if _listed(_events.from_python(text)) != by_ruamel(text):
            return f"our use of ruamel.yaml, {text!r}"
    return ""


def fuzz(
    documents: int, seed: int, say: Callable[[str], None], corpus: Path | None = None
) -> list[str]:
    """Read each document of a corpus, then so many made ones; return what is wrong."""
    dice, pool, seen = random.Random(seed), seeds(corpus), Counter[str]()
    wrong = list(filter(None, (look(text, seen) for text in pool)))
    say(f"of {len(pool):,} samples: {dict(seen)}, wrong: {wrong}")
    for count in range(1, documents + 1):
        raw = made(dice, pool).encode(errors="replace")
        text = decode(raw, "", [])
        if text is None:
            continue
        if found := look(text, seen, ours=count % 10 == 0):
            wrong.append(found)
            say(f"WRONG {found}")
        if count % 5_000 == 0:
            say(f"{count:,}: {dict(seen)}, {len(wrong)} wrong")
    return wrong


def main() -> int:
    """Fuzz, and say what was found; 1 if that is anything."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--documents", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(2)))
    options.add_argument("--corpus", type=Path, help="a folder of YAML, read first")
    given = options.parse_args()
    if _events.c_parser() is None:
        raise SystemExit("it needs the extra `fast`")
    print(f"seed {given.seed}")
    say = functools.partial(print, flush=True)
    wrong = fuzz(given.documents, given.seed, say, given.corpus)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
