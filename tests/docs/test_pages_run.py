"""What README and the docs show is what happens."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml.error import YAMLError

from midflight import Runtime
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
TYPED = re.compile(r"^[$>] (.*)", re.MULTILINE)
AGAIN = [  # pages whose programs edit files, and which of their blocks run again
    ("docs/how-to/embed.md", slice(None)),
    ("docs/how-to/layers.md", slice(-1, None)),  # those before ask for no database yet
    ("docs/how-to/write-a-module.md", slice(None)),
    ("docs/tutorial/first-service.md", slice(None)),
]


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
    """Every block of the page does what the page says, in the order of reading.

    A guide does so in an empty folder; lessons and README have the examples beside.
    """
    if name.startswith("docs/how-to/"):
        shutil.rmtree(page.folder / "examples", ignore_errors=True)
    text = parsed(ROOT / name)
    if "$ curl " in text.text and shutil.which("curl") is None:
        missing = "curl is not installed, and the page uses it"
        (pytest.fail if servers_required else pytest.skip)(missing)
    text.namespace.update(__page__=page, __name__="__page__")

    for example in text.examples():
        example.evaluate()


@pytest.mark.xdist_group("pages")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("name", "blocks"), AGAIN)
def test_a_program_of_a_page_runs_again(name, blocks, page, parsed):
    """It leaves the files that it edits as they were, and needs no other program."""
    text = parsed(ROOT / name)
    text.namespace.update(__page__=page, __name__="__page__")
    examples = list(text.examples())
    for example in examples:
        example.evaluate()
    programs = [
        example.parsed
        for example in examples
        if text.text.startswith("```python", example.start)
    ]

    assert programs
    again = {"__name__": "__page__"}
    for program in programs[blocks]:
        exec(program, again)


def test_the_example_that_prepares_can_be_changed_and_restarted(page, parsed):
    """What the guide opens in `prepare` does not stand in its own way."""
    text = parsed(ROOT / "docs/how-to/write-a-module.md")
    text.namespace.update(__page__=page, __name__="__page__")
    for example in text.examples():
        example.evaluate()
    types = {"sender": text.namespace["Sender"]}
    file = page.folder / "sender.yaml"
    entry = "modules: {a: {type: sender, config: {host: 127.0.0.1, port: %d, n: %d}}}"

    for strategy in ("surgical", "full"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            file.write_text(entry % (port, 1))
            with Runtime(f"file:{file}", modules=types, strategy=strategy) as runtime:
                file.write_text(entry % (port, 2))
                assert runtime.reload().name == "applied"
                server.close()
                file.write_text(entry % (port, 3))
                assert runtime.reload().reason == "prepare_refused"


@pytest.mark.parametrize("name", PAGES)
def test_no_page_changes_the_shell_of_its_reader(name):
    """Who reads on in the same terminal has the same folder and the same settings."""
    typed = "\n".join(TYPED.findall((ROOT / name).read_text()))

    assert not re.search(r"(^|[;&] *)(cd|pushd) ", typed, re.MULTILINE)
    assert "export MIDFLIGHT_" not in typed


def test_what_readme_runs_is_there(root, page):
    """From the root of the clone, its commands name files and types that exist."""
    typed = "\n".join(TYPED.findall((root / "README.md").read_text()))
    runs = re.findall(r"(\S*midflight) run (\S+) .*(--module \S+)", typed)

    assert runs
    for midflight, file, module in runs:
        done = subprocess.run(
            [midflight, "check", file, *module.split()],
            cwd=page.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


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
