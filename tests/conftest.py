"""What every test shares: where the repository is, and how Hypothesis looks.

It also guards secrets. For every test, fifty canaries are in the environment, and logs
are at the level DEBUG; a test fails if a canary is in its log, output or error, in a
file below its `tmp_path` (up to 1 MiB, so in journals and state), or in the command
line of a process that this one starts.

In the folders of `_WITH_CANARIES`, moreover, each module of each document that a
`Runtime` of this process transforms has canaries, by reference and literally, below
keys that look secret. Not so for a test marked `no_canaries("why")`, which looks at
whole documents or their digests, for runtimes of fixtures of a wider scope, and for
documents without modules or with more than 100.

Not covered here, but in `tests/canaries`: the text of a file, what modules are given,
and runtimes in processes of their own.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import stat
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings

from midflight import Document, ModuleConfig, Runtime, hookimpl

# Nothing is asserted about speed: a busy machine must not turn a property red.
settings.register_profile(
    "midflight", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("midflight")

_CANARY = "sings-in-no-mine"

# Database servers and a proxy, in `tests/servers`; see `pythonpath` in pyproject.toml.
pytest_plugins = [
    "server_fixtures",
    "database_fixtures",
    "original_fixtures",
    "proxy_fixtures",
]


_OF_TESTS = (
    "MIDFLIGHT_REQUIRE_SERVERS",
    "MIDFLIGHT_TEST_",
    "MIDFLIGHT_FULL_PARSE",  # these two change nothing that a test may see:
    "MIDFLIGHT_YAML",  # `nox -s paths` runs tests with and without them
)
_OF_SYSTEMD = {"STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"}


def _is_setting(name: str) -> bool:
    """Tell whether a variable changes what Midflight does, not what tests do."""
    ours = name.startswith("MIDFLIGHT_") and not name.startswith(_OF_TESTS)
    return ours or name in _OF_SYSTEMD


@pytest.fixture(scope="session", autouse=True)
def _surroundings(
    tmp_path_factory: pytest.TempPathFactory, canaries: list[str]
) -> Iterator[None]:
    """Let no test keep state in the user's home; put a canary into every mine.

    Nor does a setting of the one who runs the tests, or of systemd, reach any.
    """
    logging.getLogger("midflight").setLevel(logging.DEBUG)
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(_is_setting, [*os.environ]):
            patch.delenv(name)
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("home")))
        for n, canary in enumerate(canaries):
            patch.setenv(f"CANARY_{n:02}_PASSWORD", canary)
        yield
        left = files_with_a_canary(Path(os.environ["XDG_STATE_HOME"]))
        assert left == [], "a secret is in the state of the user's home"


@pytest.fixture(scope="session")
def canaries() -> list[str]:
    """Return secrets that no output may show: each test that prints one fails."""
    return [hashlib.sha256(b"%d" % n).hexdigest()[:12] + _CANARY for n in range(50)]


class Canaries:
    """A plugin that puts canaries into every module, before secrets are hidden.

    Which ones depends on the module alone: what is equal stays equal, and a diff of
    what changed is one of secrets as well. They are in further keys of its entry, which
    is where no module and no configuration class looks. What is the same object stays
    the same object.
    """

    most = 100  # modules; larger documents are about speed

    def __init__(self, canaries: list[str]) -> None:
        self._canaries = canaries
        self._last: dict[str, tuple[ModuleConfig, ModuleConfig]] = {}
        self._whole: tuple[Document | None, Document] = None, Document()

    @hookimpl(wrapper=True, trylast=True)
    def transform(self, document: Document) -> Generator[None, Document, Document]:
        """Return the document with canaries."""
        document = yield
        if not 0 < len(document.modules) <= self.most:
            return document
        given, made = self._whole
        if given is not document:
            kind: Any = type(document.modules)
            modules = {n: self._with_canary(m) for n, m in document.modules.items()}
            made = Document(kind(modules), document.sections)
            self._whole = document, made
        return made

    def _with_canary(self, module: ModuleConfig) -> ModuleConfig:
        given, made = self._last.get(module.name, (None, module))
        if given is not module:
            n = int(module.digest[:8], 16) % len(self._canaries)
            one, other = self._canaries[n], self._canaries[-n]
            more = {
                "password": f"${{CANARY_{n:02}_PASSWORD:-{one}}}",
                "nested": [{"token": other, "url": f"tcp://u:{other}@h"}],
            }
            kind: Any = type(module.extra)
            extra = Document.from_mapping({"canary": more}).sections
            made = attrs.evolve(module, extra=kind({**module.extra, **extra}))
            self._last[module.name] = module, made
        return made


# Folders whose tests are about what becomes of a document, not about its every key.
_WITH_CANARIES = {
    "control",
    "core",
    "env",
    "file",
    "http",
    "logging",
    "memory",
    "overrides",
    "regressions",
    "requires",
    "state",
    "strategies",
    "structure",
}


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker by which a test keeps its documents as they are."""
    line = "no_canaries(why): the documents of this test get no canaries"
    config.addinivalue_line("markers", line)


def _has_canaries(item: pytest.Item) -> bool:
    """Tell whether the documents of a test get canaries."""
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return folder in _WITH_CANARIES and not item.get_closest_marker("no_canaries")


@pytest.fixture(autouse=True)
def _canaries_in_documents(
    request: pytest.FixtureRequest, canaries: list[str]
) -> Iterator[None]:
    """Give the plugin to every runtime that the test makes, where tests take it."""
    make = Runtime.__init__

    @functools.wraps(make)
    def made(self: Runtime, *args: Any, plugins: Any = (), **options: Any) -> None:
        make(self, *args, plugins=[*plugins, Canaries(canaries)], **options)

    with pytest.MonkeyPatch.context() as patch:
        if _has_canaries(request.node):
            patch.setattr(Runtime, "__init__", made)
        yield


_command_lines: list[str] = []


def _note_command_line(event: str, args: tuple[Any, ...]) -> None:
    """Keep the command lines that hold a canary; who runs `ps` sees them."""
    if event in {"subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"}:
        line = repr(args[:2])  # not the environment
        if _CANARY in line:
            _command_lines.append(line)


sys.addaudithook(_note_command_line)


def files_with_a_canary(folder: Path, most: int = 1 << 20) -> list[str]:
    """Return the names of the files below a folder that hold one.

    Args:
        folder: is searched, without following links.
        most: larger files are not searched, in bytes.
    """
    found, wanted = [], _CANARY.encode()
    for top, _, names in os.walk(folder):
        for name in names:
            path = Path(top, name)
            with contextlib.suppress(OSError):  # gone, or one that nobody may read
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= most:
                    found += [name] if wanted in path.read_bytes() else []
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose log, output, error, files or children show a canary."""
    report = yield
    now = [each for each in report.sections if each[0].endswith(f" {call.when}")]
    shown = [*now, ("its error", str(report.longrepr or ""))]
    found = {where for where, text in shown if _CANARY in text}
    if _command_lines:
        found.add("a command line")
        _command_lines.clear()
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if call.when == "teardown" and folder:
        found.update(f"the file {name}" for name in files_with_a_canary(folder))
    if found and report.outcome != "failed":
        report.outcome = "failed"
        where = ", ".join(sorted(found))
        report.longrepr = f"{item.nodeid}: a secret is in {where}"
    if report.failed and _has_canaries(item):
        hint = "modules have a key `canary`, unless marked `no_canaries`"
        report.sections.append(("its documents", f"{hint}: see tests/conftest.py"))
    return report


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def servers_required() -> bool:
    """Tell whether a missing server is a failure instead of a skip."""
    return os.environ.get("MIDFLIGHT_REQUIRE_SERVERS") == "1"


class Fragile:
    """A module that takes no change when told so."""

    fails = ""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self):
        pass

    @hookimpl
    def prepare(self):
        self._maybe("prepare")

    @hookimpl
    def reconfigure(self):
        self._maybe("reconfigure")

    def _maybe(self, hook):
        if Fragile.fails == hook:
            Fragile.fails = ""
            raise ValueError("no")


@pytest.fixture
def fragile():
    """The class of modules that fail when told so."""
    yield Fragile
    Fragile.fails = ""
