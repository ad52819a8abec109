from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import attrs
import msgspec
import pydantic
import pytest

from midflight import Runtime
from midflight.errors import Fault
from midflight.testing import FakeSource

pytestmark = pytest.mark.no_canaries
T = TypeVar("T")


class Level(enum.IntEnum):
    ONE = 1
    TWO = 2


@attrs.frozen
class AttrsChoice:
    level: Level = Level.ONE
    one_of: list[Literal[1, 2]] = attrs.field(factory=list)


class DictChoice(typing.TypedDict, total=False):
    level: Level
    one_of: list[Literal[1, 2]]


class ModelChoice(pydantic.BaseModel):
    level: Level = Level.ONE
    one_of: list[Literal[1, 2]] = []


class StructChoice(msgspec.Struct):
    level: Level = Level.ONE
    one_of: list[Literal[1, 2]] = []


@attrs.frozen
class AttrsCat:
    kind: Literal["cat"]
    lives: int


@attrs.frozen
class AttrsDog:
    kind: Literal["dog"]
    legs: int


@attrs.frozen
class AttrsPet:
    pet: AttrsCat | AttrsDog


class ModelCat(pydantic.BaseModel):
    kind: Literal["cat"]
    lives: int


class ModelDog(pydantic.BaseModel):
    kind: Literal["dog"]
    legs: int


class ModelPet(pydantic.BaseModel):
    pet: ModelCat | ModelDog = pydantic.Field(discriminator="kind")


class StructCat(msgspec.Struct, tag="cat", tag_field="kind"):
    lives: int


class StructDog(msgspec.Struct, tag="dog", tag_field="kind"):
    legs: int


class StructPet(msgspec.Struct):
    pet: StructCat | StructDog


@attrs.frozen
class AttrsMany(Generic[T]):
    first: T
    rest: list[T] = attrs.field(factory=list)


@dataclasses.dataclass
class DataMany(Generic[T]):
    first: T
    rest: list[T] = dataclasses.field(default_factory=list)


class ModelMany(pydantic.BaseModel, Generic[T]):
    first: T
    rest: list[T] = []


class StructMany(msgspec.Struct, Generic[T]):
    first: T
    rest: list[T] = []


looks: list[str] = []


def look(text: str) -> str:
    """Note that a name was looked at."""
    looks.append(text)
    return text


@attrs.frozen
class Node:
    name: str = attrs.field(converter=look)
    below: Node | None = None


@attrs.frozen
class Both:
    name: str = attrs.field(default="", converter=look)
    below: Both | Either | None = None


@attrs.frozen
class Either:
    name: str = attrs.field(default="", converter=look)
    below: Both | Either | None = None


class Made(msgspec.Struct):
    rate: int = 1

    def __post_init__(self):
        looks.append("made")


@pytest.fixture
def faults_of(module_of) -> Callable[[Any, Any], list[Fault]]:
    """Return what lists the faults of one configuration."""

    def listed(kind: Any, config: Any) -> list[Fault]:
        entry = {"name": "a", "type": "limiter", "config": config}
        source = FakeSource({"modules": [entry]})
        return list(Runtime(source, modules={"limiter": module_of(kind)}).check())

    return listed


def told(faults: list[Fault]) -> list[tuple[str, tuple[Any, ...]]]:
    """Return code and path, below `config`, of each fault."""
    return [(str(each.code), each.path[3:]) for each in faults]


@pytest.mark.parametrize("value", [True, 1.0, "1"])
@pytest.mark.parametrize(
    "kind", [AttrsChoice, DictChoice, ModelChoice, StructChoice], ids=str
)
def test_a_choice_is_taken_only_as_it_stands(kind, value, faults_of):
    """Neither `true` nor `1.0` is 1, in an enumeration or a `Literal` of any kind."""
    faults = faults_of(kind, {"level": value, "one_of": [2, value]})

    assert faults_of(kind, {"level": 1, "one_of": [2, 1]}) == []
    assert told(faults) == [("E_ENUM", ("level",)), ("E_ENUM", ("one_of", 1))]


@pytest.mark.parametrize("kind", [AttrsPet, ModelPet, StructPet], ids=str)
def test_a_tag_that_fits_no_member_is_told_at_the_tag(kind, faults_of):
    """A union told apart by a tag says that it is missing, or what it may be."""
    where = ("pet", "kind")
    wrong, missing = faults_of(kind, {"pet": {"kind": "cog", "legs": 4}}), {"legs": 4}

    assert told(wrong) == [("E_ENUM", where)]
    assert "did you mean `dog`?" in wrong[0].hint or "known:" in wrong[0].hint
    assert told(faults_of(kind, {"pet": missing})) == [("E_REQUIRED", where)]


@pytest.mark.parametrize("kind", [AttrsPet, ModelPet, StructPet], ids=str)
def test_no_hint_names_the_key_that_it_is_about(kind, faults_of):
    """A key that another member of the union has is not proposed for itself."""
    (fault,) = faults_of(kind, {"pet": {"kind": "cat", "lives": 9, "legs": 4}})

    assert str(fault.code) == "E_UNKNOWN"
    assert "`legs`" not in fault.hint


@pytest.mark.parametrize(
    "kind",
    [AttrsMany[int], DataMany[int], ModelMany[int], StructMany[int]],
    ids=["attrs", "dataclass", "pydantic", "msgspec"],
)
def test_the_arguments_of_a_generic_class_count_everywhere(kind, faults_of):
    """What stands in a list of the parameter is judged like the parameter itself."""
    found = told(faults_of(kind, {"first": "1", "rest": [1, "2"]}))

    assert found == [("E_TYPE", ("first",)), ("E_TYPE", ("rest", 1))]


@pytest.mark.parametrize("kind", [Node, Both])
def test_a_fault_deep_down_costs_no_more_than_its_depth(kind, faults_of):
    """Each level of nested classes is looked at a few times, not twice as often."""
    config: dict[str, Any] = {"name": 5}
    for _ in range(12):
        config = {"name": "x", "below": config}
    looks.clear()
    found = told(faults_of(kind, config))

    assert found == [("E_TYPE", (*["below"] * 12, "name"))]
    assert len(looks) < 100


def test_a_struct_that_fits_is_made_once(faults_of):
    """No second one is made to find faults that are not there."""
    looks.clear()

    assert faults_of(Made, {"rate": 2}) == []
    assert looks == ["made"]


def test_an_item_that_is_missing_or_wrong_is_told_by_its_place(faults_of):
    """In a tuple of fixed length each item has its own type."""

    class Model(pydantic.BaseModel):
        pair: tuple[int, str]

    class Struct(msgspec.Struct):
        pair: tuple[int, str]

    (missing,) = faults_of(Model, {"pair": [1]})

    assert missing.message == "item 2 is missing"
    for kind in (Model, Struct):
        found = told(faults_of(kind, {"pair": ["1", 2]}))
        assert found == [("E_TYPE", ("pair", 0)), ("E_TYPE", ("pair", 1))]


@pytest.mark.parametrize(
    ("schema", "config", "words"),
    [
        ({"items": {"type": "array", "uniqueItems": True}}, [1, 1], "stands there"),
        ({"items": {"propertyNames": {"maxLength": 2}}}, {"abc": 1}, "`abc` is no"),
    ],
)
def test_a_rule_about_a_whole_value_is_told_in_words(schema, config, words, faults_of):
    """Items that stand twice, and keys that may not be called so."""
    kind = {"type": "object", "properties": schema}
    (fault,) = faults_of(kind, {"items": config})

    assert (str(fault.code), fault.path[3:]) == ("E_VALUE", ("items",))
    assert words in fault.message


def test_items_of_different_types_are_not_the_same(faults_of):
    """1, 1.0 and true may stand side by side where each item has to be unique."""
    kind = {"properties": {"items": {"type": "array", "uniqueItems": True}}}

    assert faults_of(kind, {"items": [1, 1.0, True, "1"]}) == []
