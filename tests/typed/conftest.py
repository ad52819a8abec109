"""One configuration, described in every way there is."""

from __future__ import annotations

import dataclasses
import typing
from typing import Annotated, Any

import attrs
import msgspec
import pydantic
import pytest

from midflight import Secret, hookimpl


@attrs.frozen
class AttrsTls:
    cert: str
    days: int = 90


@attrs.frozen
class AttrsLimits:
    rate: int = attrs.field(validator=attrs.validators.ge(1))
    port: int = attrs.field(default=80, metadata={"x-midflight": "restart"})
    mode: typing.Literal["fast", "slow"] = "fast"
    tls: AttrsTls | None = None
    hosts: tuple[str, ...] = ()
    sites: dict[str, AttrsTls] = attrs.field(factory=dict)
    token: Secret | None = None


@dataclasses.dataclass(frozen=True)
class DataTls:
    cert: str
    days: int = 90


@dataclasses.dataclass(frozen=True)
class DataLimits:
    rate: int
    port: int = dataclasses.field(default=80, metadata={"x-midflight": "restart"})
    mode: typing.Literal["fast", "slow"] = "fast"
    tls: DataTls | None = None
    hosts: tuple[str, ...] = ()
    sites: dict[str, DataTls] = dataclasses.field(default_factory=dict)
    token: Secret | None = None

    def __post_init__(self):
        if self.rate < 1:
            raise ValueError("`rate` is too small")


class DictTls(typing.TypedDict, total=False):
    cert: typing.Required[str]
    days: int


class DictLimits(typing.TypedDict):
    rate: int
    port: typing.NotRequired[Annotated[int, "x-midflight: restart"]]
    mode: typing.NotRequired[typing.Literal["fast", "slow"]]
    tls: typing.NotRequired[DictTls | None]
    hosts: typing.NotRequired[tuple[str, ...]]
    sites: typing.NotRequired[dict[str, DictTls]]
    token: typing.NotRequired[Secret]


class ModelTls(pydantic.BaseModel):
    cert: str
    days: int = 90


class ModelLimits(pydantic.BaseModel):
    rate: int = pydantic.Field(ge=1)
    port: int = pydantic.Field(80, json_schema_extra={"x-midflight": "restart"})
    mode: typing.Literal["fast", "slow"] = "fast"
    tls: ModelTls | None = None
    hosts: tuple[str, ...] = ()
    sites: dict[str, ModelTls] = {}
    token: pydantic.SecretStr = pydantic.SecretStr("")


class StructTls(msgspec.Struct, frozen=True):
    cert: str
    days: int = 90


class StructLimits(msgspec.Struct, frozen=True):
    rate: Annotated[int, msgspec.Meta(ge=1)]
    port: Annotated[int, msgspec.Meta(extra_json_schema={"x-midflight": "restart"})] = (
        80
    )
    mode: typing.Literal["fast", "slow"] = "fast"
    tls: StructTls | None = None
    hosts: tuple[str, ...] = ()
    sites: dict[str, StructTls] = msgspec.field(default_factory=dict)
    token: Secret = Secret("")


SCHEMA = {
    "type": "object",
    "properties": {
        "rate": {"type": "integer", "minimum": 1},
        "port": {"type": "integer", "default": 80, "x-midflight": "restart"},
        "mode": {"enum": ["fast", "slow"]},
        "tls": {"anyOf": [{"$ref": "#/$defs/Tls"}, {"type": "null"}]},
        "hosts": {"type": "array", "items": {"type": "string"}},
        "sites": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Tls"}},
        "token": {"type": "string", "x-midflight": "secret"},
    },
    "required": ["rate"],
    "additionalProperties": False,
    "$defs": {
        "Tls": {
            "type": "object",
            "properties": {"cert": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["cert"],
            "additionalProperties": False,
        }
    },
}

KINDS: dict[str, Any] = {
    "attrs": AttrsLimits,
    "dataclass": DataLimits,
    "TypedDict": DictLimits,
    "pydantic": ModelLimits,
    "msgspec": StructLimits,
    "JSON Schema": SCHEMA,
}


@pytest.fixture(params=KINDS, ids=str)
def kind(request) -> Any:
    """Return a `Config` of each kind."""
    return KINDS[request.param]


@pytest.fixture
def kinds() -> dict[str, Any]:
    """Return a `Config` of each kind, by its name."""
    return KINDS


@pytest.fixture
def module_of() -> Any:
    """Return what makes a module class of a `Config`; it notes what it is given."""

    def made(kind: Any) -> Any:
        class Limiter:
            Config = kind
            made: typing.ClassVar[list[Any]] = []
            given: typing.ClassVar[list[Any]] = []

            def __init__(self, name):
                self.made.append(name)

            @hookimpl
            def start(self, config):
                self.given.append(config)

            @hookimpl
            def reconfigure(self, config):
                self.given.append(config)

        return Limiter

    return made
