"""Run the fenced blocks of a page, top to bottom, in a folder of its own.

What a page may hold, and what becomes of it, stands in CONTRIBUTING under
"Blocks of code in the docs".
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import attrs
import pytest
from ruamel.yaml import YAML
from sybil import Document as Text
from sybil import Example
from sybil.parsers.myst import CodeBlockParser

from midflight import Document
from midflight.errors import InvalidConfigurationError

PATIENCE = 20.0
NAMED = re.compile(r"^(?:#|//) (\S+\.\w+)\n")
PORT = re.compile(r"(?:(?<=127\.0\.0\.1:)|(?<=--port ))89\d\d\b")
COMMENT = re.compile(r"<!--\s*([^:>]+?)(?::\s*([^>]*?))?\s*-->\s*\Z")


def matches(expected: str, output: str) -> bool:
    """Tell whether the output is as the page shows it; `...` stands for anything."""
    return re.fullmatch(_pattern(expected), _lines(output), re.DOTALL) is not None


def _pattern(expected: str) -> str:
    return re.escape(_lines(expected)).replace(re.escape("..."), ".*?")


def _lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@attrs.define(eq=False)
class Page:
    """One page while its blocks run.

    Args:
        folder: where its commands run and its named blocks are written.
        said: the file into which the background command writes.
        running: the background commands.
        heard: how much of `said` the page has already shown.
        ports: the free port that stands for one that the page names.
    """

    folder: Path
    said: Path
    running: list[subprocess.Popen[bytes]] = attrs.field(factory=list)
    heard: int = 0
    ports: dict[str, str] = attrs.field(factory=dict)

    def run(self, example: Example, language: str) -> None:
        """Run one block, as its language and the comment above it say."""
        found = COMMENT.search(example.document.text[: example.start].rstrip())
        mark, reason = (found[1], found[2]) if found else ("", None)
        if mark == "not run":
            assert reason, "a block that is not run needs a reason"
            return
        source = PORT.sub(self._free, str(example.parsed))
        if named := NAMED.match(source):
            name = Path(named[1])
            stays = not name.is_absolute() and ".." not in name.parts
            assert stays, f"a block writes out of its page's folder: {name}"
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source[named.end() :])
        runners: dict[str, Callable[[str, str, str | None], object]] = {
            "console": self._console,
            "json": lambda text, *_: json.loads(text),
            "text": self._text,
            "toml": lambda text, *_: tomllib.loads(text),
            "yaml": self._yaml,
        }
        if language == "python":
            code = compile("\n" * example.line + source, example.path, "exec")
            exec(code, example.namespace)
        else:
            runners[language](source, mark, reason)

    def _free(self, port: re.Match[str]) -> str:
        """Return a port that nobody uses, the same for each mention on the page."""
        if port[0] not in self.ports:
            with socket.create_server(("127.0.0.1", 0)) as found:
                self.ports[port[0]] = str(found.getsockname()[1])
        return self.ports[port[0]]

    def _yaml(self, source: str, mark: str, _: str | None) -> None:
        raw = YAML(typ="safe", pure=True).load(source)
        if not isinstance(raw, dict) or "modules" not in raw:
            return
        if mark == "faulty":
            with pytest.raises(InvalidConfigurationError):
                assert Document.from_mapping(raw).build_order is not None
        else:
            assert Document.from_mapping(raw).build_order is not None

    def _text(self, source: str, mark: str, _: str | None) -> None:
        if mark == "says":
            self.hear(source)

    def _console(self, source: str, mark: str, status: str | None) -> None:
        first, *rest = re.split(r"^\$ ", source, flags=re.MULTILINE)
        assert not first.strip(), "a console block starts with `$ `"
        for each in rest:
            command, _, expected = _joined(each).partition("\n")
            if mark == "background":
                self._start(command)
                self.hear(expected)
                continue
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE * 2,
                check=False,
            )
            wanted = int(status or 0) if mark == "exit" else 0
            assert done.returncode == wanted, f"$ {command}\n{done.stdout}"
            if expected.strip():
                assert matches(expected, done.stdout), f"$ {command}\n{done.stdout}"

    def _start(self, command: str) -> None:
        with self.said.open("ab") as said:
            self.running.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec {command}"],
                    cwd=self.folder,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                )
            )

    def hear(self, expected: str) -> None:
        """Wait until the background command has said what the page shows next."""
        deadline = time.monotonic() + PATIENCE
        while True:
            ended = any(each.poll() is not None for each in self.running)
            text = self.said.read_text()
            if found := re.search(_pattern(expected), text[self.heard :], re.DOTALL):
                self.heard += found.end()
                return
            if ended or time.monotonic() > deadline:
                pytest.fail(f"waited for:\n{expected}\nin:\n{text[self.heard :]}")
            time.sleep(0.02)

    def close(self) -> None:
        """Stop what the page started; each must end by itself when asked to."""
        for each in self.running:
            each.send_signal(signal.SIGTERM)
        for each in self.running:
            try:
                each.wait(PATIENCE)
            finally:
                each.kill()


def _joined(command: str) -> str:
    """Join a command with its continuation lines, which start with `> `."""
    return re.sub(r"\\?\n> ", "\n" if "<<" in command else " ", command)


@pytest.fixture
def page(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """Return a page that runs in a folder with a copy of the examples."""
    folder = tmp_path / "page"
    folder.mkdir()
    if (root / "examples").is_dir():
        shutil.copytree(root / "examples", folder / "examples")
    scripts = Path(sys.executable).parent
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)  # a reader has none
    said = tmp_path / "said"
    said.touch()
    page = Page(folder, said)
    before = set(sys.modules)
    with mock.patch.dict(os.environ), contextlib.closing(page):
        yield page  # a variable that it sets is set for this page alone
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture(scope="session")
def parsed() -> Callable[[Path], Text]:
    """Return the parser of pages: every fenced block of any language."""

    def evaluate(language: str, example: Example) -> None:
        example.namespace["__page__"].run(example, language)

    def parse(path: Path) -> Text:
        languages = ("console", "json", "python", "text", "toml", "yaml")
        parsers = [
            CodeBlockParser(language, functools.partial(evaluate, language))
            for language in languages
        ]
        return Text.parse(str(path), *parsers)

    return parse
