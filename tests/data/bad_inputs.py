"""Configurations with something wrong: the files, and the fault they must give.

A table for every test that feeds bad input: import it with `runpy.run_path`.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One bad configuration.

    Args:
        name: names the test.
        code: of the fault it must give.
        line: where the fault is, or `None` if it is of the whole file.
        column: likewise.
        files: contents by relative path; the first is the configuration itself.
        says: words that the fault's text must hold.
        file: the file that the place names.
    """

    name: str
    code: str
    line: int | None
    column: int | None
    files: dict[str, bytes]
    says: tuple[str, ...] = ()
    file: str = "app.yaml"


def yaml(
    name: str, code: str, line: int | None, column: int | None, text: str, *says: str
) -> Row:
    """Make a row of YAML."""
    return Row(name, code, line, column, {"app.yaml": text.encode()}, says)


def json(name: str, code: str, line: int, column: int, text: str, *says: str) -> Row:
    """Make a row of JSON."""
    return Row(name, code, line, column, {"app.json": text.encode()}, says, "app.json")


def toml(name: str, code: str, line: int, column: int, text: str, *says: str) -> Row:
    """Make a row of TOML."""
    return Row(name, code, line, column, {"app.toml": text.encode()}, says, "app.toml")


_M = "modules:\n- {name: a, type: t}\n"
_ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True)
)
_MERGES = "a: &a {x: 1, y: 2}\n" + "".join(
    f"{name}: &{name} {{<<: [*{before}, *{before}, *{before}]}}\n"
    for before, name in zip("abcdefghijkl", "bcdefghijklm", strict=True)
)
_QUOTE = "quote it"

ROWS = [
    yaml("empty", "E_EMPTY", 1, 1, "", "modules"),
    yaml("only comments", "E_EMPTY", 1, 1, "# nothing\n\n# here\n"),
    yaml("null", "E_EMPTY", 1, 1, "null\n"),
    yaml("only a document start", "E_EMPTY", 1, 1, "---\n"),
    json("empty json", "E_EMPTY", 1, 1, ""),
    json("null json", "E_EMPTY", 1, 1, "null"),
    toml("empty toml", "E_EMPTY", 1, 1, "# nothing\n"),
    yaml("list on top", "E_TOPLEVEL", 1, 1, "- a\n- b\n", "mapping", "a list"),
    yaml("scalar on top", "E_TOPLEVEL", 1, 1, "hello\n", "hello"),
    json("list on top of json", "E_TOPLEVEL", 1, 1, "[1]"),
    yaml("two documents", "E_MULTIDOC", 3, 1, _M + "---\na: 1\n"),
    json("two values", "E_MULTIDOC", 1, 10, '{"a": 1} {"b": 2}'),
    yaml("key twice", "E_DUPKEY", 3, 1, "a: 1\nb: 2\na: 3\n", "`a`", "first at 1:1"),
    yaml(
        "nested key twice",
        "E_DUPKEY",
        4,
        5,
        "a:\n  b:\n    x: 1\n    x: 2\n",
        "first at 3:5",
    ),
    json(
        "key twice in json",
        "E_DUPKEY",
        2,
        8,
        '{"a": 1,\n       "a": 2}',
        "first at 1:2",
    ),
    toml(
        "key twice in toml", "E_DUPKEY", 3, 1, "a = 1\nb = 2\na = 3\n", "first at 1:1"
    ),
    toml("table twice", "E_DUPKEY", 3, 1, "[a]\nb = 1\n[a]\n", "first at 1:1"),
    yaml("number as key", "E_KEYTYPE", 2, 3, "a:\n  1: x\n", "found 1", _QUOTE),
    yaml("boolean as key", "E_KEYTYPE", 1, 1, "true: x\n", _QUOTE),
    yaml("null as key", "E_KEYTYPE", 1, 1, "~: x\n", _QUOTE),
    yaml("list as key", "E_KEYTYPE", 1, 3, "? [a, b]\n: x\n"),
    yaml("unquoted template", "E_KEYTYPE", 1, 5, "a: {{ host }}\n", _QUOTE),
    yaml("no", "E_TYPE", 1, 4, "a: NO\n", 'quote it: "NO"', "true or false"),
    yaml("on", "E_TYPE", 2, 6, "a:\n- b: on\n", _QUOTE),
    yaml("base 60", "E_TYPE", 1, 4, "a: 22:22\n", 'quote it: "22:22"', "base 60"),
    yaml("leading zero", "E_TYPE", 1, 4, "a: 010\n", 'quote it: "010"', "octal"),
    yaml("version", "E_TYPE", 1, 4, "a: 1.10\n", 'quote it: "1.10"', "write 1.1"),
    yaml("date", "E_TYPE", 1, 4, "a: 2024-01-31\n", "a date", _QUOTE),
    yaml("time", "E_TYPE", 1, 4, "a: 2024-01-31T10:00:00Z\n", "a date", _QUOTE),
    yaml("exponent", "E_TYPE", 1, 4, "a: 1e3\n", 'quote it: "1e3"'),
    yaml("underscores", "E_TYPE", 1, 4, "a: 1_000\n", _QUOTE),
    yaml("binary", "E_TYPE", 1, 4, "a: 0b11\n", _QUOTE),
    yaml("modules a scalar", "E_TYPE", 1, 10, "modules: none\n", "`modules`"),
    yaml("entry a scalar", "E_TYPE", 2, 3, "modules:\n- web\n", "'web'"),
    yaml("name a number", "E_TYPE", 2, 10, "modules:\n- {name: 1, type: t}\n", _QUOTE),
    yaml(
        "config a list",
        "E_TYPE",
        4,
        11,
        "modules:\n- name: a\n  type: t\n  config: [1]\n",
        "`config`",
    ),
    yaml("imports a string", "E_TYPE", 1, 10, "imports: b.yaml\n", "`imports`"),
    yaml("infinity", "E_NONFINITE", 1, 4, "a: .inf\n", "finite"),
    yaml("not a number", "E_NONFINITE", 1, 4, "a: .NaN\n", "finite"),
    yaml("too large a float", "E_NONFINITE", 1, 4, "a: 1.0e+999\n"),
    json("nan in json", "E_NONFINITE", 1, 7, '{"a": NaN}', "NaN"),
    json("infinity in json", "E_NONFINITE", 1, 8, '{"a": [-Infinity]}', "-Infinity"),
    json("1e999", "E_NONFINITE", 1, 7, '{"a": 1e999}', "1e999"),
    toml("nan in toml", "E_NONFINITE", 1, 5, "a = nan\n"),
    yaml("large integer", "E_RANGE", 1, 4, "a: 18446744073709551616\n"),
    yaml("huge integer", "E_RANGE", 1, 4, "a: " + "9" * 5000 + "\n"),
    json("huge integer in json", "E_RANGE", 1, 7, '{"a": ' + "9" * 5000 + "}"),
    toml("huge integer in toml", "E_RANGE", 1, 5, "a = " + "9" * 5000 + "\n"),
    yaml("deep lists", "E_DEPTH", 1, 67, "a: " + "[" * 100_000, "64"),
    yaml("deep maps", "E_DEPTH", 1, 256, "a: " + "{x: " * 100 + "}" * 100, "64"),
    yaml("deep block lists", "E_DEPTH", 1, 129, "- " * 5_000, "64"),
    json("deep json", "E_DEPTH", 1, 70, '{"a": ' + "[" * 100_000, "64"),
    json("100 levels", "E_DEPTH", 1, 14, '{"a": ' + "[" * 100 + "]" * 100 + "}"),
    toml("deep toml", "E_DEPTH", 1, 5, "a = " + "[" * 100_000, "64"),
    yaml("alias bomb", "E_ALIAS", 5, 8, _ALIASES, "write the values out"),
    yaml("merge bomb", "E_MERGE", 8, 21, _MERGES, "write the values out"),
    yaml("merge of a number", "E_MERGE", 1, 9, "a: {<<: 3}\n", "not a mapping"),
    yaml("alias inside itself", "E_CYCLE", 1, 8, "a: &a [*a]\n", "`*a`"),
    yaml(
        "custom tag", "E_TAG", 1, 4, "a: !secret x\n", "!secret", "never becomes code"
    ),
    yaml("tag that lies", "E_TYPE", 1, 4, "a: !!int hello\n", "`!!int`", "'hello'"),
    yaml("python tag", "E_TAG", 1, 4, "a: !!python/object/apply:os.system [x]\n"),
    yaml("binary tag", "E_TAG", 1, 4, "a: !!binary aGk=\n", "!!binary"),
    yaml("tagged mapping", "E_TAG", 2, 3, "a:\n- !thing {x: 1}\n", "!thing"),
    yaml("unclosed list", "E_SYNTAX", 1, 4, "a: [1, 2\nb: 3\n", "close what is opened"),
    yaml("unclosed mapping", "E_SYNTAX", 2, 6, "a:\n  b: {c: 1\n", "2:6"),
    yaml("unclosed quote", "E_SYNTAX", 2, 4, 'a: 1\nb: "x\nc: 2\n', "begins at 2:4"),
    yaml("tab", "E_SYNTAX", 2, 1, "a:\n\tb: 1\n", "spaces, not with tabs"),
    yaml("colon in a value", "E_SYNTAX", 1, 5, "a: b: c\n"),
    yaml("wrong indent", "E_SYNTAX", 2, 4, "a: 1\n  b: 2\n"),
    yaml("unknown alias", "E_SYNTAX", 1, 4, "a: *nobody\n", "no anchor"),
    json("unclosed json", "E_SYNTAX", 1, 7, '{"a": [1,\n', "`[` is never closed"),
    json("trailing text", "E_SYNTAX", 1, 10, '{"a": 1} x'),
    json("no colon", "E_SYNTAX", 1, 6, '{"a" 1}'),
    toml("toml syntax", "E_SYNTAX", 2, 5, "a = 1\nb = \n"),
    yaml("zero byte", "E_CHAR", 1, 4, "a: \0\n", "U+0000"),
    yaml("escape sequence", "E_CHAR", 2, 4, "a:\n  b\x1b[0m: 1\n", "U+001B"),
    yaml("bidi in a name", "E_CHAR", 2, 3, 'a:\n  "b\\u202e": 1\n'),
    json("half a surrogate pair", "E_CHAR", 1, 7, '{"a": "\\ud800"}'),
    Row(
        "latin 1",
        "E_ENCODING",
        2,
        4,
        {"app.yaml": b"a: 1\nb: \xe9\n"},
        ("UTF-8", "0xe9"),
    ),
    Row(
        "utf-16",
        "E_ENCODING",
        1,
        1,
        {"app.yaml": "a: 1\n".encode("utf-16")},
        ("UTF-16", "save the file as UTF-8"),
    ),
    Row(
        "too large",
        "E_SIZE",
        None,
        None,
        {"app.yaml": b"a: 1\n" + b"#" * (16 * 1024 * 1024)},
        ("16777216",),
    ),
    Row(
        "unknown suffix",
        "E_FORMAT",
        None,
        None,
        {"app.ini": b"[a]\n"},
        (".ini",),
        "app.ini",
    ),
    yaml("yaml 1.1", "E_FORMAT", 1, 1, "%YAML 1.1\n---\na: 1\n", "1.2"),
    yaml(
        "yaml 1.1, later",
        "E_FORMAT",
        2,
        1,
        "# not %YAML 1.1\n%YAML 1.1\n# nor %YAML\n---\na: 1\n",
        "%YAML 1.1",
    ),
    yaml("no type", "E_REQUIRED", 2, 3, "modules:\n- name: a\n", "`type`"),
    yaml("no name", "E_REQUIRED", 2, 3, "modules:\n- type: t\n", "`name`"),
    yaml(
        "module twice",
        "E_DUPMODULE",
        3,
        3,
        _M + "- {name: a, type: u}\n",
        "`a`",
        "first at 2:3",
    ),
    yaml("name with a space", "E_NAME", 2, 10, "modules:\n- {name: a b, type: t}\n"),
    yaml(
        "name too long", "E_NAME", 2, 10, f"modules:\n- {{name: {'a' * 64}, type: t}}\n"
    ),
    yaml(
        "missing import", "E_IMPORT_PATH", 2, 3, "imports:\n- none.yaml\n", "not exist"
    ),
    yaml("import outside", "E_IMPORT_PATH", 1, 11, "imports: [../up.yaml]\n", "root"),
    yaml(
        "absolute import",
        "E_IMPORT_PATH",
        1,
        11,
        "imports: [/etc/x.yaml]\n",
        "relative",
    ),
    yaml("import of a directory", "E_IMPORT_PATH", 1, 11, "imports: [.]\n"),
    yaml("import of itself", "E_IMPORT_CYCLE", 1, 11, "imports: [app.yaml]\n"),
    Row(
        "import cycle",
        "E_IMPORT_CYCLE",
        1,
        11,
        {
            "app.yaml": b"imports: [b.yaml]\n",
            "b.yaml": b"imports: [c.yaml]\n",
            "c.yaml": b"imports: [b.yaml]\n",
        },
        ("b.yaml -> ", "c.yaml -> "),
        "c.yaml",
    ),
    Row(
        "fault in an import",
        "E_TYPE",
        2,
        4,
        {"app.yaml": b"imports: [sub/b.yaml]\n", "sub/b.yaml": b"# x\nb: NO\n"},
        (),
        "sub/b.yaml",
    ),
    *(
        Row(
            f"{kind} in two workflows",
            "E_MERGE_CONFLICT",
            2 if kind == "module" else 1,
            3 if kind == "module" else len(kind) + 8,
            {
                "app.yaml": b"application:\n  name: shop\n  workflows:\n"
                b"  - {file: one.yaml}\n  - {file: two.yaml}\n",
                "one.yaml": text,
                "two.yaml": text,
            },
            ("one.yaml", "two.yaml", "`a`"),
            "two.yaml",
        )
        for kind, text in (
            ("module", _M.encode()),
            ("trigger", b"triggers: {a: {x: 1}}\n"),
            ("pipeline", b"pipelines: {a: {x: 1}}\n"),
        )
    ),
    yaml(
        "workflow without file",
        "E_REQUIRED",
        3,
        5,
        "application:\n  workflows:\n  - name: x\n",
        "`file`",
    ),
]
