from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import pathlib
import typing
from typing import Any

import attrs
import pytest

from midflight import Document
from midflight.errors import InvalidConfigurationError, PluginError
from midflight_plugins.structure import structure


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


def value_of(kind: Any, value: Any) -> Any:
    """Structure one value through a class with one field."""
    holder = attrs.make_class("Holder", {"it": attrs.field(type=kind)})
    return structure({"it": value}, holder).it


TAKEN = [
    (int, 8000),
    (float, 0.5),
    (str, "8000"),
    (bool, True),
    (None, None),
    (int | None, None),
    (int | None, 3),
    (int | str, "3"),
    (int | str, 3),
    (Colour, Colour.BLUE),
    (typing.Any, (1, "a")),
    (datetime.date, datetime.date(2026, 1, 2)),
    (datetime.datetime, datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)),
    (datetime.time, datetime.time(1, 2)),
    (typing.Literal["a", 1], 1),
    (typing.Annotated[int, "a note"], 3),
]


@pytest.mark.parametrize(("kind", "value"), TAKEN)
def test_a_value_of_the_right_type_is_taken_unchanged(kind, value):
    """A value that fits its type comes out equal and of the same type."""
    plain = value.value if isinstance(value, enum.Enum) else value
    taken = value_of(kind, plain)

    assert taken == value
    assert type(taken) is type(value)


REFUSED = [
    (int, "8000", "remove the quotes"),
    (int, True, ""),
    (int, 1.5, ""),
    (int, 2.0, "write 2"),
    (float, "0.5", "remove the quotes"),
    (float, True, ""),
    (str, 8000, "quote it"),
    (str, True, "quote it"),
    (bool, 1, ""),
    (bool, "true", "remove the quotes"),
    (bool, "yes", "write true"),
    (bytes, 8000, ""),
    (int | None, "x", ""),
    (int | str, 1.5, ""),
    (tuple[str, ...], "a", "write it as a list"),
    (list[str], {"a": 1}, "write it as a list"),
    (tuple[int, str], (1,), ""),
    (dict[str, int], (1,), ""),
    (pathlib.Path, 1, "quote it"),
    (datetime.date, datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), ""),
    (datetime.timedelta, "30", "remove the quotes"),
]


@pytest.mark.parametrize(("kind", "value", "hint"), REFUSED)
def test_a_value_of_the_wrong_type_is_refused_and_never_converted(kind, value, hint):
    """A value of another type is `E_TYPE`, with what to do where that is known."""
    with pytest.raises(InvalidConfigurationError) as caught:
        value_of(kind, value)
    (fault,) = caught.value.faults

    assert (fault.code, fault.path, fault.hint) == ("E_TYPE", ("it",), hint)
    assert fault.found
    assert fault.expected


@pytest.mark.parametrize("kind", [int, str, bool, list[int], dict[str, int], Colour])
def test_null_is_refused_where_the_type_does_not_say_none(kind):
    """A null for a type without `None` is `E_NULL`."""
    with pytest.raises(InvalidConfigurationError) as caught:
        value_of(kind, None)

    assert [fault.code for fault in caught.value.faults] == ["E_NULL"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Colour, "bleu"),
        (Level, True),
        (Level, 1.0),
        (typing.Literal["a", 1], True),
        (typing.Literal["a", 1], "b"),
    ],
)
def test_a_value_outside_a_choice_is_refused(kind, value):
    """An enumeration or `Literal` takes its own values only, and 1 is not true."""
    with pytest.raises(InvalidConfigurationError) as caught:
        value_of(kind, value)

    assert [fault.code for fault in caught.value.faults] == ["E_ENUM"]


def test_a_misspelt_choice_names_the_nearest():
    """A value that nearly is one of a choice is answered with that one."""
    with pytest.raises(InvalidConfigurationError, match="did you mean `blue`"):
        value_of(Colour, "bleu")


def test_groups_become_what_the_type_says():
    """Frozen lists and mappings turn into the collection that the field names."""
    document = Document.from_mapping({"it": {"list": [1, 2], "map": {"a": 1}}})
    frozen = document.sections["it"]

    assert value_of(list[int], frozen["list"]) == [1, 2]
    assert value_of(tuple[int, ...], frozen["list"]) == (1, 2)
    assert value_of(frozenset[int], frozen["list"]) == frozenset({1, 2})
    assert value_of(collections.abc.Sequence[int], frozen["list"]) == (1, 2)
    assert value_of(dict[str, int], frozen["map"]) == {"a": 1}
    assert value_of(collections.abc.Mapping[str, int], frozen["map"]) == {"a": 1}


def test_an_integer_is_a_number():
    """`1` for a number becomes `1.0`, the one conversion there is."""
    assert value_of(float, 1) == 1.0
    assert type(value_of(float, 1)) is float


def test_paths_and_durations_are_written_plainly():
    """A path is a string, a duration a number of seconds."""
    assert value_of(pathlib.Path, "/etc") == pathlib.Path("/etc")
    assert value_of(datetime.timedelta, 1.5) == datetime.timedelta(seconds=1.5)


@attrs.frozen
class Leaf:
    size: int
    _owner: str = "nobody"


@dataclasses.dataclass(frozen=True)
class Tree:
    leaf: Leaf
    more: list[Tree] = dataclasses.field(default_factory=list)


def test_classes_nest_in_each_other():
    """An attrs class within a recursive dataclass is built from nested mappings."""
    config = {"leaf": {"size": 1}, "more": [{"leaf": {"size": 2, "owner": "me"}}]}

    assert structure(config, Tree) == Tree(Leaf(1), [Tree(Leaf(2, "me"))])


def test_other_kinds_of_type_are_left_to_other_plugins():
    """A type that is neither an attrs class nor a dataclass gives `None`."""
    assert structure({}, dict) is None
    assert structure({}, {"type": "object"}) is None


def test_a_type_that_configuration_cannot_express_is_named():
    """A field whose type no value of a file can have is the class author's fault."""
    with pytest.raises(PluginError, match="complex"):
        value_of(complex, 1)
