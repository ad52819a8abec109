"""What every test shares: where the repository is, and how Hypothesis looks."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from midflight import hookimpl

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


_OF_TESTS = ("MIDFLIGHT_REQUIRE_SERVERS", "MIDFLIGHT_TEST_")
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


@pytest.fixture(scope="session")
def canaries() -> list[str]:
    """Return secrets that no output may show: each test that prints one fails."""
    return [hashlib.sha256(b"%d" % n).hexdigest()[:12] + _CANARY for n in range(50)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose log, output or error holds a canary."""
    report = yield
    shown = [*report.sections, ("its error", str(report.longrepr or ""))]
    found = sorted({where for where, text in shown if _CANARY in text})
    if found and report.outcome != "failed":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: a secret is in {', '.join(found)}"
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
