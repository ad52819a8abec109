"""Of many modules only what changed is written, and what is kept is all there."""

from __future__ import annotations

import errno
import itertools
import json
import shutil
from typing import cast
from unittest import mock

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midflight import Document, Loaded, hookimpl
from midflight._values import FrozenDict, digest_of
from midflight.errors import SourceUnavailableError
from midflight_plugins.state import _lastgood
from midflight_plugins.state._disk import Disk
from midflight_plugins.state._lastgood import KEPT, LastGood, Mark
from midflight_plugins.state._texts import Encoder

from .conftest import config, number_of
from .test_keeps_what_was_good import files

COUNT = 100
LARGE = 1_000  # characters in each of the modules, which make more than 64 KiB


def many(number, *, count=COUNT, letter="x", **sections):
    """Return a configuration of many modules; one of them holds a number."""
    found = config(number, **sections)
    found["modules"] += [
        {"name": f"m{at}", "type": "fake", "config": {"text": letter * LARGE}}
        for at in range(count)
    ]
    return found


def backwards(number):
    """Return the same modules in another order."""
    found = many(number)
    return found | {"modules": found["modules"][::-1]}


def names(state_dir):
    """Return the names of the files that hold a configuration, oldest first."""
    return [each.name.removeprefix("last-good.") for each in files(state_dir)]


def applied(runtime, source, found):
    """Apply a configuration."""
    source.set(found)
    assert runtime.reload().ok


class Unsynced(Disk):
    """A disk of tests that are about content, and make many files."""

    def sync(self, handle):
        pass


def last_good(folder, disk=None, key=bytes(32)):
    """Return what keeps configurations, and a function that has it keep one."""
    good = LastGood(folder, disk or Unsynced(), key, Encoder())
    mark = Mark("", "", 1, "", None, 0.0)

    def keep(found):
        document = Document.from_mapping(found)
        digest = document.digest
        good.keep(attrs.evolve(mark, raw=digest, digest=digest), document)
        return document

    return good, keep


def documents(good):
    """Return every configuration that is kept, newest first."""
    found = [kept.loaded().document for kept in good.sound()]
    assert all(isinstance(each, Document) for each in found)
    return cast("list[Document]", found)


def fill(run, source):
    """Have 1 kept whole, and ten that are made of another whole one."""
    for numbers in [[1], range(2, KEPT + 5)]:
        source.set(many(numbers[0]))
        with run() as runtime:
            for number in numbers:
                applied(runtime, source, many(number))


@pytest.mark.parametrize(
    "changed",
    [
        many(2),
        many(2, count=COUNT - 1),
        many(2, count=COUNT + 1),
        many(1, site={"a": 1}),
        many(2, site={"a": 1.0}),
        backwards(2),
        config(2),
    ],
    ids=["value", "removed", "added", "section", "both", "moved", "most"],
)
def test_what_changed_is_little_to_write_and_all_to_read(
    run, source, state_dir, changed
):
    """A restart with the source down runs the whole of it."""
    source.set(many(1))
    with run() as runtime:
        applied(runtime, source, changed)
        expected = runtime.snapshot.document
    whole, patch = files(state_dir)
    source.fail(OSError("down"))

    assert whole.stat().st_size > COUNT * LARGE
    assert patch.stat().st_size < COUNT * LARGE / 10
    with run() as runtime:
        found = runtime.snapshot.document
        assert found.digest == expected.digest
        assert list(found.modules) == list(expected.modules)


@pytest.mark.parametrize(("count", "is_small"), [(55, True), (65, False)])
def test_a_small_configuration_is_kept_whole_each_time(
    run, source, state_dir, count, is_small
):
    """Up to 64 KiB a file that stands for itself costs little more."""
    source.set(many(1, count=count))
    with run() as runtime:
        applied(runtime, source, many(2, count=count))

    assert (names(state_dir)[1] == "000000000002") is is_small


def test_a_large_section_is_not_written_again(run, source, state_dir):
    """It is what changed that counts, wherever it stands."""
    page = {"text": "x" * 70_000}
    source.set(config(1, page=page))
    with run() as runtime:
        applied(runtime, source, config(2, page=page))

    assert files(state_dir)[1].stat().st_size < 1_000


def test_each_is_made_of_one_that_is_whole(run, source, state_dir):
    """None is made of another such; a process begins with a whole one of its own."""
    for begin in (1, 4):
        source.set(many(begin))
        with run() as runtime:
            for number in range(begin + 1, begin + 3):
                applied(runtime, source, many(number))

    assert names(state_dir) == [
        "000000000001",
        "000000000002.on.000000000001",
        "000000000003.on.000000000001",
        "000000000004",
        "000000000005.on.000000000004",
        "000000000006.on.000000000004",
    ]


def test_as_much_again_and_it_is_written_whole(run, source, state_dir):
    """Then what changed since begins anew."""
    source.set(many(1))
    with run() as runtime:
        sizes = []
        for number in range(2, 8):
            found = many(number)
            for each in found["modules"][1 : 1 + COUNT * 2 // 5]:
                each["config"]["text"] = "y" * (LARGE - number)
            applied(runtime, source, found)
            sizes.append(len(names(state_dir)[-1]) > 12)

    assert sizes == [True, True, False, True, True, False]


def test_what_others_are_made_of_stays_as_long_as_they(run, source, state_dir):
    """Ten are kept, beside them what they are made of, and one whole one before."""
    source.set(many(0))
    with run() as runtime:
        for number in range(1, KEPT + 3):
            applied(runtime, source, many(number))
    first, *others = names(state_dir)
    with run() as runtime:
        for number in range(1, KEPT + 3):
            applied(runtime, source, many(-number))
            assert len(files(state_dir)) <= KEPT + 2
    spare, *last = names(state_dir)

    assert first == "000000000001"
    assert len(others) == KEPT
    assert {each[12:] for each in others} == {".on.000000000001"}
    assert spare == first
    assert len(last) == KEPT + 1
    assert {each[12:] for each in last[1:]} == {f".on.{last[0]}"}


def test_without_what_it_is_made_of_it_counts_for_nothing(
    run, source, state_dir, caplog
):
    """However many are made of it: the whole one before runs, and the log says why."""
    fill(run, source)
    _, base, *others = files(state_dir)
    base.write_bytes(base.read_bytes()[:-1])
    source.fail(OSError("down"))

    with run() as runtime:
        assert number_of(runtime) == 1
    assert len(others) == KEPT
    for each in others:
        said = f"{each} is ignored: it is made of {base.name}: it is damaged"
        assert caplog.text.count(said) == 1


@pytest.mark.parametrize("missing", [True, False])
def test_one_that_can_be_read_stays_beside_the_newest(run, source, state_dir, missing):
    """What is made of a damaged one is nothing to fall back to."""
    fill(run, source)
    _, base, *_ = files(state_dir)
    base.unlink() if missing else base.write_bytes(b"damaged")
    with run() as runtime:
        for number in (50, 51, 52):
            applied(runtime, source, many(number))
    for each in files(state_dir):
        if each.name[-12:] > base.name[-12:]:
            each.write_bytes(b"damaged")
    source.fail(OSError("down"))

    with run() as runtime:
        assert number_of(runtime) == 1


@pytest.mark.parametrize("more", [0, KEPT + 2])
def test_a_look_is_taken_whenever_one_is_written_whole(tmp_path, more):
    """One that was damaged meanwhile is not what is kept beside it."""
    _, keep = last_good(tmp_path)
    expected = keep(many(1))
    _, keep = last_good(tmp_path)
    for number in range(2, KEPT + 5):
        keep(many(number))
    (tmp_path / "last-good.000000000002").write_bytes(b"damaged")
    for number in range(more + 1):
        keep(many(number, letter="y"))
    first, newest = (each for each in files(tmp_path) if each.stat().st_size > LARGE)
    newest.write_bytes(b"damaged")
    good, _ = last_good(tmp_path)

    assert first.name == "last-good.000000000001"
    assert documents(good) == [expected]


def test_a_hundred_are_made_of_one(tmp_path, monkeypatch):
    """Then it has to be whole, that nothing is kept that is very old."""
    monkeypatch.setattr(_lastgood, "_PATCHES", 3)
    good, keep = last_good(tmp_path)
    kept = [keep(many(number)) for number in range(6)]

    assert [each.name[10:] for each in sorted(tmp_path.iterdir())] == [
        "000000000001",
        "000000000002.on.000000000001",
        "000000000003.on.000000000001",
        "000000000004.on.000000000001",
        "000000000005",
        "000000000006.on.000000000005",
    ]
    assert documents(good) == kept[::-1]


def test_of_another_base_of_the_same_name_nothing_is_made(run, source, state_dir):
    """Such as one that was put back from a copy: the next start keeps it anew."""
    source.set(many(1))
    with run() as runtime:
        applied(runtime, source, many(2))
    base, patch = files(state_dir)
    copy = base.read_bytes()
    for each in (base, patch):
        each.unlink()
    source.set(many(3, site={"a": 1}))
    with run() as runtime:
        applied(runtime, source, many(4, site={"a": 1}))
        expected = runtime.snapshot.digest
    base.write_bytes(copy)
    with run():
        pass
    source.fail(OSError("down"))

    with run() as runtime:
        assert runtime.snapshot.digest == expected


def test_one_that_is_renamed_counts_for_nothing(run, source, state_dir):
    """What changed cannot be taken for a whole configuration."""
    source.set(many(1))
    with run() as runtime:
        applied(runtime, source, many(2))
    base, patch = files(state_dir)
    patch.rename(state_dir / "last-good.000000000003")
    base.unlink()
    source.fail(OSError("down"))

    with pytest.raises(SourceUnavailableError):
        run().start()


@pytest.mark.parametrize("operation", ["open", "write", "sync", "rename", "unlink"])
def test_after_a_failure_it_is_written_whole(run, source, disk, state_dir, operation):
    """Whatever became of the files meanwhile, the next does not need them."""
    source.set(many(1))
    with run() as runtime:
        applied(runtime, source, many(2))
        disk.error, disk.only = errno.EIO, operation
        applied(runtime, source, many(3))
        disk.error = 0
        applied(runtime, source, many(4))
        applied(runtime, source, many(5))
    source.fail(OSError("down"))

    assert len(names(state_dir)[-2]) == 12
    with run() as runtime:
        assert number_of(runtime) == 5


def test_a_base_that_somebody_removed_is_written_anew(run, source, state_dir):
    """Nothing is made of a file that is not there any more."""
    source.set(many(1))
    with run() as runtime:
        applied(runtime, source, many(2))
        files(state_dir)[0].unlink()
        applied(runtime, source, many(3))
    source.fail(OSError("down"))

    with run() as runtime:
        assert number_of(runtime) == 3


@pytest.mark.parametrize(("form", "count"), [(config, 1), (many, 2)])
def test_a_secret_that_rotates_pushes_nothing_out(
    run, source, state_dir, tmp_path, monkeypatch, form, count
):
    """What differs by it alone takes the place of what was kept before."""
    monkeypatch.setenv("MIDFLIGHT_SECRETS_PATH", str(tmp_path))
    secret = tmp_path / "phrase"
    secret.write_text("one")
    source.set(form(1, login={"phrase": f"${{file:{secret}}}"}))
    with run() as runtime:
        kept = []
        for phrase in ("two", "three", "four"):
            secret.write_text(phrase)
            assert runtime.reload().ok
            kept.append(names(state_dir))

    assert [len(each) for each in kept] == [count] * 3


def test_rotations_over_restarts_push_nothing_out(
    run, source, state_dir, tmp_path, monkeypatch
):
    """Nor does what is written whole for them again."""
    monkeypatch.setenv("MIDFLIGHT_SECRETS_PATH", str(tmp_path))
    secret = tmp_path / "phrase"
    login = {"phrase": f"${{file:{secret}}}"}
    for at in range(KEPT + 2):
        secret.write_text(f"phrase {at}")
        source.set(many(min(at, 3), login=login))
        with run() as runtime:
            for phrase in ("one", "two"):
                secret.write_text(f"{phrase} {at}")
                assert runtime.reload().ok
    with run() as runtime:
        good, _ = last_good(state_dir, key=(state_dir / "state.key").read_bytes())
        numbers = [each.modules["web"].config["n"] for each in documents(good)]

    assert [number for number, _ in itertools.groupby(numbers)] == [3, 2, 1, 0]


def test_a_failure_in_between_makes_the_next_whole(tmp_path, monkeypatch):
    """Whatever it was, nothing is made of what was not written."""
    good, keep = last_good(tmp_path)

    def fail(*_):
        raise MemoryError

    keep(many(1))
    keep(many(2))
    with monkeypatch.context() as patch:
        patch.setattr(_lastgood, "put", fail)
        with pytest.raises(MemoryError):
            keep(many(3, letter="y"))
    expected = keep(many(4, letter="y"))

    assert [each.name[10:] for each in sorted(tmp_path.iterdir())] == [
        "000000000001",
        "000000000002.on.000000000001",
        "000000000003",
    ]
    assert documents(good)[0] == expected


def test_nothing_goes_before_what_is_made_of_it(tmp_path):
    """A process that is killed in between leaves no such file without the other."""

    class Recording(Unsynced):
        def unlink(self, path):
            if path.exists():
                gone.append(path.name)
            super().unlink(path)

    gone: list[str] = []
    for begin in range(4):
        _, keep = last_good(tmp_path, Recording())
        for at in range(3):
            keep(many(10 * begin + at))
    for at in range(KEPT + 2):
        keep(many(-1 - at))
    places = {name[10:22]: place for place, name in enumerate(gone)}

    made = [name for name in gone if ".on." in name]
    assert len(made) > 2
    assert all(places[name[10:22]] < places.get(name[26:], 99) for name in made)


def test_a_dependency_on_what_a_plugin_adds_is_kept(run, source, state_dir):
    """What was read need not be complete before the plugins have had their turn."""

    class Adds:
        @hookimpl(wrapper=True)
        def transform(self):
            result = yield
            added = Document.from_mapping({"modules": [{"name": "db", "type": "fake"}]})
            modules = FrozenDict({**result.modules, **added.modules})
            return Document(modules, result.sections)

    def depending(number):
        found = many(number)
        found["modules"][0]["dependsOn"] = ["db"]
        return found

    source.set(depending(1))
    with run(plugins=[Adds()]) as runtime:
        for number in (2, 3, 4):
            applied(runtime, source, depending(number))
        assert "state" not in runtime.notes
    source.fail(OSError("down"))

    with run(plugins=[Adds()]) as runtime:
        assert number_of(runtime) == 4
        assert runtime.snapshot.document.modules["web"].depends_on == ("db",)


@pytest.mark.parametrize("phrase", ["plain", "${{file:{}}}"], ids=["same", "secret"])
@pytest.mark.parametrize("crashed", [False, True])
def test_what_did_not_change_is_not_digested_again(
    run, tmp_path, state_dir, monkeypatch, phrase, crashed
):
    """A change of one in 2,000 modules takes few digests, whatever happened before."""

    class Shares:
        document = Document.from_mapping(
            {
                "modules": [{"name": f"m{at}", "type": "fake"} for at in range(2_000)],
                "login": {"phrase": phrase.format(tmp_path / "phrase")},
            }
        )

        @hookimpl
        def load(self):
            return Loaded(self.document)

    monkeypatch.setenv("MIDFLIGHT_SECRETS_PATH", str(tmp_path))
    (tmp_path / "phrase").write_text("pass")
    if crashed:
        state_dir.mkdir(mode=0o700)
        known = {"f" * 64: {"count": 2, "at": 0, "attempt": "of another"}}
        (state_dir / "crashes.json").write_text(json.dumps(known))
    source, counted = Shares(), mock.Mock(wraps=digest_of)
    with run(source=source) as runtime:
        for number in range(3):  # the second writes it whole, the third what changed
            before = source.document
            changed = attrs.evolve(before.modules["m7"], config={"n": number})
            modules = FrozenDict({**before.modules, "m7": changed})
            source.document = Document(modules, before.sections)
            counted.reset_mock()
            with mock.patch("midflight._document.digest_of", counted):
                assert runtime.reload().ok

    assert 0 < counted.call_count < 20


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
CONFIGURATIONS = st.builds(
    lambda modules, section: {
        "modules": [
            {"name": name, "type": "fake", "config": {"n": value}}
            for name, value in modules.items()
        ],
        **section,
    },
    st.dictionaries(NAMES, st.sampled_from([1, 1.0, True, None, "1", [1]])),
    st.dictionaries(NAMES, st.sampled_from([1, True, "x" * 90]), max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(CONFIGURATIONS, max_size=14))
def test_whatever_is_kept_comes_back(tmp_path_factory, configurations):
    """In any order of changes, each that is kept is read as it was."""
    folder = tmp_path_factory.mktemp("kept")
    good, keep = last_good(folder)
    with mock.patch.object(_lastgood, "_SMALL", 0):
        changes = itertools.groupby(
            configurations, key=lambda found: Document.from_mapping(found).digest
        )
        kept = [keep(next(found)) for _, found in changes]
        found = documents(good)[:KEPT]
        again = [good.of(each.digest) for each in found]
    shutil.rmtree(folder)

    assert [(each.digest, list(each.modules)) for each in found] == [
        (each.digest, list(each.modules)) for each in kept[: -KEPT - 1 : -1]
    ]
    assert [each and each.document for each in again] == found
