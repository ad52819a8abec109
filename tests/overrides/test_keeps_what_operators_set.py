from __future__ import annotations

import threading
from typing import Any

import pytest

from midflight import Secret, hookimpl
from midflight.errors import (
    ConflictError,
    InvalidConfigurationError,
    MidflightError,
    PluginError,
    SourceUnavailableError,
)
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource, RefusedError

RATE = "modules.api.config.rate"
WRITERS = 64


class Noted:
    """A plugin that remembers every outcome."""

    def __init__(self):
        self.seen = []

    @hookimpl
    def on_outcome(self, outcome):
        self.seen.append(outcome)


@pytest.fixture
def bad(make):
    """Return a layer that got two overrides of modules that no layer has."""
    wrong, store = {"config": {"rate": 1}}, MemorySource()
    overrides = OverridesSource(store)
    with make(overrides) as runtime:
        store.set({"modules": {"evry": wrong, "mial": wrong}})
        runtime.reload()
        held: Any = overrides
        held.service = runtime
        yield held


def values(overrides):
    """Return what is set, by path."""
    return {".".join(each.path): each.value for each in overrides.list()}


def all_at_once(acts):
    """Run each on a thread of its own, all at once; return what they raised."""
    barrier, errors = threading.Barrier(len(acts)), []

    def run(act):
        barrier.wait()
        try:
            act()
        except MidflightError as exc:
            errors.append(exc)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_a_store_without_content_is_an_empty_layer(overrides, make):
    """No file yet, no row yet: the configuration below is as it is."""
    assert overrides.list() == ()
    assert overrides.version is None
    with make(overrides) as runtime:
        assert runtime.status()["state"] == "healthy"
        assert runtime.module("api").rate == 1


def test_a_value_is_in_force_when_set_returns(overrides, make):
    """`set` and `unset` apply by the normal path and say so, truthfully."""
    with make(overrides) as runtime:
        written = overrides.set(RATE, 5, author="ada", message="rush hour")

        assert (written.state, written.changed, written.generation) == (
            "applied",
            True,
            2,
        )
        assert runtime.module("api").rate == 5
        assert values(overrides) == {RATE: 5}
        again = overrides.unset(RATE)
        assert (again.state, again.generation) == ("applied", 3)
        assert runtime.module("api").rate == 1
        assert values(overrides) == {}


def test_it_survives_a_reload_and_a_restart(store, make, base):
    """The layers below may change as they like; the override stays above them."""
    overrides = OverridesSource(store)
    with make(overrides) as runtime:
        overrides.set(RATE, 5)
        base.set(
            {"modules": [{"name": "api", "type": "limiter", "config": {"rate": 2}}]}
        )
        runtime.reload()
        assert runtime.module("api").rate == 5
    with make(OverridesSource(store)) as runtime:
        assert runtime.module("api").rate == 5


@pytest.mark.parametrize(
    ("bad", "ended"), [(-1, "rejected"), (100, "rolled_back"), ("fast", "rejected")]
)
def test_what_is_refused_is_not_kept(overrides, make, bad, ended):
    """The store is as before, and so is the module; the error says why."""
    with make(overrides) as runtime:
        overrides.set(RATE, 5)
        before = values(overrides)
        with pytest.raises(RefusedError) as caught:
            overrides.set(RATE, bad, author="ada")

        assert caught.value.ended == ended
        assert caught.value.faults
        assert caught.value.__notes__ == ["it was taken back: the store is as before"]
        assert values(overrides) == before
        assert runtime.module("api").rate == 5
        status = runtime.status()
        assert (status["state"], status["rejected"]) == ("healthy", None)


def test_the_very_first_can_be_refused_as_well(overrides, make):
    """Then nothing is set."""
    with make(overrides) as runtime:
        with pytest.raises(RefusedError):
            overrides.set(RATE, -1)

        assert values(overrides) == {}
        assert runtime.module("api").rate == 1
        assert runtime.status()["state"] == "healthy"


def test_a_module_that_no_layer_has_is_refused(overrides, make):
    """A part of a module is no module."""
    with make(overrides) as runtime:
        with pytest.raises(RefusedError) as caught:
            overrides.set("modules.ghost.config.rate", 5)

        assert [str(fault.code) for fault in caught.value.faults] == ["E_REQUIRED"]
        assert values(overrides) == {}
        assert runtime.status()["state"] == "healthy"


def test_without_a_runtime_it_is_stored_and_not_said_to_be_applied(overrides):
    """Nobody here can tell whether another process takes it."""
    written = overrides.set(RATE, 5)

    assert (written.state, written.generation) == ("stored", 0)
    assert overrides.version == written.version


def test_setting_what_is_set_makes_no_new_version(overrides):
    """The same value again is no change."""
    first = overrides.set(RATE, 5)
    second = overrides.set(RATE, 5)

    assert (second.changed, second.version) == (False, first.version)


def test_who_names_an_old_version_is_refused(overrides):
    """Two operators do not overwrite each other unseen; `None` is an empty store."""
    first = overrides.set(RATE, 5, expected_version=None)
    overrides.set(RATE, 6, expected_version=first.version)
    for stale in (None, first.version):
        with pytest.raises(ConflictError):
            overrides.set(RATE, 7, expected_version=stale)

    assert values(overrides) == {RATE: 6}


def test_no_update_of_many_writers_is_lost(overrides):
    """Each of 64 writers at once finds its value stored, and those of all others."""
    acts = [
        lambda number=number: overrides.set(("limits", f"n{number}"), number)
        for number in range(WRITERS)
    ]

    assert all_at_once(acts) == []
    assert values(overrides) == {f"limits.n{n}": n for n in range(WRITERS)}


def test_no_update_of_many_processes_is_lost(store):
    """The same with a source object for each writer, as in processes of their own."""
    OverridesSource(store).set("limits.first", 0)
    acts = [
        lambda number=number: OverridesSource(store).set(
            ("limits", f"n{number}"), number
        )
        for number in range(24)
    ]

    assert all_at_once(acts) == []
    found = values(OverridesSource(store))
    assert found == {"limits.first": 0, **{f"limits.n{n}": n for n in range(24)}}


def test_a_refused_writer_costs_the_others_nothing(overrides, make):
    """Of good and bad changes at once each gets its own answer."""
    with make(overrides, watch=True) as runtime:
        good = [
            lambda number=number: overrides.set(("limits", f"n{number}"), number)
            for number in range(16)
        ]
        bad = [lambda: overrides.set(RATE, -1) for _ in range(8)]
        errors = all_at_once([*good, *bad])

        assert [type(error) for error in errors] == [RefusedError] * 8
        assert values(overrides) == {f"limits.n{n}": n for n in range(16)}
        assert runtime.reload().ok
        assert len(runtime.snapshot.document.sections["limits"]) == 16


def test_what_others_have_changed_since_is_not_taken_back(make, monkeypatch):
    """A newer value at the same path is not touched when an older one is refused."""
    store = MemorySource()
    mine, theirs = OverridesSource(store), OverridesSource(store)
    with make(mine) as runtime:
        reload = runtime.reload
        calls: list[int] = []

        def slow(actor=""):
            outcome = reload(actor)
            if not calls:
                calls.append(1)
                theirs.set(RATE, 7)
            return outcome

        monkeypatch.setattr(runtime, "reload", slow)
        with pytest.raises(RefusedError) as caught:
            mine.set(RATE, -1)

        assert "others have changed" in caught.value.__notes__[0]
        assert values(mine) == {RATE: 7}
        assert runtime.module("api").rate == 7


def test_only_the_refused_value_is_taken_back_beside_newer_ones(make, monkeypatch):
    """What another process set elsewhere in the meantime stays."""
    store = MemorySource()
    mine, theirs = OverridesSource(store), OverridesSource(store)
    with make(mine) as runtime:
        mine.set(RATE, 5)
        reload = runtime.reload
        calls: list[int] = []

        def slow(actor=""):
            outcome = reload(actor)
            if not calls:
                calls.append(1)
                theirs.set("limits.most", 9)
            return outcome

        monkeypatch.setattr(runtime, "reload", slow)
        with pytest.raises(RefusedError):
            mine.set(RATE, -1)

        assert values(mine) == {RATE: 5, "limits.most": 9}


def test_a_source_that_is_down_is_no_refusal(overrides, base, make):
    """While nobody can tell, the override is stored; it applies when that ends."""
    with make(overrides) as runtime:
        base.set("{")  # content that is wrong refuses everything
        with pytest.raises(RefusedError):
            overrides.set(RATE, 4)
        base.set(
            {"modules": [{"name": "api", "type": "limiter", "config": {"rate": 1}}]}
        )
        runtime.reload()
        down = pytest.MonkeyPatch()
        down.setattr(base, "_head", lambda: (_ for _ in ()).throw(OSError("down")))
        written = overrides.set(RATE, 5)
        down.undo()

        assert written.state == "stored"
        assert runtime.reload().ok
        assert runtime.module("api").rate == 5


def test_the_author_is_told_to_history_and_outcome(make, monkeypatch):
    """History has author and message, of what was taken back as well."""
    store, seen = MemorySource(), []
    overrides = OverridesSource(store)
    with make(overrides) as runtime:
        reload = runtime.reload

        def noted(actor=""):
            seen.append(reload(actor))
            return seen[-1]

        monkeypatch.setattr(runtime, "reload", noted)
        overrides.set(RATE, 5, author="ada", message="rush hour")
        with pytest.raises(RefusedError):
            overrides.set(RATE, -1, author="bob", message="slow down")

        assert seen[0].actor == "ada"
        assert [(each.author, each.message) for each in store.history(9)] == [
            ("bob", "taken back, since it was refused: slow down"),
            ("bob", "slow down"),
            ("ada", "rush hour"),
        ]


def test_the_author_is_known_though_the_watch_is_quicker(overrides, make, monkeypatch):
    """Whoever sees a change first tells who made it."""
    noted = Noted()
    with make(overrides, plugins=[noted]) as runtime:
        reload = runtime.reload

        def late(actor=""):
            reload()  # as the watch would
            return reload(actor)

        monkeypatch.setattr(runtime, "reload", late)
        overrides.set(RATE, 5, author="ada")

        applied = [each for each in noted.seen if each.generation == 2]
        assert applied[0].actor == "ada"


def test_who_edits_the_file_is_not_taken_for_the_last_author(tmp_path, make):
    """An author is told of what that author wrote, and of nothing else."""
    path = tmp_path / "overrides.yaml"
    overrides, noted = OverridesSource(f"file:{path}"), Noted()
    with make(overrides, plugins=[noted]) as runtime:
        overrides.set(RATE, 5, author="ada")
        first = path.read_text()
        for text in (first.replace("5", "6"), first):
            path.write_text(text)
            runtime.reload()

        assert [each.actor for each in noted.seen] == ["", "ada", "", ""]


def test_a_hook_that_sets_does_not_wait_for_itself(make, overrides):
    """Inside a change it is stored only, also while another writer waits for it."""
    found = []

    class Sets:
        def __init__(self, name):
            self.name = name

        from midflight import hookimpl

        @hookimpl
        def start(self):
            pass

        @hookimpl
        def reconfigure(self, config):
            found.append(overrides.set(("limits", "seen"), config["n"]).state)

    from midflight import Runtime

    base = MemorySource({"modules": {"s": {"type": "sets", "config": {"n": 1}}}})
    with Runtime([base, overrides], modules={"sets": Sets}) as runtime:
        overrides.set("modules.s.config.n", 2)

        assert found == ["stored"]
        runtime.wait(3, timeout=30)  # it looks again by itself
        assert runtime.snapshot.document.sections["limits"] == {"seen": 2}


def test_a_file_that_went_away_is_not_an_empty_layer(tmp_path, make):
    """What was set stays in force, and the status says that its store is gone."""
    path = tmp_path / "overrides.yaml"
    overrides = OverridesSource(f"file:{path}")
    with make(overrides) as runtime:
        overrides.set(RATE, 5)
        path.unlink()
        runtime.reload()

        assert runtime.module("api").rate == 5
        assert runtime.status()["state"] == "degraded"


def test_what_to_do_about_a_file_that_went_away_is_told(tmp_path, make):
    """The status says so, and what it says helps."""
    path = tmp_path / "overrides.yaml"
    overrides = OverridesSource(f"file:{path}")
    with make(overrides) as runtime:
        overrides.set(RATE, 5)
        path.unlink()
        runtime.reload()
        errors = [row["error"] for row in runtime.status()["sources"] if row["error"]]
        assert "put it back, or write `{}` there to begin anew" in errors[0]
        path.write_text("{}\n")

        assert runtime.reload().ok
        assert runtime.status()["state"] == "healthy"
        assert runtime.module("api").rate == 1


def test_two_that_are_wrong_do_not_lock_each_other(bad):
    """Each can be taken away, or mended, beside the other."""
    first = bad.unset("modules.evry")
    assert (first.state, first.changed) == ("stored", True)
    assert {fault.path[1] for fault in first.standing} == {"mial"}
    assert set(values(bad)) == {"modules.mial.config.rate"}
    second = bad.unset("modules.mial")

    assert (second.state, second.standing) == ("applied", ())
    assert bad.service.status()["state"] == "healthy"


def test_one_that_nobody_can_judge_is_not_kept(bad):
    """While others are refused, nobody knows whether it would be too."""
    with pytest.raises(RefusedError) as caught:
        bad.set(RATE, 5)

    assert {fault.path[1] for fault in caught.value.faults} == {"evry", "mial"}
    assert "mend that first" in str(caught.value.__notes__)
    assert RATE not in values(bad)


@pytest.mark.parametrize("path", ["modules.next.config.rate", "modules.evry.type"])
def test_a_new_fault_beside_an_older_one_is_refused(bad, path):
    """Only what it brings is why; what was there before is named as such."""
    before = values(bad)
    with pytest.raises(RefusedError) as caught:
        bad.set(path, "no-such-type")

    (fault,) = caught.value.faults
    assert fault.path[1] == path.split(".")[1]
    notes = caught.value.__notes__
    assert notes[0] == "it was taken back: the store is as before"
    assert any(
        note.startswith("was there before: ") and "mial" in note for note in notes
    )
    assert values(bad) == before


def test_a_wrong_value_in_the_place_of_a_wrong_one_is_refused(make):
    """It brings its own fault, though that is of the same kind as the old one."""
    store = MemorySource()
    overrides = OverridesSource(store)
    with make(overrides) as runtime:
        store.set({"modules": {"api": {"type": "limiterr"}}})
        runtime.reload()
        with pytest.raises(RefusedError):
            overrides.set("modules.api.type", "limitter")

        assert overrides.set("modules.api.type", "limiter").state == "applied"


def test_a_directory_that_is_missing_is_not_an_empty_layer(tmp_path):
    """An unmounted directory must not undo every override."""
    with pytest.raises(SourceUnavailableError):
        OverridesSource(f"file:{tmp_path}/no/such/overrides.yaml").list()


@pytest.mark.parametrize(
    "path",
    ["", ".", "a.", ".a", "a..b", "hosts[0]", "a[0].b", '"a', (), ("a", 0), ("", "a")],
)
def test_a_path_that_is_none_is_refused(overrides, path):
    """The error says how a path is written."""
    with pytest.raises(InvalidConfigurationError, match="no path to a value"):
        overrides.set(path, 1)


def test_a_key_with_dots_stands_in_quotes(overrides):
    """Module names may hold dots."""
    overrides.set('modules."http.server".config.port', 80)
    overrides.set(("modules", "http.server", "config", "host"), "::")

    assert {each.path[1] for each in overrides.list()} == {"http.server"}
    overrides.unset('modules."http.server"')
    assert overrides.list() == ()


def test_nothing_is_unset_where_nothing_is_set(overrides):
    """`unset` raises `KeyError`, and stores nothing."""
    with pytest.raises(KeyError):
        overrides.unset(RATE)

    assert overrides.version is None


def test_a_value_is_not_put_below_one_that_is_no_mapping(overrides):
    """The error says which override stands on the way."""
    overrides.set("limits", 5)
    with pytest.raises(InvalidConfigurationError, match="stands on the way"):
        overrides.set("limits.most", 5)


@pytest.mark.parametrize("value", [object(), float("nan"), 2**70, Secret("hush")])
def test_a_value_that_no_store_can_hold_is_refused(overrides, value):
    """Nothing is stored, and no secret in clear."""
    with pytest.raises(InvalidConfigurationError):
        overrides.set("limits.most", value)

    assert overrides.list() == ()


def test_a_store_that_cannot_be_written_says_so():
    """`set` on a read-only source names it."""
    with pytest.raises(PluginError, match=r"overrides:env.*cannot be written"):
        OverridesSource("env:APP").set("limits.most", 5)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("memory", "overrides:memory"),
        ("file:o.yaml", "overrides:file:o.yaml"),
        (
            "database:postgresql://ada:hush@db/x?password=hush#o",
            "overrides:database:postgresql://…@db/x#o",
        ),
        ("redis://:hu@sh/0@db:6379/0", "overrides:redis://…@db:6379/0"),
    ],
)
def test_its_name_shows_no_password(uri, name):
    """What a URI says of users is no part of the name."""
    assert OverridesSource.from_uri(uri).name == name


def test_its_uri_can_be_a_layer(tmp_path, base, make):
    """`overrides:file:…` is a source like any other."""
    uri = f"overrides:file:{tmp_path}/o.yaml"
    OverridesSource.from_uri(uri.removeprefix("overrides:")).set(RATE, 8)
    with make(uri) as runtime:
        assert runtime.module("api").rate == 8
