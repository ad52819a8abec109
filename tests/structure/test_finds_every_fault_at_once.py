from __future__ import annotations

import dataclasses
import datetime
import enum
import pathlib
from collections.abc import Mapping
from typing import Annotated, Literal

import attrs
import jsonschema
import pytest

from midflight.errors import InvalidConfigurationError
from midflight_plugins.structure import json_schema, structure


@attrs.frozen
class Tls:
    cert: pathlib.Path
    days: int = attrs.field(default=90, validator=attrs.validators.ge(1))


@attrs.frozen
class Limits:
    rate: int = attrs.field(validator=attrs.validators.ge(1))
    burst: int = attrs.field(validator=attrs.validators.ge(1))
    name: str = "limiter"
    tls: Tls | None = None
    sites: dict[str, Tls] = attrs.field(factory=dict)
    ports: tuple[int, ...] = ()
    token: str = attrs.field(
        default="x" * 8, repr=False, validator=attrs.validators.min_len(8)
    )

    @burst.validator
    def _above_rate(self, _attribute, value):
        if value < self.rate:
            raise ValueError("`burst` is below `rate`")


def faults_of(config: Mapping[str, object], kind: type = Limits) -> list[tuple]:
    """Structure what must be refused; return path and code of each fault."""
    with pytest.raises(InvalidConfigurationError) as caught:
        structure(config, kind)
    return sorted((fault.path, str(fault.code)) for fault in caught.value.faults)


def test_all_faults_of_a_configuration_come_together():
    """Faults of types, keys, nested values and validators are all in one error."""
    config = {
        "rate": "10",
        "brst": 1,
        "tls": {"cert": 1, "days": 0},
        "sites": {"a": {"crt": "x"}, "b": 5},
        "ports": [1, "2", None],
    }

    assert faults_of(config) == sorted(
        [
            (("rate",), "E_TYPE"),
            (("burst",), "E_REQUIRED"),
            (("brst",), "E_UNKNOWN"),
            (("tls", "cert"), "E_TYPE"),
            (("tls", "days"), "E_VALUE"),
            (("sites", "a", "cert"), "E_REQUIRED"),
            (("sites", "a", "crt"), "E_UNKNOWN"),
            (("sites", "b"), "E_TYPE"),
            (("ports", 1), "E_TYPE"),
            (("ports", 2), "E_NULL"),
        ],
        key=lambda each: each,
    )


def test_every_failing_validator_is_heard():
    """Two failing validators are two faults, though attrs stops at one."""
    config = {"rate": 0, "burst": 0}

    assert faults_of(config) == [(("burst",), "E_VALUE"), (("rate",), "E_VALUE")]


def test_a_validator_speaks_even_when_another_field_has_the_wrong_type():
    """A wrong type in one field does not hide a wrong value in another."""
    config = {"rate": 0, "burst": 5, "name": 1}

    assert faults_of(config) == [(("name",), "E_TYPE"), (("rate",), "E_VALUE")]


def test_a_validator_that_needs_a_faulty_field_keeps_silent():
    """A validator that compares with a field of the wrong type says nothing yet."""
    assert faults_of({"rate": "1", "burst": 5}) == [(("rate",), "E_TYPE")]


def test_a_validator_across_fields_is_heard():
    """A validator that compares two good fields puts its fault at its own field."""
    assert faults_of({"rate": 5, "burst": 2}) == [(("burst",), "E_VALUE")]


def test_an_unknown_key_names_the_nearest_known_one():
    """A misspelt key is answered with the key that was meant."""
    with pytest.raises(InvalidConfigurationError, match="did you mean `rate`"):
        structure({"rat": 1, "burst": 1}, Limits)


def test_a_field_without_repr_keeps_its_value_out_of_every_fault():
    """What a class hides from its own repr does not appear in an error either."""
    for token in ("hunter2", 31337):
        with pytest.raises(InvalidConfigurationError) as caught:
            structure({"rate": 1, "burst": 1, "token": token}, Limits)

        assert [fault.path for fault in caught.value.faults] == [("token",)]
        assert str(token) not in str(caught.value)


@dataclasses.dataclass
class Window:
    low: int
    high: int = 10

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("`low` is above `high`")


def test_a_dataclass_that_refuses_to_be_made_is_a_fault_of_the_whole():
    """An exception of `__post_init__` becomes one fault at the mapping itself."""
    with pytest.raises(InvalidConfigurationError, match="`low` is above `high`"):
        structure({"low": 11}, Window)

    assert faults_of({"low": 11}, Window) == [((), "E_VALUE")]


def explode(_value):
    """Convert nothing."""
    raise RuntimeError("no such unit")


@attrs.frozen
class Converted:
    unit: str = attrs.field(converter=explode)
    rate: int = attrs.field(default=0, validator=attrs.validators.ge(1))


def test_a_converter_that_raises_is_a_fault_of_its_field():
    """An attrs converter that raises does not hide the fault of another field."""
    config = {"unit": "km", "rate": 0}

    assert faults_of(config, Converted) == [
        (("rate",), "E_VALUE"),
        (("unit",), "E_VALUE"),
    ]


def test_a_union_of_classes_shows_the_faults_of_the_nearest():
    """A mapping that fits no class of a union is measured by the one it resembles."""

    @attrs.frozen
    class Either:
        it: Tls | Window

    Either.__annotations__["it"] = Tls | Window
    attrs.resolve_types(Either, globals(), {"Tls": Tls, "Window": Window})

    assert faults_of({"it": {"low": "1"}}, Either) == [(("it", "low"), "E_TYPE")]


@attrs.frozen
class Described:
    home: pathlib.Path
    wait: datetime.timedelta
    tls: Tls
    rate: float = 1.0


GOOD = {"home": "/srv", "wait": 3, "tls": {"cert": "a.pem"}}


def test_the_schema_accepts_what_structuring_accepts():
    """A configuration that can be structured is valid under the schema of its class."""
    schema = json_schema(Described)

    assert structure(GOOD, Described).tls == Tls(pathlib.Path("a.pem"))
    jsonschema.validate(GOOD, schema)


@pytest.mark.parametrize(
    "bad",
    [
        {"home": 1},
        {"wait": "3"},
        {"tls": {}},
        {"tls": {"cert": "a", "crt": "b"}},
        {"more": 1},
        {"rate": "1"},
    ],
)
def test_the_schema_refuses_what_structuring_refuses(bad):
    """A wrong type, a missing and an unknown key are invalid under the schema too."""
    schema = json_schema(Described)

    with pytest.raises(InvalidConfigurationError):
        structure(GOOD | bad, Described)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(GOOD | bad, schema)


def test_the_schema_of_other_types_is_left_to_other_plugins():
    """A type that is neither an attrs class nor a dataclass gives `None`."""
    assert json_schema(dict) is None


def test_what_validators_demand_is_in_the_schema():
    """Bounds and lengths of attrs validators are words of JSON Schema."""
    schema = json_schema(Limits) or {}
    described = schema["$defs"]["Limits"]["properties"]

    assert described["rate"] == {"type": "integer", "minimum": 1}
    assert described["token"]["minLength"] == 8
    assert schema["$defs"]["Tls"]["properties"]["days"]["minimum"] == 1


@attrs.frozen
class Circle:
    radius: float
    shape: Literal["circle"] = "circle"


@attrs.frozen
class Square:
    side: float
    shape: Literal["square", "box"] = "square"


@attrs.frozen
class Drawing:
    it: Circle | Square


def test_a_tag_chooses_the_class_of_a_union():
    """Classes that differ in a `Literal` field are told apart by it."""
    assert structure({"it": {"shape": "box", "side": 1}}, Drawing).it == Square(
        1, "box"
    )
    assert structure({"it": {"shape": "circle", "radius": 1}}, Drawing).it == Circle(1)


@pytest.mark.parametrize(
    ("it", "faults"),
    [
        ({"radius": 1}, [(("it", "shape"), "E_REQUIRED")]),
        ({"shape": "star"}, [(("it", "shape"), "E_ENUM")]),
        (
            {"shape": "square", "radius": 1},
            [(("it", "radius"), "E_UNKNOWN"), (("it", "side"), "E_REQUIRED")],
        ),
        ([], [(("it",), "E_TYPE")]),
    ],
)
def test_faults_of_a_tagged_union_are_those_of_the_chosen_class(it, faults):
    """Without a known tag the tag is the fault; with it, what its class finds."""
    assert faults_of({"it": it}, Drawing) == faults


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Annotated[int, "in seconds"], "an integer"),
        (Literal["a", "b"], "'a' or 'b'"),
        (Colour, "'red' or 'blue'"),
        (Mapping[str, int], "a mapping"),
        (tuple[int, ...], "a list"),
        (Annotated[int, "in seconds"] | str, "an integer or a string"),
    ],
)
def test_what_is_expected_is_said_in_plain_words(kind, expected):
    """A fault names what the field takes, without a word of Python's types."""
    owner = attrs.make_class("Owner", {"field": attrs.field(type=kind)}, frozen=True)
    with pytest.raises(InvalidConfigurationError) as caught:
        structure({"field": object()}, owner)

    assert [fault.expected for fault in caught.value.faults] == [expected]
