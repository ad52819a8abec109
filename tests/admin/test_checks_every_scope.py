from __future__ import annotations

import pytest

SCOPES = ["read", "write:api-*", "write:*", "rollback", "admin"]
KNOWN = {"open", "read", "write", "rollback", "admin"}
EVENTS = "/api/v1/events"  # does not end by itself
APPLY = "/api/v1/apply"  # asks which modules a plan is about
OWN, ADMIN = {"api-limiter": {"patch": {"rate": 7}}}, {"hosts": ["x.example"]}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def operations(service):
    """Return everything that the application answers, and nothing else."""
    return service.runtime.module("admin").operations


def may(scope: str, needs: str, path: str) -> bool:
    """Tell whether a token of one scope opens a route for the module `api-limiter`."""
    if scope == "admin" or needs in {"open", "read"}:
        return True
    if needs != "write":
        return scope == needs
    named = "api-limiter" in path
    return scope == "write:*" or (scope == "write:api-*" and named)


def test_every_path_has_a_scope(service):
    """No other than these is open, and what is described is there."""
    declared = {(each.method, each.path): each.scope for each in operations(service)}
    described = service.get("/openapi.json").json()["paths"]
    told = {(verb.upper(), path) for path, verbs in described.items() for verb in verbs}

    assert told <= declared.keys()
    assert set(declared.values()) <= KNOWN
    assert len([path for _, path in declared if path.startswith("/api/v1/")]) >= 15
    open_ = {path for (_, path), scope in declared.items() if scope == "open"}
    assert open_ == {"/livez", "/login", "/page/static/{file}"}


def test_no_path_answers_who_has_no_token(make_service):
    """Whatever is not declared open is 401, or leads to the form that asks for one."""
    service = make_service(failed_logins=1_000)
    wrong = []
    with service.client("none") as client:
        for each in operations(service):
            path = each.path.replace("{name}", "api-limiter").replace("{number}", "1")
            answer = client.request(each.method, path, headers=FORM)
            asks = answer.headers.get("location", "").startswith("/login")
            is_closed = answer.status_code == 401 or (not is_api(path) and asks)
            if each.scope != "open" and not is_closed:
                wrong.append((each.method, path, answer.status_code))

    assert wrong == []


@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_opens_just_what_it_is_for(make_service, scope):
    """Every route of the API is tried with a token of each scope."""
    service = make_service(requests_per_second=1_000)
    wrong = []
    with service.client(service.token(scope)) as client:
        for each in operations(service):
            if each.path in {EVENTS, APPLY} or not is_api(each.path):
                continue
            path = each.path.replace("{name}", "api-limiter")
            if path == "/api/v1/overrides":
                path += "?path=modules.api-limiter.config.rate"
            answer = client.request(each.method, path, json={"value": 1})
            is_open = answer.status_code != 403
            if is_open != may(scope, each.scope, path):
                wrong.append((each.method, path, answer.status_code))

    assert wrong == []


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ({"modules": OWN}, {"write:api-*", "write:*", "admin"}),
        ({"module": "admin", "patch": ADMIN}, {"admin"}),
        ({"modules": {**OWN, "admin": {"patch": ADMIN}}}, {"admin"}),
        ({}, {"write:*", "admin"}),
    ],
    ids=["own", "other", "both", "nothing"],
)
@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope_applies_just_what_it_may_change(service, body, allowed, scope):
    """Whoever may read makes the plan; each module of it counts, or all if it is none.

    A plan of nothing is one of whatever the sources hold by the time it is applied. Who
    changes an admin changes what the tokens may.
    """
    before = service.runtime.snapshot.generation
    with service.client(service.token("read", name="planner")) as client:
        plan = client.post("/api/v1/plan", json=body)
    with service.client(service.token(scope)) as client:
        answer = client.post(APPLY, json={"token": plan.json()["token"]})

    assert plan.status_code == 200, plan.text
    assert answer.status_code == (200 if scope in allowed else 403), answer.text
    is_changed = service.runtime.snapshot.generation > before
    assert is_changed == (scope in allowed and body != {})


def is_api(path: str) -> bool:
    """Tell whether a path is asked with a token in a header."""
    return path.startswith("/api/") or path in {"/readyz", "/metrics", "/openapi.json"}


def test_a_scope_for_some_modules_is_for_those_only(service):
    """`write:api-*` changes `api-limiter`, and not the admin."""
    with service.client(service.token("write:api-*")) as client:
        own = client.patch("/api/v1/modules/api-limiter/config", json={"rate": 5})
        other = client.patch("/api/v1/modules/admin/config", json={"hosts": ["x"]})

    assert own.status_code == 200, own.text
    assert service.runtime.module("api-limiter").rate == 5
    assert (other.status_code, other.json()["code"]) == (403, "E_SCOPE")


def test_what_a_token_may_not_is_written_down(service, caplog):
    """A refusal for want of a scope is in the log, with the token's name."""
    service.get("/api/v1/status", service.token("rollback", name="backup"))
    with service.client(service.tokens.create("ci", ("read",))) as client:
        client.post("/api/v1/reload", json={})

    assert "E_SCOPE: POST /api/v1/reload is not allowed" in caplog.text


def test_a_token_without_a_scope_cannot_be_made(service):
    """Deny is the default: there is no token that may nothing."""
    with pytest.raises(ValueError, match="no scope"):
        service.tokens.create("none", ())
