from __future__ import annotations

from types import SimpleNamespace

import attrs
import pytest

from midflight import Runtime, Secret, hookimpl
from midflight_plugins.admin import AdminModule

APP = """\
modules:
  admin:
    type: admin
    config: {address: "127.0.0.1:0"}
  api:
    type: limiter
    config: {rate: 1, port: 80, word: open-sesame-now, tls: {cert: a.pem, days: 3}}
"""


@attrs.frozen
class Tls:
    cert: str
    days: int = attrs.field(default=90, metadata={"x-midflight": "live"})


@attrs.frozen
class Limits:
    rate: int
    port: int = attrs.field(default=80, metadata={"x-midflight": "restart"})
    word: Secret | None = None
    tls: Tls | None = attrs.field(default=None, metadata={"x-midflight": "restart"})


class Limiter:
    Config = Limits

    def __init__(self, name):
        pass

    @hookimpl
    def start(self, config):
        pass

    @hookimpl
    def reconfigure(self, config):
        pass


@pytest.fixture
def service(tmp_path, monkeypatch):
    """Run a service with the page, and a module with marked fields."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.yaml").write_text(APP)
    runtime = Runtime(
        "file:app.yaml",
        modules={"admin": AdminModule, "limiter": Limiter},
        plugins=["control", "state"],
        state_dir=tmp_path / "state",
    )
    with runtime:
        port = runtime.probe("admin").values["port"]
        token = (tmp_path / "state/admin.token").read_text().strip()
        yield SimpleNamespace(url=f"http://127.0.0.1:{port}", token=token)


@pytest.mark.no_canaries
def test_the_page_of_a_module_shows_what_each_field_is_marked_with(
    service, client, log_in
):
    """Live, restart and secret stand beside the keys; a part has its whole's mark."""
    log_in(service.token)
    text = client.get("/modules/api").text
    rows = text.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr>")[1:]
    marks = {
        row.partition('class="mono">')[2].partition("<")[0].strip(): [
            word
            for word in ("live", "restart", "secret")
            if f'<span class="chip quiet">{word}</span>' in row
        ]
        for row in rows
    }

    assert marks == {
        "rate": [],
        "port": ["restart"],
        "word": ["secret"],
        "tls.cert": ["restart"],
        "tls.days": ["live"],
    }
    assert "open-sesame-now" not in text


@pytest.mark.no_canaries
def test_the_api_tells_the_marks_of_a_module(service, client):
    """Each marked key by its path, with all its marks."""
    headers = {"Authorization": f"Bearer {service.token}"}
    content = client.get("/api/v1/modules/api", headers=headers).json()

    assert content["marks"] == {
        "port": ["restart"],
        "word": ["secret"],
        "tls": ["restart"],
        "tls.days": ["live"],
    }
