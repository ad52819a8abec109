from __future__ import annotations

import dataclasses
import http.server
import threading
import typing
from typing import Annotated, Any

import attrs
import msgspec
import pydantic
import pytest

from midflight import Runtime, Secret
from midflight.testing import FakeSource

pytestmark = pytest.mark.no_canaries
MARK: dict[str, Any] = {"x-midflight": "secret"}


@attrs.frozen
class ByAttrs:
    note: str = attrs.field(metadata=MARK)


@dataclasses.dataclass
class ByDataclass:
    note: str = dataclasses.field(metadata=MARK)


@attrs.frozen
class ByAnnotation:
    note: Annotated[str, "x-midflight: secret"]


class ByTypedDict(typing.TypedDict):
    note: Annotated[str, "x-midflight: secret"]


class ByModel(pydantic.BaseModel):
    note: str = pydantic.Field(json_schema_extra=MARK, max_length=20)


class ByStruct(msgspec.Struct):
    note: Annotated[str, msgspec.Meta(extra_json_schema=MARK)]


SCHEMA = {"type": "object", "properties": {"note": {"type": "string", **MARK}}}


@pytest.mark.parametrize(
    "kind",
    [ByAttrs, ByDataclass, ByAnnotation, ByTypedDict, ByModel, ByStruct, SCHEMA],
    ids=str,
)
def test_what_is_marked_as_secret_is_shown_nowhere(kind, module_of):
    """The document hides the value, a fault tells nothing of it; the module has it."""
    types = {"limiter": module_of(kind)}
    entry = {"name": "a", "type": "limiter", "config": {"note": "hunter2"}}
    with Runtime(FakeSource({"modules": [entry]}), modules=types) as runtime:
        shown = runtime.snapshot.document.modules["a"].config["note"]
        given: Any = runtime.module("a").given[0]
    entry["config"] = {"note": 20252025}
    faults = Runtime(FakeSource({"modules": [entry]}), modules=types).check()

    assert isinstance(shown, Secret)
    assert (given["note"] if isinstance(given, dict) else given.note) == "hunter2"
    assert faults
    assert "2025" not in str(faults)


@attrs.frozen
class Login:
    password: Secret


@attrs.frozen
class AttrsLogins:
    login: Login | int | None = None
    many: list[Annotated[str, "x-midflight: secret"]] = attrs.field(factory=list)


@dataclasses.dataclass
class DataLogins:
    login: Login | None = None
    many: list[Annotated[int, "x-midflight: secret"]] | None = None


class StructLogin(msgspec.Struct):
    password: Secret


class StructLogins(msgspec.Struct):
    login: StructLogin | None = None
    many: list[Secret] = []


class ModelLogin(pydantic.BaseModel):
    password: pydantic.SecretStr


class ModelLogins(pydantic.BaseModel):
    login: ModelLogin | None = None
    many: list[pydantic.SecretStr] = []


PASSWORD = {"$anchor": "p", "type": "integer", "writeOnly": True}
LOGIN = {"oneOf": [{"type": "integer"}, {"properties": {"password": PASSWORD}}]}
LOGINS = {
    "properties": {
        "login": {"type": ["integer", "object"], **LOGIN},
        "many": {"type": "array", "items": {"$ref": "#p"}},
    }
}


@pytest.mark.parametrize(
    "config",
    [{"login": "hunter2"}, {"many": "hunter2"}, {"many": [["hunter2"]]}],
    ids=str,
)
@pytest.mark.parametrize(
    "kind",
    [AttrsLogins, DataLogins, StructLogins, ModelLogins, LOGINS],
    ids=["attrs", "dataclass", "msgspec", "pydantic", "JSON Schema"],
)
def test_what_stands_where_a_secret_belongs_below_is_not_shown(kind, config, module_of):
    """A password written one level too high or too low is in no fault."""
    entry = {"name": "a", "type": "limiter", "config": config}
    types = {"limiter": module_of(kind)}
    faults = Runtime(FakeSource({"modules": [entry]}), modules=types).check()

    assert faults
    assert "hunter2" not in f"{faults}{[str(each) for each in faults]}"


def test_what_a_reference_hides_is_not_shown(module_of):
    """Where a schema leads to cannot be seen, so the value may be a secret."""
    pin = {"$id": "pin.json", "type": "integer"}
    schema = {"$id": "https://x.invalid/", "$defs": {"pin": pin}}
    schema["properties"] = {"pin": {"$ref": "pin.json"}}
    types = {"limiter": module_of(schema)}
    entry = {"name": "a", "type": "limiter", "config": {"pin": "hunter2"}}
    (fault,) = Runtime(FakeSource({"modules": [entry]}), modules=types).check()

    assert fault.message == "value is refused"


def test_an_item_too_many_is_not_shown(module_of):
    """What jsonschema tells of a list names its items; the fault does not."""
    many = {"type": "array", "prefixItems": [{"writeOnly": True}], "items": False}
    types = {"limiter": module_of({"properties": {"many": many}})}
    entry = {"name": "a", "type": "limiter", "config": {"many": ["a", "hunter2"]}}
    (fault,) = Runtime(FakeSource({"modules": [entry]}), modules=types).check()

    assert "hunter2" not in str(fault)


def test_a_reference_to_another_host_is_not_followed(module_of):
    """A `$ref` that leads away is refused; nothing is fetched while a file is read."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/x.json"
        types = {"limiter": module_of({"properties": {"a": {"$ref": url}}})}
        entry = {"name": "a", "type": "limiter", "config": {"a": "x"}}
        faults = Runtime(FakeSource({"modules": [entry]}), modules=types).check()
        server.shutdown()
        thread.join()

    assert [str(each.code) for each in faults] == ["E_VALUE"]
    assert asked == []
