"""A running service with the page, and a browser to look at it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import httpx2
import pytest

from midflight import Health, Runtime, hookimpl
from midflight_plugins.admin import AdminModule

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 15_000  # ms that a browser waits for what shall appear
APP = """\
modules:
  admin:
    type: admin
    config: {address: "127.0.0.1:0"}
  limiter:
    type: limiter
    config:
      rate: 100
      burst: 20
      password: open-sesame-now
      hosts: [a.example.org, b.example.org]
      zones:
        eu: {rate: 5, note: "first\\nsecond\\n"}
  web:
    type: web
    config: {port: 8080}
"""
DEFAULTS = """\
modules:
  limiter:
    type: limiter
    config: {rate: 10, timeout: 2.5}
"""


class Limiter:
    def __init__(self, name):
        self.name = name

    @hookimpl
    def prepare(self, config):
        if config["rate"] < 0:
            raise ValueError("a rate below zero serves nobody")

    @hookimpl
    def start(self, config):
        self.rate = config["rate"]

    @hookimpl
    def reconfigure(self, config):
        self.rate = config["rate"]

    @hookimpl
    def probe(self):
        return Health(healthy=True, detail=f"as it should, at {self.rate}")


class Web:
    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        pass


@attrs.frozen
class Service:
    """A service that runs, and where its files and its page are."""

    runtime: Runtime
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.runtime.probe('admin').values['port']}"

    @property
    def token(self) -> str:
        return (self.folder / "state/admin.token").read_text().strip()

    def edit(self, old: str, new: str) -> None:
        """Change the text of the file, as an editor does."""
        path = self.folder / "app.yaml"
        fresh = path.with_suffix(".new")
        fresh.write_text(path.read_text().replace(old, new))
        fresh.replace(path)

    def rate(self) -> Any:
        """Return the value in force that tests change."""
        return self.runtime.snapshot.document.modules["limiter"].config["rate"]


@pytest.fixture
def app() -> str:
    """Return the configuration of the service; a test may have its own."""
    return APP


@pytest.fixture
def strategy() -> str:
    """Return the strategy of the service; a test may have its own."""
    return "surgical"


@pytest.fixture
def service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: str, strategy: str
) -> Iterator[Service]:
    """Run a service with the page, on three layers."""
    (tmp_path / "app.yaml").write_text(app)
    (tmp_path / "defaults.yaml").write_text(DEFAULTS)
    sources = ["file:defaults.yaml", "file:app.yaml", "overrides:file:overrides.yaml"]
    monkeypatch.chdir(tmp_path)
    runtime = Runtime(
        sources,
        modules={"admin": AdminModule, "limiter": Limiter, "web": Web},
        plugins=["control", "state"],
        watch=True,
        strategy=strategy,
        state_dir=tmp_path / "state",
    )
    with runtime:
        yield Service(runtime, tmp_path)


@pytest.fixture
def client(service: Service) -> Iterator[httpx2.Client]:
    """Ask as a browser does which runs no scripts; nobody is logged in."""
    with httpx2.Client(base_url=service.url, headers={"Origin": service.url}) as client:
        yield client


@pytest.fixture
def log_in(service: Service, client: httpx2.Client) -> Callable[[str], httpx2.Response]:
    """Log the client in with a token."""

    def with_token(token: str) -> httpx2.Response:
        return client.post("/login", data={"token": token})

    return with_token


@pytest.fixture(scope="module")
def browser(servers_required: bool) -> Iterator[Browser]:
    """Start Chromium, once for each file: its event loop must not outlive the file."""
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        missing = "playwright"
    else:
        missing = "" if shutil.which(CHROMIUM) else CHROMIUM
    if missing and servers_required:
        pytest.fail(f"{missing} is not installed")
    if missing:
        pytest.skip(f"{missing} is not installed")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def complaints() -> list[str]:
    """Return what the browser complained about; each test ends by looking at it."""
    return []


@pytest.fixture
def open_page(
    browser: Browser,
    service: Service,
    complaints: list[str],
    client: httpx2.Client,
    log_in: Callable[[str], httpx2.Response],
) -> Iterator[Callable[..., Page]]:
    """Return what opens a window, logged in unless told otherwise."""
    contexts = []

    def opened(*, token: str | None = None, **options: Any) -> Page:
        context = browser.new_context(base_url=service.url, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: _note(complaints, said))
        page.on("request", lambda asked: _note_other(complaints, service, asked.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if token != "":
            log_in(token or service.token)
            for name, value in client.cookies.items():
                held = {"name": name, "value": value, "url": service.url}
                context.add_cookies([held])  # type: ignore[list-item]  # a dict it is
        page.goto("/")
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: Callable[..., Page], complaints: list[str]) -> Iterator[Page]:
    """Open a window that is logged in and live; it must not complain."""
    found = open_page()
    found.locator("#live[data-state=live]").wait_for()
    yield found
    assert complaints == []


def _note_other(complaints: list[str], service: Service, url: str) -> None:
    """Note a request to anybody else: the page needs nobody."""
    if not url.startswith(f"{service.url}/"):
        complaints.append(f"a request to {url}")


def _note(complaints: list[str], said: ConsoleMessage) -> None:
    by_test = "ERR_INTERNET_DISCONNECTED" in said.text  # a test took the net away
    if said.type in {"error", "warning"} and not by_test:
        complaints.append(f"{said.type}: {said.text}")
