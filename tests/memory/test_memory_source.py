from __future__ import annotations

import pytest

from midflight import Document, Runtime
from midflight.errors import Code, ConflictError, InvalidConfigurationError
from midflight.testing import FakeModule, wait_until
from midflight_plugins.memory import MemorySource


def document(rate):
    """Return a document with one module at a rate."""
    return Document.from_mapping(
        {"modules": {"a": {"type": "m", "config": {"r": rate}}}}
    )


def put(source, rate, base):
    """Put a rate on top of a version."""
    return source.put(document(rate), base, "ada", f"rate {rate}")


def test_is_empty_and_without_a_version_at_first():
    """A source that holds nothing yet is an empty layer; the first put is version 1."""
    source = MemorySource()
    before = source.load()

    assert (before.document, before.version) == ({}, None)
    assert put(source, 1, None) == 1


@pytest.mark.parametrize(
    ("rest", "name", "version"),
    [("", "memory", None), ("demo", "memory:demo", None), ('{"a": 1}', "memory", 1)],
)
def test_a_uri_gives_nothing_a_name_or_content(rest, name, version):
    """What follows `memory:` is nothing, a name, or a JSON object."""
    source = MemorySource.from_uri(rest)

    assert (source.name, source.version) == (name, version)


@pytest.mark.parametrize("base", [None, 0, 1, 3, "x"])
def test_a_put_on_any_version_but_the_head_is_refused(base):
    """`ConflictError` says which version is the head, and nothing is stored."""
    source = MemorySource()
    put(source, 1, None)
    put(source, 2, 1)

    with pytest.raises(ConflictError, match="the head is version 2"):
        put(source, 3, base)
    assert source.load().document == document(2)


def test_history_keeps_the_newest_versions():
    """`keep` versions stay, newest first, with author and message."""
    source = MemorySource(keep=2)
    for rate in range(4):
        put(source, rate, source.version)
    listed = source.history(10)

    assert [each.version for each in listed] == [4, 3]
    assert (listed[0].author, listed[0].message) == ("ada", "rate 3")
    assert listed[0].digest == document(3).digest
    with pytest.raises(KeyError, match="keeps no version 1"):
        source.read_version(1)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ('{"a":\n 1 2}', Code.E_SYNTAX, "memory:2:4"),
        ('{"a": 1, "a": 2}', Code.E_DUPKEY, "memory"),
        ("{" + '"a":{' * 20_000, Code.E_SYNTAX, "memory"),
    ],
)
def test_text_that_is_no_json_is_refused_with_its_place(text, code, place):
    """Faults of JSON text come from `load`, with line and column where known."""
    with pytest.raises(InvalidConfigurationError) as caught:
        MemorySource.from_uri(text).load()

    [fault] = caught.value.faults
    assert fault.code is code
    assert str(fault.place).startswith(place)


def test_keeps_no_claim_on_what_it_was_given():
    """A mapping is copied: changing it afterwards changes nothing."""
    raw = {"platform": {"rate": 1}}
    source = MemorySource(raw)
    raw["platform"]["rate"] = 2

    assert source.load().document == {"platform": {"rate": 1}}


def test_a_put_reconfigures_a_running_module():
    """A runtime that watches the source applies what is put into it."""
    source = MemorySource(document(1))
    with Runtime(source, modules={"m": FakeModule}, watch=True) as runtime:
        put(source, 2, 1)
        wait_until(lambda: runtime.snapshot.version == 2, "the put")

        assert runtime.module("a").config == {"r": 2}
