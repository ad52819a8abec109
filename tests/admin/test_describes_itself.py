from __future__ import annotations

import re
import subprocess
import sysconfig
from typing import Any

import jsonschema
import pytest

FUZZER = """
[parameters]
"path.name" = "api-limiter"

[[operations]]  # does not end
include-name = "GET /api/v1/events"
enabled = false

# no schema can say which values a module refuses, or which tag is the one of now
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 304, 400, 404, 409, 410, 412, 422, 428, 501]

# what DELETE takes away is an override; the configuration below it is there again
[checks.use_after_free]
enabled = false

[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 501, 503]
"""


@pytest.fixture
def described(service) -> dict[str, Any]:
    """Return the description that the service gives."""
    return service.get("/openapi.json").json()


def operations(described):
    """Yield method, path and description of each operation."""
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_it_describes_just_what_it_answers(service, described):
    """Every path of the API is there, with every method, and no other."""
    served = {
        (each.method, each.path)
        for each in service.runtime.module("admin").operations
        if each.path.startswith("/api/") or "." in each.path or each.path[-1] == "z"
    } | {("GET", "/metrics")}

    assert {(method, path) for method, path, _ in operations(described)} == served
    assert described["openapi"] == "3.1.0"


def test_it_says_which_bodies_may_be_left_out(service, described):
    """What needs one is refused without, and everything else is done."""
    refused, required = {}, {}
    with service.client(headers={"If-Match": "*"}) as client:
        for method, path, operation in operations(described):
            if "requestBody" in operation:
                named = path.replace("{name}", "api-limiter")
                query = "?path=limits.rate" if path.endswith("overrides") else ""
                status = client.request(method, named + query).status_code
                refused[method, path] = 400 <= status < 500
                required[method, path] = operation["requestBody"]["required"]

    assert refused == required
    assert set(required.values()) == {True, False}


def test_each_operation_has_a_name_of_its_own(described):
    """Programs that are made of it call them; all but `/livez` need a token."""
    names = [operation["operationId"] for *_, operation in operations(described)]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+[A-Za-z]*", name) for name in names)
    for _, path, operation in operations(described):
        assert operation.get("security", described["security"]) == (
            [] if path == "/livez" else [{"token": []}]
        )
        assert operation["summary"].endswith(".")
        assert "500" in operation["responses"]


def test_every_reference_leads_somewhere(described):
    """Each `$ref` is a schema of its own, and each schema is one."""
    schemas = described["components"]["schemas"]
    references = set(re.findall(r"#/components/schemas/(\w+)", str(described)))

    assert references == schemas.keys()
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_each_link_leads_to_an_operation(described):
    """What an answer tells can be asked with next; the parameters are that one's."""
    known = {
        operation["operationId"]: operation for *_, operation in operations(described)
    }
    links = [
        link
        for operation in known.values()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]

    assert {"apply", "putModuleConfig"} <= {each["operationId"] for each in links}
    for each in links:
        taken = known[each["operationId"]]["parameters"]
        names = {f"{one['in']}.{one['name']}" for one in taken}
        assert each["parameters"].keys() <= names


@pytest.mark.timeout(120)
def test_nothing_it_answers_contradicts_it(service, tmp_path):
    """A fuzzer that makes requests of the description finds no other answer.

    It tries the bounds of each parameter, values at random, and then operations that
    follow each other by links, with every check that it knows.
    """
    service.configure(
        address=f"127.0.0.1:{service.port}",
        requests_per_second=1e6,
        failed_logins=10**6,
    )
    (tmp_path / "schemathesis.toml").write_text(FUZZER)
    command = [
        f"{sysconfig.get_path('scripts')}/st",
        *("--config-file", "schemathesis.toml", "run"),
        f"{service.address}/openapi.json",
        *("--header", f"Authorization: Bearer {service.first}"),
        *("--checks", "all", "--suppress-health-check", "all"),
        *("--seed", "1", "--max-examples", "3", "--continue-on-failure", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, text=True, stdout=-1, check=False)
    told = done.stdout

    assert done.returncode == 0, told
    assert "✅  Stateful" in told
    assert service.get("/api/v1/status").status_code == 200
