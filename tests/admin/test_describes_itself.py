from __future__ import annotations

import re
from typing import Any, cast

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
STREAM = "/api/v1/events"


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
    site = service.runtime.module("admin")._site
    served = {
        (each.method, each.path)
        for each in site.operations
        if each.path.startswith("/api/") or "." in each.path or each.path[-1] == "z"
    } | {("GET", "/metrics")}

    assert {(method, path) for method, path, _ in operations(described)} == served
    assert described["openapi"] == "3.1.0"


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


def test_nothing_it_answers_contradicts_it(service, described):
    """A fuzzer that makes requests of the description finds no other answer."""
    del described["paths"][STREAM]
    service.configure(
        address=f"127.0.0.1:{service.port}",
        requests_per_second=1e6,
        failed_logins=10**6,
    )
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=service.address)
    headers = {"Authorization": f"Bearer {service.first}"}

    for result in schema.get_all_operations():
        operation: Any = cast("Any", result).ok()

        @settings(
            max_examples=8,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def fuzz(case):
            case.call_and_validate(headers=headers, checks=CHECKS)

        fuzz()
