"""The history of a document is chained: whatever is done to it afterwards is found."""

from __future__ import annotations

import hashlib
import random

import attrs
import pytest
import sqlalchemy as sa

from midflight.errors import SourceUnavailableError
from midflight_plugins.database._chain import Link, chained, verify
from midflight_plugins.database._put import FOUND


@pytest.fixture
def store(open_store, database_url):
    """A store with five versions of ours."""
    store = open_store(database_url)
    for number in range(1, 6):
        put(store, number)
    return store


def put(store, number, key="default"):
    """Put the text of a number on the head."""
    head = store.head(key)
    text = f"platform: {number}\n"
    more = {"author": "ada", "message": f"no {number}", "digest": f"{number}"}
    return store.put(
        key, text.encode(), expected=head.version if head else None, **more
    )


@pytest.fixture
def execute(database_url):
    """Runs a statement beside the source, as somebody who has the password does."""
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)

    def run(statement, **values):
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement), values)
            return result.all() if result.returns_rows else result.rowcount

    return run


def found(store, **more):
    """Return what a verification finds, as (version, reason)."""
    report = store.verify("default", **more)
    return [(each.version, each.reason) for each in report.findings]


@pytest.mark.parametrize("version", [1, 3, 5])
def test_a_row_without_its_chain_is_found(store, execute, version):
    """To take the chain away does not make a row one of another system."""
    execute(
        "UPDATE config_document_history SET chain = NULL WHERE version = :v", v=version
    )

    assert (version, "altered") in found(store)


def test_a_history_of_ours_is_sound(store):
    """Nothing is found where nothing was done, and the newest value is shown."""
    report = store.verify("default")

    assert report.is_sound
    assert (report.findings, report.unsealed, report.rows) == ((), (), 5)
    assert len(report.chain) == 64


def test_a_document_that_was_never_there_is_not_called_sound(store):
    """A key without any row is an error; with an anchor, history is gone."""
    anchor = store.verify("default").chain
    with pytest.raises(SourceUnavailableError, match="holds no document `nobody`"):
        store.verify("nobody")
    report = store.verify("nobody", anchor)

    assert (report.is_sound, report.anchored, report.rows) == (False, False, 0)


@pytest.mark.parametrize(
    "change",
    [
        "data = 'platform: 9'",
        "hash = 'x'",
        "changed_by = 'eve'",
        "changed_at = '2020-01-01 00:00:00'",
        "message = NULL",
        "digest = 'x'",
        "write_id = 'x'",
        "chain = 'x'",
    ],
)
@pytest.mark.parametrize("version", [1, 3, 5])
def test_an_altered_row_is_named(store, execute, change, version):
    """Whatever column is changed, the version is named, and only that one."""
    where = f"WHERE version = {version}"
    assert execute(f"UPDATE config_document_history SET {change} {where}") == 1
    named = found(store)

    if change.startswith("chain"):
        assert named[0][0] == version
    else:
        assert named == [(version, "altered")]


@pytest.mark.parametrize("versions", [[1], [3], [5], [2, 3], [4, 5], [1, 2, 3, 4, 5]])
def test_missing_rows_are_named(store, execute, versions):
    """Rows that were deleted are named, the newest too: the head row knows of them."""
    listed = ", ".join(map(str, versions))
    execute(f"DELETE FROM config_document_history WHERE version IN ({listed})")

    assert found(store) == [(version, "missing") for version in versions]


def test_rows_in_another_order_are_named(store, execute):
    """Rows that changed places are both named."""
    table = "config_document_history"
    ids = dict(execute(f"SELECT version, id FROM {table}"))
    execute(f"UPDATE {table} SET id = 99 WHERE version = 2")
    execute(f"UPDATE {table} SET id = {ids[2]} WHERE version = 3")
    execute(f"UPDATE {table} SET id = {ids[3]} WHERE version = 2")

    assert found(store) == [(3, "reordered"), (2, "reordered")]


def test_a_doubled_row_is_named(store, execute):
    """A copy of a row is no second version."""
    key, table = quoted(store), "config_document_history"
    rest = (
        "data, hash, version, changed_at, changed_by, message, digest, chain, write_id"
    )
    execute(
        f"INSERT INTO {table} (id, {key}, {rest}) "
        f"SELECT 99, {key}, {rest} FROM {table} WHERE version = 4"
    )

    assert found(store) == [(4, "doubled")]


def quoted(store):
    """Return the column `key` as the store's database quotes it."""
    return store._engine.dialect.identifier_preparer.quote("key")


def test_a_head_that_was_taken_back_is_named(store, execute):
    """An old head row that was put back is not what history ends with."""
    [(chain,)] = execute("SELECT chain FROM config_document_history WHERE version = 3")
    execute("UPDATE config_documents SET version = 3, chain = :chain", chain=chain)

    assert found(store) == [(3, "altered")]


def test_a_document_that_was_deleted_is_named(store, execute):
    """A history without a document says so."""
    execute("DELETE FROM config_documents")

    assert found(store) == [(5, "missing")]


def test_an_anchor_finds_a_chain_that_was_computed_anew(store, execute):
    """Who writes all of it anew is found by a value that was kept elsewhere."""
    anchor = store.verify("default").chain
    put(store, 6)

    assert store.verify("default", anchor).anchored
    assert store.verify("default", anchor).is_sound
    execute("DELETE FROM config_document_history")
    execute("DELETE FROM config_documents")
    for number in range(1, 7):
        put(store, number)
    report = store.verify("default", anchor)
    assert (report.findings, report.anchored, report.is_sound) == ((), False, False)


def test_rows_of_the_original_are_taken_in(store, original, database_url, execute):
    """What another system wrote is unsealed until the next put, and guarded then."""
    other = original(database_url)
    other.put("default", "platform: 6")
    other.put("default", "platform: 7")
    before = store.verify("default")
    put(store, 8)

    assert (before.is_sound, before.unsealed) == (True, (6, 7))
    assert store.verify("default").unsealed == ()
    assert found(store) == []
    execute("UPDATE config_document_history SET data = 'x' WHERE version = 6")
    assert found(store) == [(6, "altered")]
    execute("DELETE FROM config_document_history WHERE version = 6")
    assert found(store) == [(6, "missing")]


def test_a_gap_in_rows_of_the_original_is_named(store, original, database_url, execute):
    """Rows that nobody sealed tell by their numbers that one is missing."""
    for number in (6, 7, 8):
        original(database_url).put("default", f"platform: {number}")
    execute("DELETE FROM config_document_history WHERE version = 7")

    assert found(store) == [(7, "missing")]


def test_a_row_slipped_in_is_named(store, original, database_url, execute):
    """A row without a chain among those of ours was not there before."""
    key, table = quoted(store), "config_document_history"
    execute(f"UPDATE {table} SET id = id + 1000 WHERE version > 3")
    original(database_url).put("other", "x")
    change = f"id = 999, version = 9, {key} = 'default'"
    execute(f"UPDATE {table} SET {change} WHERE {key} = 'other'")

    assert found(store) == [(9, "added")]


def test_an_edit_by_hand_is_named_until_the_next_put(store, original, database_url):
    """A head that was found different is kept in history, as part of the chain."""
    original(database_url).edit("default", "platform: 9")
    [before] = store.verify("default").findings
    put(store, 6)
    kept = store.history("default", 2)

    assert (before.version, before.reason) == (5, "altered")
    assert before.text == "the document was edited by others since version 5"
    assert found(store) == []
    assert [(row.version, row.message) for row in kept] == [(7, "no 6"), (6, FOUND)]
    assert kept[1].hash == hashlib.sha256(b"platform: 9").hexdigest()


def test_an_edit_of_what_the_original_wrote_is_named(store, original, database_url):
    """Rows that nobody sealed yet are compared with the document as well."""
    original(database_url).put("default", "platform: 6")
    sound = found(store)
    original(database_url).edit("default", "platform: 9")

    assert sound == []
    assert found(store) == [(6, "altered")]


def test_a_document_that_history_does_not_have_is_named(store, execute):
    """A document that somebody inserted by hand is not vouched for."""
    key = quoted(store)
    execute(
        f"INSERT INTO config_documents ({key}, data, hash, version, created_at, "
        f"updated_at, created_by) SELECT 'hand', data, hash, 1, created_at, "
        "updated_at, created_by FROM config_documents"
    )
    report = store.verify("hand")

    assert [(each.version, each.reason) for each in report.findings] == [(1, "missing")]


def test_a_number_that_was_raised_by_hand_is_kept_under_it(store, execute):
    """A version that no row has is free: the document is kept under its own."""
    execute("UPDATE config_documents SET data = 'platform: 9', version = 8")
    put(store, 6)
    kept = store.history("default", 2)

    assert [(row.version, row.message) for row in kept] == [(9, "no 6"), (8, FOUND)]
    assert found(store) == []


def links(count, rng):
    """Return a sound history, some of it unsealed, and its head."""
    rows, running = [], ""
    for version in range(1, count + 1):
        link = Link("k", version, f"{version}", f"{version}", "ada", None)
        running = chained(running, link)
        sealed = version == count or rng.random() < 0.7
        rows.append(attrs.evolve(link, chain=running if sealed else None))
    return rows, attrs.evolve(rows[-1])


@pytest.mark.parametrize("seed", range(40))
def test_nothing_that_is_done_to_a_chain_goes_unseen(seed):
    """Any alteration, removal, doubling or exchange of sealed rows is found."""
    rng = random.Random(seed)
    rows, head = links(rng.randint(3, 12), rng)

    assert verify(rows, head).is_sound
    for act in (alter, remove, double, exchange):
        changed = act([*rows], rng)
        assert verify(changed, head).findings, act.__name__


def alter(rows, rng):
    """Change one row."""
    index = rng.randrange(len(rows))
    rows[index] = attrs.evolve(rows[index], changed_by="eve")
    return rows


def remove(rows, rng):
    """Take one row out."""
    del rows[rng.randrange(len(rows))]
    return rows


def double(rows, rng):
    """Put a copy of a row anywhere before the last."""
    index = rng.randrange(len(rows))
    rows.insert(rng.randrange(len(rows)), rows[index])
    return rows


def exchange(rows, rng):
    """Let two rows change places."""
    one, two = rng.sample(range(len(rows)), 2)
    rows[one], rows[two] = rows[two], rows[one]
    return rows


def test_a_gap_of_many_versions_is_one_finding():
    """A row of others with a huge number does not make a finding for each before it."""
    rows = [
        Link("k", number, "sha", "sha", "ada", None, None) for number in (1, 2 * 10**9)
    ]
    head = attrs.evolve(rows[-1])
    found = verify(rows, head).findings

    assert [(each.version, each.reason) for each in found] == [(2, "missing")]
    assert "versions 2 to 1999999999" in found[0].text
