"""No text of an ordinary size keeps the service from going on.

A regular expression holds the interpreter's lock until it is done, so each of these
texts is read in a process of its own, which can be ended from outside.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SECONDS = 60  # without the care that is tested here, each takes from minutes to years

EDIT = """
table = "| # " * 100_000
text = (
    "modules:\\n  - name: a\\n    config: {text: '" + table + "'}\\n"
    "  - name: b\\n    config: {rate: 1}\\n"
)
path.write_text(text)
source.load()
path.write_text(text.replace("rate: 1", "rate: 2"))
print(source.load().document.modules["b"].config["rate"])
"""
FAULT = """
path.write_text(%s)
try:
    source.load()
except InvalidConfigurationError as exc:
    print(exc.faults[0].code)
"""
PUT = """
path.write_bytes(%s)
token = source.hash()
source.put(Document.from_mapping({"a": 2}), token, None)
print(source.load().document.sections["a"])
"""


@pytest.mark.parametrize(
    ("name", "work", "said"),
    [
        ("a.yaml", EDIT, "2"),
        ("a.yaml", PUT % r'b"# licence\r\n" * 60 + b"a: 1\r\n"', "2"),
        ("a.yaml", PUT % r'b"---\na: 1\n...\n" + b"#\r\n" * 60 + b"# end"', "2"),
        ("a.json", FAULT % """'{"modules": 1}' + "\\n" * 400_000""", "E_TYPE"),
        ("a.json", FAULT % """'{"modules": [' + " " * 400_000""", "E_SYNTAX"),
        ("a.json", FAULT % """'{"a": "' + (chr(92) + '"') * 400_000""", "E_SYNTAX"),
    ],
)
def test_a_text_that_is_hard_to_search_is_done_with(
    tmp_path: Path, name: str, work: str, said: str
) -> None:
    """Long lines, many comments with CRLF, much white space, a string left open."""
    head = f"""
    from pathlib import Path
    from midflight import Document
    from midflight.errors import InvalidConfigurationError
    from midflight_plugins.file import FileSource
    path = Path({str(tmp_path / name)!r})
    source = FileSource(path)
    """
    code = textwrap.dedent(head) + work
    done = subprocess.run(
        [sys.executable, "-Ic", code],
        timeout=SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == [said], done.stderr
