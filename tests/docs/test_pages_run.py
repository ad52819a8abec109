"""What README and the docs show is what happens."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml.error import YAMLError

from midflight.errors import InvalidConfigurationError

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("contrib_sources/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
    if "_build" not in path.parts
)
FENCE = re.compile(r"^ *(```+|~~~+)[ \t]*(\{?[\w:-]*\}?)", re.MULTILINE)
RUN = {"console", "json", "python", "text", "toml", "yaml"}
GOOD = "```yaml\nmodules: [{name: a, type: b}]\n```"
SHOWN = {"diff", "mermaid"}


def languages(text):
    """Return the language of every fenced block."""
    opened = None
    for fence, language in FENCE.findall(text):
        if opened is None:
            opened = fence
            yield language
        elif not language and fence.startswith(opened):
            opened = None


@pytest.mark.xdist_group("pages")
@pytest.mark.timeout(240)  # a page may have fifty commands
@pytest.mark.parametrize("name", PAGES)
def test_every_block_runs(name, page, parsed, servers_required):
    """Every block of the page does what the page says, in the order of reading."""
    text = parsed(ROOT / name)
    if "$ curl " in text.text and shutil.which("curl") is None:
        missing = "curl is not installed, and the page uses it"
        (pytest.fail if servers_required else pytest.skip)(missing)
    text.namespace.update(__page__=page, __name__="__page__")

    for example in text.examples():
        example.evaluate()


@pytest.mark.parametrize("name", PAGES)
def test_no_block_escapes(name):
    """Each block is of a language that runs, a picture, or a directive of the docs."""
    used = set(languages((ROOT / name).read_text()))

    assert {each for each in used if not each.startswith("{")} <= RUN | SHOWN


@pytest.mark.parametrize(
    ("block", "error"),
    [
        ("```python\nassert 1 == 2\n```", AssertionError),
        ("```yaml\na: [\n```", YAMLError),
        ("```yaml\nmodules: [{type: a}]\n```", InvalidConfigurationError),
        (f"<!-- faulty -->\n{GOOD}", pytest.fail.Exception),
        ("```console\n$ false\n```", AssertionError),
        ("<!-- exit: 1 -->\n```console\n$ true\n```", AssertionError),
        ("```console\n$ echo left\nright\n```", AssertionError),
        ("```console\n$ echo two; echo lines\ntwo\n```", AssertionError),
        ("<!-- not run -->\n```console\n$ true\n```", AssertionError),
        (
            "<!-- background -->\n```console\n$ echo left\nright\n```",
            pytest.fail.Exception,
        ),
        ("```toml\na =\n```", tomllib.TOMLDecodeError),
        ("```text\n# /tmp/midflight/escaped.txt\n```", AssertionError),
        ("```text\n# ../escaped.txt\n```", AssertionError),
        ("```text\n# deep/../escaped.txt\n```", AssertionError),
        ("```json\n{\n```", json.JSONDecodeError),
    ],
)
def test_a_page_that_is_wrong_fails(block, error, page, parsed, tmp_path):
    """The runner can fail: it sees each way in which a page can be untrue."""
    path = tmp_path / "page.md"
    path.write_text(f"# A page\n\n{block}\n")
    text = parsed(path)
    text.namespace.update(__page__=page)
    [example] = text.examples()

    with pytest.raises(error):
        example.evaluate()


def test_blocks_of_a_page_build_on_each_other(page, parsed, tmp_path):
    """A named block is a file, commands see it, and a running one is listened to."""
    path = tmp_path / "page.md"
    path.write_text(
        "```python\n# hello.py\nGREETING = 'hello'\n```\n"
        "```python\nimport hello\nassert hello.GREETING == GREETING\n```\n"
        "```yaml\n# app.yaml\nmodules: [{name: a, type: b}]\n```\n"
        "```console\n$ cat app.yaml\nmodules: ...\n"
        "$ wc -l \\\n> app.yaml\n1 app.yaml\n```\n"
        "<!-- exit: 3 -->\n```console\n$ exit 3\n```\n"
        "<!-- background -->\n```console\n$ tail -f app.yaml\nmodules:\n```\n"
        "```console\n$ echo new >> app.yaml\n```\n"
        "<!-- says -->\n```text\nnew\n```\n"
        "<!-- not run: it needs the net -->\n```console\n$ false\n```\n"
        "```console\n$ echo 127.0.0.1:8900 > a; echo --port 8900 8901 > b\n"
        "$ cat a b; ! grep -q 8900 a\n127.0.0.1:8900\n--port 8900 8901\n```\n"
    )
    text = parsed(path)
    text.namespace.update(__page__=page)

    for example in text.examples():
        example.evaluate()
    assert page.folder.joinpath("hello.py").is_file()
