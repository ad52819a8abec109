"""Documents made up by chance, in three formats, and edits of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

KEYS = ("rate", "key", "a b", "n", "label", "é", "modules", "name", "limits")
WORDS = ("a", "b c", "é 名", "", "1", "true", "~", "it's", "# no", "- name: x", "x: y")

# In the manner of the YAML test suite: what may stand behind a key. `$` stands for the
# spaces of its level, BAR for a bar.
VALUES = """1|1.5|true|~|plain|"double"|'single'|"*/5 * * * *"|"a: b # c"|'it''s'|\
[1, two, [3]]|{a: 1, b: {c: 2}}|[]|{}|plain\n$  goes on|"double\n$  goes on"|\
'single\n\n$  goes on'|[1,\n$  2]|{a: 1,\n$  b: 2}|>-\n$  folded\n$\n$  text|\
BAR\n$  literal\n$    deeper|BAR+\n$  kept\n\n|BAR2-\n$    two|>\n$  # no comment\n|\
\n$  nested: 1\n$  more: x|\n$- a\n$- b|\n$  - a: 1\n$    b: 2\n$  - c|\
\n$  - - x\n$    - y|http://x/y#z|a:b|- 1|-1|a # comment|"a \\\n$  b"|"\\u00e9\\n"|\
# comment only\n$  x: 1||null|0x1F|1_000|NO|2001-01-01|? q|{a, b: }|[a: b]|"a" : b|\
!!str 1|&a 1|*a|!x y|<<|"far\n- name: z\nback"|[1,\n2]|'a\n  - name: z\n  '|>2\n\n$  x|\
BAR\n$ one\n$ - name: x|"\n# c\n$"|{\n$  a: "b\n$  c"}|? a\n$: b|{x: *a}|&b {y: 1}|\
[[[[[[[[]]]]]]]]|[[[[[[[[[]]]]]]]]]|[[[[[[[[[[]]]]]]]]]]\
""".split("|")  # noqa: SIM905  # it reads best so
LINES = """modules:|modules: # x|"modules":|modules: []|other:|x: 1|- name: n|\
  - name: n|    - name: n|  - n|  -|- |  - {name: d, type: t}|    type: u|\
  type: t|\
  config:|    config:|    k: 'it|    it'|    q: "a|b"|  c"|    f: [1,|  2]|]|\
    t: BAR|    t: >-|    t: BAR+|\
     deep|      deeper|  - like an item||   |# c|  # c|      # c|\
    a: &a 1|    b: *a|    <<: {z: 1}|---|...|%YAML 1.2|%TAG ! x|--- # d|... # e|\
    cron: "*/5 * * * *"|\t|    tab:\t1|    ? q|    : r|    k2: plain|      goes on|\
    name: e|      rate: 7|  - {name: e, type: u}|imports: []|    u: \u2028|    u: \x85|\
\ufeff|  - ? a|  - - a|  - !x|  - &a|    k: !!str 1|  - name: [n|  - "name": q|\
  -  name: far|  -   # c|? modules|: x|- - - x|    dependsOn: [m0]|{|}|    x: "|\
      ---|  ---|    k: "---"|      ...|- name: q # c|application: {name: a}|\
    type: t # t|\
- name: p\n  type: t|  - name: p\n    type: t|  - name: p\n    type: t\n  - name: q\
""".split("|")  # noqa: SIM905  # it reads best so
BYTES = [
    *" \n\n:-?,[]{}#&*!|>'\"%@`\\~\t\r=.0aé名",
    *(
        "\r\n",
        "\x85",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\x00",
        "\xa0",
        "  ",
        "\n ",
        "\n  ",
    ),
    *("- ", ": ", ":\n", " #", "\n#", "\n---\n", "\n...\n", "--- ", "? ", "&a ", "*a"),
    *("<<: *a", "\n%YAML 1.1\n", "|\n", ">-\n", '""', "''", "!!str ", "\n\n", "\n- "),
    *("\n  - ", '"""', "'''", "[[modules]]\n", "\n[modules.x]\n", "},{", "],[", "/*"),
    *("\\", "\\u", "\\ud800", "1e999", "9" * 101, "[" * 15, "[modules]\n", "\n[x]\n"),
    *("[" * 7 + "]" * 7, "[" * 8 + "]" * 8, "[" * 9 + "]" * 9),
    *("}, {", '"a": NaN, ', '"name": 1, ', '{"a": 1}, ', "{}, ", "null, ", "], ["),
]
TOML = ("1", "2.5", "true", '"x"', "'y'", "[1, 2]", "{a = 1}", '"[[modules]]"')
TOML_ODD = (
    *("[\n 1,\n]", "[\n[1],\n[2]]", "1979-05-27", "07:32:00", '"""a\nb"""', "0x1F"),
    *("'''\n[[modules]]\n'''", '"""\n[x]"""', "nan", "{a.b = 1}", '"\\u00e9"', "1_0"),
    *("1979-05-27T07:32:00Z", '[ # c\n"a", # [x]\n]', '""', "''", "[[1]]", "é"),
    *('"""\n[[modules]]\nname = "z"\ntype = "t"\n"""', "[\n[],\n]", '["[x]",\n"]"]'),
)
TOML_LINES = (
    *("[[modules]]", " [[modules]]", "[[ modules ]]", '[["modules"]]', "[modules]"),
    *("[modules.config]", "[modules.new]", "[other]", "[[other]]", "x = 1", "# c"),
    *('name = "q"', 'k = """', "k = '''", '"""', "'''", "l = [", "]", "[1],", ""),
    *("config.q = 1", "[modules.config.x]", "modules.x = 1", "  # [[modules]]"),
    *('[[modules]]\nname = "s"\ntype = "t"', "[[modules]] x", "[modules.config.a.b]"),
    *("k = '''\n[[modules]]\n'''", '[other]\nx = 1\n[[modules]]\nname = "s"'),
)
TOML_INNER = (
    *(
        "[modules.config.deep]\nx = 1",
        "[[modules.config.list]]\nx = 1",
        "[other]\nx = 1",
    ),
    *("  [modules.config.far]", '["modules".config.q]', "[[modules.list]]\n" * 2),
)


class Yaml:
    """Writes YAML, plain or in every style that a block list may have."""

    form, mark = "yaml", "- name"

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.indent = rng.choice(("", "  ", "  ", " ", "    "))

    def value(self, level: str, *, odd: bool) -> Any:
        """Write what stands behind a key."""
        if not odd:
            return self.rng.choice(("1", "2.5", "true", '"x"', "plain", "[1, 2]"))
        return self.rng.choice(VALUES).replace("BAR", "|").replace("$", level)

    def item(self, name: str, *, odd: bool) -> str:
        """Write an entry of `modules:`."""
        rng, level = self.rng, f"{self.indent}  "
        if odd and rng.random() < 0.1:
            return f"{self.indent}- {{name: {name}, type: t}}\n"
        lines = [f"{self.indent}- name: {name}", f"{level}type: t"]
        if rng.random() < 0.9:
            lines.append(f"{level}config:")
            keys, wild = rng.sample(KEYS, rng.randint(1, 3)), rng.randrange(3)
            for at, key in enumerate(keys):
                value = self.value(f"{level}  ", odd=odd and at == wild)
                lines += f"{level}  {key}: {value}".split("\n")
        if odd and rng.random() < 0.3:
            extra = rng.choice(("# c", "", f"{self.indent}# c", "   ", f"{level}on: 1"))
            lines.insert(rng.randint(1, len(lines)), extra)
        return "\n".join(lines) + "\n"

    def section(self, name: str, *, odd: bool) -> str:
        """Write another key of the top level."""
        return f"{name}: {self.value('', odd=odd)}\n"

    def text(self, names: list[str], *, odd: bool) -> str:
        """Write a document; of an odd one, a part here or there is odd."""
        rng, count = self.rng, len(names) + 4
        wild = [odd and rng.random() < 1.5 / count for _ in range(count)]
        heads, tails = rng.randint(0, 2), rng.randint(0, 2)
        head = [self.section(f"a{at}", odd=wild[at]) for at in range(heads)]
        tail = [self.section(f"z{at}", odd=wild[at + 2]) for at in range(tails)]
        mark = rng.choice(("modules:\n", "modules: # c\n", "modules:\n\n# c\n"))
        items = [self.item(n, odd=wild[at + 4]) for at, n in enumerate(names)]
        return "".join([*head, mark, *items, *tail])

    def line(self) -> str:
        """Return a line that may stand anywhere."""
        return self.rng.choice(LINES).replace("BAR", "|")


class Json(Yaml):
    """Writes JSON, with and without spaces."""

    form, mark = "json", '{"name"'

    def value(self, level: str, *, odd: bool) -> Any:
        """Draw a value."""
        del level
        plain: list[Any] = [1, 2.5, True, None, "x", "a}, {", '"', [1, {}], {"a": 1}]
        more: list[Any] = [*WORDS, [[]], {"": 0}, -0.0, 1e300, {"modules": [{}]}]
        return self.rng.choice([*plain, *more] if odd else plain)

    def item(self, name: str, *, odd: bool) -> str:
        """Write an element of `modules`, with the comma behind it."""
        return json.dumps(self._entry(name, odd=odd)) + ", "

    def _entry(self, name: str, *, odd: bool) -> dict[str, Any]:
        keys = self.rng.sample(KEYS, 2)
        config = {key: self.value("", odd=odd) for key in keys}
        return {"name": name, "type": "t", "config": config}

    def text(self, names: list[str], *, odd: bool) -> str:
        """Write a document."""
        rng = self.rng
        more = [(key, self.value("", odd=odd)) for key in "az" if rng.random() < 0.6]
        modules = ("modules", [self._entry(name, odd=odd) for name in names])
        return json.dumps(
            dict([*more[:1], modules, *more[1:]]),
            indent=rng.choice((None, 1, 2, "\t")),
            separators=rng.choice((None, (",", ":"), (" , ", " : "))),
            ensure_ascii=rng.random() < 0.5,
        )

    def line(self) -> str:
        """Return a line that may stand anywhere."""
        entry = json.dumps({"name": self.rng.choice("pqr"), "type": "t"})
        lines = (f", {entry}", f"{entry},", f",\n{entry}\n", ",", "]", "[", "}", "{")
        more = ('"modules": [],', '"a": 1,', ', "a": 1', ', "name": "q"', "// c", "1")
        return self.rng.choice((*lines, *more, '"', " "))


class Toml(Yaml):
    """Writes TOML: tables in arrays, with tables inside."""

    form, mark = "toml", "[[modules]]"

    def value(self, level: str, *, odd: bool) -> str:
        """Write a value."""
        del level
        return self.rng.choice((*TOML, *TOML_ODD, *TOML_ODD) if odd else TOML)

    def item(self, name: str, *, odd: bool) -> str:
        """Write a table of `modules`."""
        rng, wild = self.rng, self.rng.randrange(3)
        names = ("rate", "key", '"a b"', "n", "a.b", "label")
        keys = rng.sample(names, rng.randint(1, 3))
        values = [self.value("", odd=odd and at == wild) for at in range(len(keys))]
        pairs = [f"{key} = {value}" for key, value in zip(keys, values, strict=True)]
        lines = ["[[modules]]" + rng.choice(("", " # c")) * odd, f'name = "{name}"']
        lines.append('type = "t"')
        if rng.random() < 0.5:
            lines += [
                "[ modules.config ]" if odd and wild else "[modules.config]",
                *pairs,
            ]
        else:
            lines += [f"config.{pair}" for pair in pairs]
        if odd and rng.random() < 0.4:
            lines.append(rng.choice(TOML_INNER))
        return "\n".join(lines) + "\n"

    def section(self, name: str, *, odd: bool) -> str:
        """Write another key of the top level."""
        return f"{name} = {self.value('', odd=odd)}\n"

    def text(self, names: list[str], *, odd: bool) -> str:
        """Write a document."""
        rng = self.rng
        items = [self.item(n, odd=odd and rng.random() < 0.3) for n in names]
        head = self.section("a", odd=odd and rng.random() < 0.2)
        tails = ["", "", f"[z]\n{self.section('y', odd=odd)}", "# c\n[[z]]\nx = 1\n"]
        tails += ["[modules.tail]\n", '["modules".x]\n', "[z]\n[modules.y]\n"] * odd
        return "".join([head * rng.randint(0, 1), *items, rng.choice(tails)])

    def line(self) -> str:
        """Return a line that may stand anywhere."""
        return self.rng.choice(TOML_LINES)


MAKERS: dict[str, type[Yaml]] = {each.form: each for each in (Yaml, Json, Toml)}


def edited(maker: Yaml, text: str) -> str:
    """Change a text: half of the time a value, else more, and now and then bytes."""
    rng = maker.rng
    if rng.random() < 0.4:
        return _number(maker, text)
    hows: list[Callable[[Yaml, str], str]] = [_lines, _lines, _item, _item, _bytes]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        text = rng.choice(hows)(maker, text)
    return text


def _number(maker: Yaml, text: str) -> str:
    rng = maker.rng
    digits = [at for at, each in enumerate(text) if each in "0123456789"]
    for _ in range(rng.choice((1, 1, 1, 2, 5)) if digits else 0):
        at = rng.choice(digits)
        text = text[:at] + rng.choice("1234567890") + text[at + 1 :]
    return text


def _lines(maker: Yaml, text: str) -> str:
    rng, lines = maker.rng, text.split("\n")
    at = rng.randrange(len(lines))
    how = rng.randrange(6)
    if how == 0:
        lines.insert(at, maker.line())
    elif how == 1:
        lines[at] = maker.line()
    elif how == 2:
        del lines[at : at + rng.choice((1, 1, 2, 4))]
    elif how == 3:
        lines[at:at] = lines[at - rng.randint(0, 4) :][: rng.randint(1, 5)]
    elif how == 4:
        lines[at] = rng.choice((" ", "  ", "\t")) + lines[at]
    else:
        lines[at] = rng.choice((lines[at][1:], lines[at][2:], f"{lines[at]} "))
    return "\n".join(lines)


def _item(maker: Yaml, text: str) -> str:
    """Write an entry before another, take some away, rename one, or swap two."""
    rng = maker.rng
    starts = [at for at in range(len(text)) if text.startswith(maker.mark, at)]
    if maker.form != "json":
        starts = [text.rfind("\n", 0, at) + 1 for at in starts]
    if not starts:
        return text
    at, other = sorted((rng.choice(starts), rng.choice(starts)))
    new = maker.item(f"m{rng.randint(0, 9)}", odd=rng.random() < 0.4)
    how = rng.randrange(5)
    if how == 0:
        return text[:at] + new + text[at:]
    if how == 1:
        return text[:at] + text[other:]
    if how == 2:
        return text[:at] + text[at:].replace("m", "w", 1)
    if how == 3 and at < other:
        end = next((each for each in starts if each > other), other)
        return text[:at] + text[other:end] + text[at:other] + text[end:]
    return text[:at] + text[at:].replace("t", rng.choice(("u", "tt")), 2)


def _bytes(maker: Yaml, text: str) -> str:
    rng = maker.rng
    at, long = rng.randint(0, len(text)), rng.choice((0, 0, 1, 1, 2, 7))
    new = rng.choice((*BYTES, "", text[max(at - 9, 0) : at]))
    return text[:at] + new + text[at + long :]
