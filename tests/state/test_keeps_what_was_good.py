"""A restart without a source runs what was good before, and says so."""

from __future__ import annotations

import datetime
import errno
import json
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midflight import Document, ModuleConfig, Runtime, Secret, hookimpl
from midflight.errors import SourceUnavailableError
from midflight.testing import FakeModule
from midflight_plugins.state._lastgood import KEPT
from midflight_plugins.state._reading import last_records
from midflight_plugins.state._texts import Encoder, decode

from .conftest import config, number_of

DOWN = OSError(errno.ECONNREFUSED, "the source is down")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC))
)
KEYS = st.text("abcdefg.$-_é", min_size=1, max_size=5).filter("modules".__ne__)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)


def files(state_dir):
    """Return the files that hold a configuration, oldest first."""
    return sorted(state_dir.glob("last-good.*"))


def test_a_restart_with_the_source_down_runs_the_last_good(run, source, change):
    """It is degraded with the source's error, and its note says what it runs."""
    with run() as runtime:
        change(runtime, 2)
    source.fail(DOWN)

    with run() as runtime:
        status = runtime.status()

        assert number_of(runtime) == 2
        assert runtime.module("web").config == {"n": 2}
        assert status["state"] == "degraded"
        assert "the source is down" in status["sources"][0]["error"]
        assert status["notes"]["state"].startswith("running the last good of 20")


@pytest.mark.parametrize("number", [2, 3])
def test_the_source_takes_over_when_it_is_back(run, source, change, number):
    """Whether its content is the last good or newer: healthy, and no note."""
    with run() as runtime:
        change(runtime, 2)
    source.fail(DOWN)

    with run() as runtime:
        source.set(config(number))
        runtime.reload()

        assert number_of(runtime) == number
        assert runtime.status()["state"] == "healthy"
        assert "state" not in runtime.notes


def test_an_invalid_source_at_the_start_leaves_the_last_good(run, source):
    """What was refused is in the status beside what runs."""
    with run():
        pass
    source.set({"modules": [{"name": "web", "type": "nonsense"}]})

    with run() as runtime:
        assert number_of(runtime) == 1
        assert runtime.status()["state"] == "rejected"
        assert "E_MODULETYPE" in runtime.status()["rejected"]["faults"][0]


def test_what_was_sound_in_an_invalid_source_is_not_what_failed(
    run, state_dir, tmp_path
):
    """One bad entry beside those that ran before: the last good still starts."""
    path = tmp_path / "app.json"
    path.write_text(json.dumps(config(1)))
    with run(source=f"file:{path}"):
        pass
    modules = [*config(1)["modules"], {"name": "not allowed", "type": "fake"}]
    path.write_text(json.dumps({"modules": modules}))

    with run(source=f"file:{path}") as runtime:
        assert number_of(runtime) == 1
        assert runtime.status()["state"] == "rejected"
    refused = last_records(state_dir, 2)[1]
    assert (refused["outcome"], refused["changes"]) == ("rejected", None)


def test_what_does_not_start_any_more_is_not_replaced_by_older(run, change):
    """The last good itself fails: the start fails as without a state directory."""

    class Broken(FakeModule):
        @hookimpl
        def prepare(self, config):
            if config["n"] == 2:
                raise ValueError("no")

    with run() as runtime:
        change(runtime, 2)

    with pytest.raises(Exception, match="no"):
        run(modules={"fake": Broken}).start()


def test_without_a_state_directory_nothing_is_kept(run, source, tmp_path):
    """The start fails as ever, and no file was written."""
    with run(state_dir=None):
        pass
    source.fail(DOWN)

    with pytest.raises(SourceUnavailableError):
        run(state_dir=None).start()
    assert list(tmp_path.iterdir()) == []


def test_nothing_can_be_read_by_others(run, change, state_dir):
    """The directory is for its owner alone, and so is each file."""
    mask = os.umask(0)
    try:
        with run() as runtime:
            change(runtime, 2)
            modes = {
                each.name: stat.S_IMODE(each.stat().st_mode)
                for each in state_dir.iterdir()
            }
    finally:
        os.umask(mask)

    assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700
    assert len(modes) >= 7
    assert set(modes.values()) == {0o600}


def test_what_is_kept_cannot_be_read_without_the_key(run, source, state_dir):
    """A password in a file of ours is encrypted; the journal has names only."""
    source.set(config(1, login={"user": "ada", "phrase": "canary-4711"}))
    with run() as runtime:
        source.set(config(1, login={"user": "ada", "phrase": "canary-4712"}))
        runtime.reload()
        while_running = holding(state_dir, b"canary")

    assert while_running == []
    assert holding(state_dir, b"canary") == []
    assert holding(state_dir, b"login") == ["journal.db"]


def holding(folder, text):
    """Return the names of the files that hold a text in clear."""
    found = [each for each in folder.iterdir() if each.is_file()]
    return [each.name for each in found if text in each.read_bytes()]


def test_the_newest_generations_are_kept(run, change, state_dir):
    """Older ones go, across restarts too; the same one again is not kept twice."""
    with run() as runtime:
        for number in range(2, KEPT + 3):
            change(runtime, number)
    for _ in range(3):
        with run():
            pass

    numbers = [int(each.name[-12:]) for each in files(state_dir)]
    assert numbers == [*range(3, KEPT + 3)]


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty", "foreign", "renamed"])
def test_a_damaged_file_counts_for_nothing(
    run, source, change, state_dir, caplog, damage
):
    """The newest that is whole wins; the other is named once."""
    with run() as runtime:
        change(runtime, 2)
    older, newest = files(state_dir)
    data = newest.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    contents = {
        "torn": data[:-7],
        "flipped": bytes(flipped),
        "empty": b"",
        "foreign": b"\x7fELF and so on",
        "renamed": older.read_bytes(),
    }
    newest.write_bytes(contents[damage])
    source.fail(DOWN)

    with run() as runtime:
        assert number_of(runtime) == 1
    assert caplog.text.count(f"{newest} is ignored") == 1


def test_every_flipped_bit_is_noticed(run, source, change, state_dir):
    """No byte of a file can change without the older one being run."""
    with run():
        pass
    [kept] = files(state_dir)
    good = kept.read_bytes()
    source.fail(DOWN)
    for place in range(0, len(good), 13):
        kept.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])

        with pytest.raises(SourceUnavailableError):
            run().start()
    kept.write_bytes(good)
    with run() as runtime:
        assert number_of(runtime) == 1


def test_another_key_makes_a_file_foreign(run, source, state_dir, caplog):
    """It is said once, and the service starts as if nothing were kept."""
    with run():
        pass
    (state_dir / "state.key").write_bytes(bytes(32))
    source.fail(DOWN)

    with pytest.raises(SourceUnavailableError):
        run().start()
    assert caplog.text.count("sealed with another key") == 1


@pytest.mark.parametrize("name", ["CREDENTIALS_DIRECTORY", "MIDFLIGHT_STATE_KEY_FILE"])
def test_the_key_may_be_kept_elsewhere(
    run, source, state_dir, tmp_path, monkeypatch, name
):
    """Then there is none in the directory, and only who has it can read."""
    key = tmp_path / "credentials" / "midflight.key"
    key.parent.mkdir()
    key.write_bytes(os.urandom(32))
    named = key.parent if name == "CREDENTIALS_DIRECTORY" else key
    monkeypatch.setenv(name, str(named))
    with run():
        pass
    source.fail(DOWN)

    assert not (state_dir / "state.key").exists()
    with run() as runtime:
        assert number_of(runtime) == 1


def test_a_key_of_the_wrong_length_is_no_key(run, state_dir):
    """The service goes on without its state directory, and says why."""
    state_dir.mkdir(mode=0o700)
    state_dir.joinpath("state.key").touch(mode=0o600)
    state_dir.joinpath("state.key").write_bytes(b"short")

    with run() as runtime:
        assert "holds 5 bytes, expected 32" in runtime.notes["state"]


def test_what_the_source_does_with_its_own_tree_is_its_own_affair(run, source):
    """Bytes are kept: whoever changes what it handed over changes nothing kept."""
    tree = config(1)

    class Keeps:
        @hookimpl
        def load(self):
            return tree

    with run(source=Keeps()) as runtime:
        tree["modules"][0]["config"]["n"] = 9
        runtime.module("web").config = {"n": 9}
    source.fail(DOWN)

    with run() as runtime:
        assert number_of(runtime) == 1


def test_the_plugin_is_part_of_the_distribution(source, state_dir):
    """Nobody has to allow it: a state directory is enough."""
    options = {"state_dir": state_dir, "modules": {"fake": FakeModule}}
    with Runtime(source, **options):
        pass
    source.fail(DOWN)

    with Runtime(source, **options) as runtime:
        assert number_of(runtime) == 1
        loaded = runtime.snapshot.loaded
        assert loaded is not None
        assert loaded.positions is not None
        assert str(loaded.positions(("modules",))) == str(files(state_dir)[-1])


def test_a_module_that_stays_is_not_written_out_again():
    """The second document differs in one module, and only that is encoded."""
    encoder = Encoder()
    stays = {"name": "stays", "type": "fake"}
    first, second = (
        Document.from_mapping({"modules": [*config(n)["modules"], stays]})
        for n in (1, 2)
    )

    for document in (first, second, first):
        assert decode(encoder.encode(document)).digest == document.digest
    anew = json.loads(encoder.patch(second))["modules"]
    assert [each["name"] for each in anew] == ["web"]


def test_secrets_that_a_source_hands_over_come_back_as_secrets():
    """They are in the sealed bytes, or nothing could be started from them."""
    document = Document.from_mapping(
        config(1, login={"phrase": Secret("canary", "f1")})
    )
    found = decode(Encoder().encode(document)).sections["login"]["phrase"]

    assert isinstance(found, Secret)
    assert found.reveal() == "canary"
    assert found.fingerprint == "f1"


@settings(max_examples=200)
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.dictionaries(KEYS, VALUES))
def test_every_document_comes_back_as_it_was(sections, values):
    """Types, dates, order of modules and odd texts survive the way through bytes."""
    entry = {"name": "web", "type": "fake", "config": values, "dependsOn": ["db"]}
    modules = [entry, {"name": "db", "type": "fake", "tags": [1, 1.0, True]}]
    document = Document.from_mapping({"modules": modules, **sections})
    again = decode(Encoder().encode(document))

    assert again.digest == document.digest
    assert list(again.modules) == list(document.modules)


def test_what_could_not_be_written_leaves_no_trace():
    """After a document that cannot be kept, the one before is written as it is."""

    class Stamp(datetime.datetime):
        """No date of ours: a document can hold none."""

    def document(n, at):
        modules = {
            "web": ModuleConfig("web", "fake", {"n": n}),
            "clock": ModuleConfig("clock", "fake", {"at": at}),
        }
        return Document(modules)

    encoder, good = Encoder(), document(1, datetime.date(2026, 1, 1))
    encoder.encode(good)
    with pytest.raises(TypeError, match="Stamp"):
        encoder.encode(document(2, Stamp(2026, 1, 1)))

    assert decode(encoder.encode(good)) == good
