from __future__ import annotations

import dataclasses
import typing
from typing import Any

import attrs
import pytest

from midflight import Secret
from midflight.errors import InvalidConfigurationError
from midflight_plugins.structure import json_schema, structure

MARK = {"type": "string", "writeOnly": True, "format": "password"}


@attrs.frozen
class Login:
    word: Secret
    maybe: Secret | None = None
    some: list[Secret] = attrs.field(factory=list)
    named: dict[str, Secret] = attrs.field(factory=dict)
    either: str | Secret = ""


@dataclasses.dataclass(frozen=True)
class Plain:
    word: Secret
    maybe: Secret | None = None


GIVEN: dict[str, Any] = {
    "word": "hunter2",
    "maybe": "hunter3",
    "some": ("hunter4",),
    "named": {"a": "hunter5"},
    "either": "hunter6",
}


def test_a_secret_field_takes_a_string_and_hides_it():
    """Alone, optional, in lists and mappings, and beside `str`."""
    made = structure(GIVEN, Login)

    assert made.word == Secret("hunter2")
    assert made.maybe == Secret("hunter3")
    assert made.some == [Secret("hunter4")]
    assert made.named == {"a": Secret("hunter5")}
    assert made.either == Secret("hunter6")
    assert "hunter" not in repr(made)


def test_a_dataclass_has_secrets_too():
    """The same for a dataclass, and a null where it is allowed."""
    made = structure({"word": "hunter2", "maybe": None}, Plain)

    assert made == Plain(Secret("hunter2"), None)
    assert "hunter" not in repr(made)


def test_a_secret_stays_one():
    """What is wrapped already is taken as it is."""
    word = Secret("hunter2")

    assert structure({"word": word}, Login).word is word


@pytest.mark.parametrize("kind", [Login, Plain])
@pytest.mark.parametrize("value", [20252025, 2025.5, True, ["20252025"], None])
def test_a_fault_does_not_show_what_stands_in_a_secret_field(kind, value):
    """A password without quotes is a number: it says `quote it`, and no digit."""
    with pytest.raises(InvalidConfigurationError) as caught:
        structure({"word": value, "maybe": [2025]}, kind)

    assert [fault.path for fault in caught.value.faults] == [("word",), ("maybe",)]
    assert all(fault.expected.startswith("a string") for fault in caught.value.faults)
    assert "2025" not in str(caught.value)


def test_secrets_are_marked_in_the_schema():
    """Each field of type `Secret` is `writeOnly`."""
    schema: Any = json_schema(Groups)
    described = schema["$defs"]["Groups"]["properties"]

    assert described["word"] == MARK
    assert MARK in described["maybe"]["anyOf"]
    assert described["some"]["items"] == MARK
    assert described["named"]["additionalProperties"] == MARK


@attrs.frozen
class Groups:
    word: Secret
    maybe: Secret | None = None
    some: list[Secret] = attrs.field(factory=list)
    named: dict[str, Secret] = attrs.field(factory=dict)


@attrs.frozen
class Several:
    number: int | None = None
    size: int | typing.Literal["auto"] = "auto"


def test_what_is_expected_of_a_union_names_all_its_members():
    """A null or a word that would do as well is not left out."""
    with pytest.raises(InvalidConfigurationError) as caught:
        structure({"number": "x", "size": "atuo"}, Several)
    number, size = caught.value.faults

    assert number.expected == "an integer or null"
    assert size.expected == "an integer or 'auto'"
    assert "`auto`" in size.hint
