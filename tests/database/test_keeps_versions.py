"""Every version is kept, with its author, and nothing overwrites another unseen."""

from __future__ import annotations

import itertools
import json

import pytest

from midflight import Document, Runtime
from midflight.errors import (
    ConflictError,
    InvalidConfigurationError,
    PluginError,
    SourceUnavailableError,
)
from midflight_plugins.database import DatabaseSource
from midflight_plugins.database._schema import upgrade


def document(value):
    """Return a document that its value tells from others."""
    return Document.from_mapping({"platform": {"value": value}})


def put(runtime, value, base, **more):
    """Put a value on top of a version."""
    return runtime.put(document(value), expected_version=base, **more)


def test_versions_count_from_one(runtime):
    """The first put is version 1, the next one 2; each can be read again."""
    versions = [put(runtime, n, n or None, author="ada") for n in range(3)]

    assert versions == [1, 2, 3]
    assert [runtime.read_version(v)[0] for v in versions] == [*map(document, range(3))]


def test_history_has_author_message_and_time(runtime):
    """Who, why and when are listed, newest first, and no more than asked for."""
    put(runtime, 1, None, author="ada", message="first\nof all")
    put(runtime, 2, 1, author="grace \N{SNOWMAN}", message="later")
    listed = runtime.history(10)

    assert [(v.version, v.author, v.message) for v in listed] == [
        (2, "grace \N{SNOWMAN}", "later"),
        (1, "ada", "first\nof all"),
    ]
    assert [v.digest for v in listed] == [document(2).digest, document(1).digest]
    assert listed[0].at >= listed[1].at > 1.6e9
    assert [v.version for v in runtime.history(1)] == [2]
    assert runtime.history(0) == []


def test_an_author_without_a_name_is_the_system(runtime):
    """As in the original, nobody is `system`."""
    put(runtime, 1, None)

    assert runtime.history(1)[0].author == "system"


def test_any_text_can_be_an_author(runtime):
    """What no database can hold is written out, and what is too long is cut."""
    put(runtime, 1, None, author="a\0b\ud800" + "x" * 300, message="m" * 5000)
    [listed] = runtime.history(1)

    assert listed.author.startswith("a\\x00b\\ud800xxx")
    assert (len(listed.author), len(listed.message)) == (255, 4000)


@pytest.mark.parametrize("base", [None, 1, 3, "x", "02"])
def test_a_put_on_any_version_but_the_head_is_refused(runtime, base):
    """`ConflictError` names both versions, and nothing is stored."""
    put(runtime, 1, None)
    put(runtime, 2, 1)

    with pytest.raises(ConflictError, match="the head is version 2, not"):
        put(runtime, 3, base)
    assert runtime.read()[0] == document(2)
    assert len(runtime.history(9)) == 2


def test_a_put_on_a_version_that_was_never_there_is_refused(runtime):
    """Nothing is created on top of a version that does not exist."""
    with pytest.raises(ConflictError, match="the head is no version, not version 1"):
        put(runtime, 1, 1)


def test_a_version_may_be_given_as_text(runtime):
    """The command line knows versions as text only."""
    put(runtime, 1, None)

    assert put(runtime, 2, "1") == 2
    assert runtime.read_version("1")[0] == document(1)


@pytest.mark.parametrize("version", [9, "9", "x", "", " 1", 2**63, 2**64, -1, 1.5])
def test_a_version_that_is_not_kept_is_a_key_error(runtime, version):
    """`KeyError` names source and version."""
    put(runtime, 1, None)
    if version == 1.5:
        version = 2

    with pytest.raises(KeyError, match=f"keeps no version {version}"):
        runtime.read_version(version)


def test_identical_content_makes_no_version(runtime):
    """A put of what is there gives the version that is there."""
    put(runtime, 1, None)

    assert put(runtime, 1, 1) == 1
    assert len(runtime.history(9)) == 1


def test_an_equal_document_keeps_the_text_that_is_there(runtime):
    """A document put without a text does not throw the comments away."""
    text = "# why\nplatform: {value: 1}\n"
    put(runtime, 1, None, text=text)

    assert put(runtime, 1, 1) == 1
    assert runtime.read()[1].text == text


def test_another_comment_is_another_version(runtime):
    """A text that its author gave is stored, also if it means the same."""
    put(runtime, 1, None, text="platform: {value: 1}\n")
    text = "platform: {value: 1} # new\n"

    assert put(runtime, 1, 1, text=text) == 2
    assert runtime.read()[1].text == text


def test_a_text_that_means_something_else_is_not_stored(runtime):
    """The document counts; it is then written as JSON."""
    put(runtime, 1, None, text="platform: {value: 2}\n")
    read, loaded = runtime.read()

    assert read == document(1)
    assert json.loads(loaded.text) == document(1).as_mapping()
    assert '{\n    "value": 1\n  }' in loaded.text


@pytest.mark.parametrize(
    "text",
    [
        "# c\r\nplatform: {value: 1}\r\n",
        '{"platform": {"value": 1}}',
        "{platform: {value: 1}}",
        "\N{BYTE ORDER MARK}platform: {value: 1}",
        "platform:\n  value: 1 # \N{SNOWMAN} \N{PILE OF POO}",
        "platform: {value: 1}\n#" + "x" * 100_000,
    ],
    ids=["crlf", "json", "braces", "bom", "wide", "100 KB"],
)
def test_a_rollback_restores_the_bytes(runtime, database_url, original, text):
    """An old version that is put again has every byte it had."""
    put(runtime, 1, None, text=text)
    put(runtime, 2, 1)
    old, loaded = runtime.read_version(1)
    version = runtime.put(old, expected_version=2, text=loaded.text, message="back")

    assert version == 3
    assert bytes(original(database_url).head("default").data) == text.encode()
    assert runtime.read()[0] == document(1)


def test_keys_have_versions_of_their_own(runtime, database_url):
    """Documents of one database do not meet; keys are told apart exactly."""
    put(runtime, 1, None)
    sources = [DatabaseSource(f"{database_url}#{key}") for key in ("Default", "web é")]
    others = [Runtime(source) for source in sources]
    for other in others:
        assert put(other, 7, None) == 1
    for source in sources:
        source.close()

    assert runtime.read()[0] == document(1)


def test_a_version_is_never_given_twice(runtime, database_url, original):
    """Where a document was deleted, numbers go on where its history ends."""
    for n in range(3):
        put(runtime, n, n or None)
    original(database_url).delete("default")

    with pytest.raises(SourceUnavailableError, match="holds no document `default`"):
        runtime.read()
    assert put(runtime, 9, None) == 4


def test_what_stands_in_braces_may_be_yaml(runtime, database_url, original):
    """What begins like JSON and is none is read as YAML, else JSON's fault is told."""
    put(runtime, 1, None)
    original(database_url).edit("default", "{platform: {value: 3}}")
    read = runtime.read()[0]
    original(database_url).edit("default", '{"platform": {"value": ]}')

    assert read == document(3)
    with pytest.raises(InvalidConfigurationError, match="E_SYNTAX"):
        runtime.read()


def test_an_edit_by_hand_is_kept_at_the_next_put(runtime, database_url, original):
    """What was never in history is kept there as it was found: it can be restored."""
    put(runtime, 1, None, author="ada")
    original(database_url).edit("default", "platform: {value: 5}")
    put(runtime, 2, 1, author="grace")
    listed = runtime.history(9)

    assert [(v.version, v.author, v.message) for v in listed] == [
        (3, "grace", ""),
        (2, "unknown", "found as it was"),
        (1, "ada", ""),
    ]
    read = [runtime.read_version(v)[0] for v in (1, 2, 3)]
    assert read == [document(1), document(5), document(2)]


def test_a_broken_head_that_was_never_put_can_be_put_right(
    runtime, database_url, original
):
    """Its version is listed, though history has no row of it: a put can name it."""
    put(runtime, 1, None, author="ada")
    others = original(database_url)
    with others.engine.begin() as connection:
        broken = others.documents.update().values(data=b"platform: [", version=4)
        connection.execute(broken)
    (head,) = runtime.history(1)

    assert (head.version, head.author) == (4, "")
    assert put(runtime, 2, head.version) == 5
    assert runtime.read()[0] == document(2)
    assert [each.version for each in runtime.history(9)] == [5, 4, 1]


def test_a_strict_source_refuses_a_hash_that_does_not_fit(
    runtime, database_url, original
):
    """With `strict` an edit by hand is refused with its code; a put heals it."""
    put(runtime, 1, None)
    original(database_url).edit("default", "platform: {value: 5}")
    strict = DatabaseSource(database_url, strict=True)

    with pytest.raises(InvalidConfigurationError, match="E_DIGEST"):
        Runtime(strict).read()
    assert put(runtime, 5, 1, text="platform: {value: 5}") == 3
    assert Runtime(strict).read()[0] == document(5)
    strict.close()


def test_a_hash_that_does_not_fit_is_warned_of_once(
    runtime, database_url, original, caplog
):
    """Without `strict` an edit by hand is followed, and said once for each version."""
    put(runtime, 1, None)
    original(database_url).edit("default", "platform: {value: 5}")
    for _ in range(3):
        assert runtime.read()[0] == document(5)

    assert len([r for r in caplog.records if "edited by others" in r.message]) == 1


def test_a_write_can_be_found_by_its_id(open_store, database_url):
    """`resolve` tells key and version of a write, and nothing of another."""
    store = open_store(database_url)
    for n in range(2):
        args = {"author": "ada", "message": "", "digest": f"{n}"}
        store.put("web", b"%d" % n, expected=n or None, **args)
    ids = [row.write_id for row in store.history("web", 9)]

    assert [store.resolve(each) for each in ids] == [("web", 2), ("web", 1)]
    assert store.resolve("0" * 32) is None


def test_keys_are_listed_by_name(open_store, database_url):
    """Each key is listed with author and digest of its newest version."""
    store = open_store(database_url)
    for key in ("b", "a"):
        store.put(key, b"1", expected=None, author="ada", message="", digest="d1")
    store.put("b", b"2", expected=1, author="grace", message="", digest="d2")
    listed = store.keys()

    assert [(row.key, row.version, row.author, row.digest) for row in listed] == [
        ("a", 1, "ada", "d1"),
        ("b", 2, "grace", "d2"),
    ]
    assert set(store.tokens(["a", "b", "c"])) == {"a", "b"}


def test_a_list_knows_no_author_of_an_edit_by_hand(open_store, database_url, original):
    """What was edited afterwards has neither the digest nor the author it had."""
    store = open_store(database_url)
    store.put("a", b"1", expected=None, author="ada", message="", digest="d1")
    original(database_url).edit("a", "2")
    original(database_url).put("b", "3")
    listed = store.keys()

    assert [(row.key, row.version, row.author, row.digest) for row in listed] == [
        ("a", 1, "", ""),
        ("b", 1, "system", ""),
    ]


def test_a_put_that_is_in_the_way_of_none_is_tried_again(open_store, database_url):
    """A deadlock or a serialization failure is no answer: the put is repeated."""
    import sqlalchemy as sa

    numbers = itertools.count()
    store = open_store(database_url, step=lambda name: fail(name, numbers, sa))
    version = store.put("k", b"1", expected=None, author="", message="", digest="")

    assert (version, next(numbers)) == (1, 3)
    assert len(store.history("k", 9)) == 1


def fail(name, numbers, sa):
    """Fail at the step `head`, twice, as a database does whose lock others had."""
    if name == "head" and next(numbers) < 2:
        cause = ValueError(1213)
        raise sa.exc.OperationalError("", {}, cause)


def test_tables_of_the_original_cannot_be_written(original, database_url):
    """A put says what to run; reading and history work without it."""
    other = original(database_url)
    other.create()
    other.put("default", "platform: {value: 1}")
    source = DatabaseSource(database_url)
    runtime = Runtime(source)
    listed = runtime.history(9)

    with pytest.raises(PluginError, match="midflight db upgrade"):
        put(runtime, 2, 1)
    assert runtime.read()[0] == document(1)
    assert [(v.version, v.author, v.digest) for v in listed] == [(1, "system", "")]
    upgrade(source.settings)
    assert put(runtime, 2, 1) == 2
    assert [v.version for v in runtime.history(9)] == [2, 1]
    source.close()


def test_a_database_that_is_away_is_told_without_secrets():
    """The error names the source and the driver's word, not the password."""
    source = DatabaseSource("postgresql://ada:hunter2@127.0.0.1:1/db", timeout=1)

    with pytest.raises(SourceUnavailableError) as caught:
        Runtime(source).read()
    assert "OperationalError" in str(caught.value)
    assert "hunter2" not in str(caught.value) + repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
