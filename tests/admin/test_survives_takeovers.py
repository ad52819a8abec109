from __future__ import annotations

import json

import pytest

from midflight.errors import InvalidConfigurationError
from midflight_plugins.http import HttpConfig
from midflight_plugins.http._apps import load_app


@pytest.mark.parametrize(
    "app",
    [
        "subprocess:Popen",
        "os:system",
        "builtins:exec",
        "importlib.util:spec_from_file_location",
        "midflight_plugins.http._apps:importlib.import_module",
        "midflight_plugins.http._apps:logging.config.dictConfig",
    ],
)
def test_the_key_of_an_application_runs_no_command(app, tmp_path):
    """Who may write a configuration gets no shell by it."""
    config = HttpConfig(app=app, factory=True, settings={"touch": 1, "x": 2})
    with pytest.raises(InvalidConfigurationError, match=r"standard library|import"):
        load_app(config)


def test_nothing_that_is_shown_holds_a_secret(service):
    """Not the answers, not the figures, not the events, not the description."""
    secret = "canary-3f7a"
    service.modules["api-limiter"]["config"] = {"rate": 1}
    dsn = f"postgresql://app:{secret}@db.example.org/app"
    service.base.set(
        {"modules": service.modules, "store": {"password": secret, "dsn": dsn}}
    )
    assert service.runtime.reload().ok
    paths = [
        each.path.replace("{name}", "api-limiter")
        for each in service.runtime.module("admin")._site.operations
        if each.method == "GET" and each.path != "/api/v1/events"
    ]
    asked = [*paths, "/api/v1/explain?all=true", "/api/v1/modules/admin?probe=true"]
    answers = {path: service.get(path) for path in asked}
    with service.client() as client:
        body = {"module": "api-limiter", "patch": {"rate": 2}}
        answers["plan"] = client.post("/api/v1/plan", json=body)

    assert len(answers) > 20
    assert answers["/api/v1/config"].json()["store"]["password"] == "*" * 8
    for path, answer in answers.items():
        assert secret not in answer.text, path
        assert str(service.folder.parent) not in answer.text, path
        assert answer.headers["cache-control"] in {"no-store", "no-cache"}, path


def test_a_plan_is_only_for_who_may_write_what_it_touches(service):
    """Whoever made it: it is his rights that count who carries it out."""
    body = {"module": "admin", "patch": {"patience": 3}}
    with service.client() as client:
        token = client.post("/api/v1/plan", json=body).json()["token"]
    for scope in ("read", "write:api-*", "rollback"):
        with service.client(service.token(scope, name=scope.split(":")[0])) as client:
            answer = client.post("/api/v1/apply", json={"token": token})
            assert answer.status_code == 403, scope
    with service.client() as client:
        done = client.post("/api/v1/apply", json={"token": token})
        again = client.post("/api/v1/apply", json={"token": token})

    assert (done.status_code, again.status_code) == (200, 404)


@pytest.mark.parametrize("name", ["x\r\nINFO forged", "\x1b[31mred", "a\u2028b"])
def test_no_name_forges_a_line_of_the_log(service, caplog, name):
    """Paths, hosts and addresses that are logged stay one line of plain text."""
    from urllib.parse import quote

    reader = service.token("read")
    with service.client(reader) as client:
        client.put(f"/api/v1/modules/{quote(name)}/config", json={})
        client.put("/api/v1/status", json={})
    service.raw("GET /livez HTTP/1.1", host="evil.example\x7f")
    texts = [each.getMessage() for each in caplog.records if "admin" in each.name]

    assert any("E_SCOPE" in each for each in texts)
    assert all(each.isprintable() for each in texts), texts
    events = service.get("/api/v1/history").text
    assert json.loads(events)
