from __future__ import annotations

import datetime
import itertools
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import midflight
from midflight import Document, Runtime
from midflight.errors import InvalidConfigurationError
from midflight_plugins.file import FileSource, _cache, _formats, _unit
from midflight_plugins.file._cache import Cache
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._packed import pack, unpack
from midflight_plugins.file._seal import make_key, unseal
from midflight_plugins.file._unit import Unit, build

LIMITS = Limits()
PADDING = f"# {'-' * 33_000}\n"  # makes a file large that is soon parsed
MARKER = "correct horse battery staple"
ITEM = """\
  - name: module-{0}
    type: limiter
    config:
      rate: {1}
      ratio: {0}.0
      token: {2}
      path: /var/lib/service/{0}
"""


def app(rate: object = 7, count: int = 40, first: int = 0) -> str:
    """Write a configuration that is large enough to be kept."""
    rows = range(first, first + count)
    items = (ITEM.format(at, rate if at == first + 9 else at, MARKER) for at in rows)
    return f"{PADDING}name: shop\nmodules:\n{''.join(items)}triggers:\n  daily: 1\n"


@pytest.fixture(autouse=True)
def _no_key_is_given(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("MIDFLIGHT_STATE_KEY_FILE", raising=False)
    _formats._kept.clear()
    _formats._caches.clear()
    yield
    _formats._kept.clear()
    _formats._caches.clear()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Name a state directory that is not there yet."""
    return tmp_path / "state"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the name of every file that is parsed in full.

    What an earlier test read is perhaps repeated now, on the sampler's thread: not it.
    """
    names: list[str] = []
    for form, plain in _unit._PARSERS.items():

        def noted(
            text: str, name: str, *args: Any, _plain: Any = plain, **options: Any
        ) -> Any:
            if threading.current_thread().name != "midflight-sample":
                names.append(name.rpartition("/")[2])
            return _plain(text, name, *args, **options)

        monkeypatch.setitem(_unit._PARSERS, form, noted)
    return names


Start = Callable[..., midflight.Loaded]


@pytest.fixture
def start(state: Path) -> Start:
    """Load as a new process does, which knows nothing but the state directory."""

    def do(file: Path, state_dir: Path | None = state) -> midflight.Loaded:
        return FileSource(file).load_in(Runtime("memory:", state_dir=state_dir))

    return do


def kept(state: Path) -> list[Path]:
    """Return the files of the cache."""
    return sorted(state.glob("parsed/*"))


def real(file: Path) -> Document:
    """Return what a real parse gives."""
    document = FileSource(file).load().document
    assert isinstance(document, Document)
    return document


def same(one: Any, other: Any) -> bool:
    """Compare two documents: values, types and the order of what has one."""
    return (
        one.digest == other.digest
        and [*one.modules] == [*other.modules]
        and [*one.sections] == [*other.sections]
        and repr(one.as_mapping()) == repr(other.as_mapping())
    )


# -- a restart -----------------------------------------------------------------------


def test_a_restart_parses_nothing(write: Any, start: Start, parsed: Any) -> None:
    """A second process gives what the first gave, and reads no line of it again."""
    file = write({"app.yaml": app()})
    first = start(file)
    assert parsed == ["app.yaml"]
    second = start(file)

    assert parsed == ["app.yaml"]
    assert same(second.document, real(file))
    assert (second.token, second.text) == (first.token, first.text)


def test_a_runtime_starts_from_the_cache(write: Any, state: Path, parsed: Any) -> None:
    """Watching or not, whichever hook comes first, a start parses nothing."""
    file = write({"app.yaml": "modules: []\n#" + "x" * 40_000})
    for watch in (False, True, True):
        runtime = Runtime(f"file:{file}", watch=watch, state_dir=state)
        with runtime:
            assert runtime.snapshot.document.digest == real(file).digest

    assert parsed == ["app.yaml"] * 4  # once to keep it, thrice by `real`


def test_without_a_state_directory_nothing_is_kept(
    write: Any, start: Start, parsed: Any, tmp_path: Path
) -> None:
    """Who names no state directory gets no file."""
    file = write({"app.yaml": app()})
    start(file, None)
    start(file, None)

    assert parsed == ["app.yaml"] * 2
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.usefixtures("shortcut")
def test_a_restart_after_an_edit_reads_the_edited_modules(
    write: Any, start: Start, parsed: Any
) -> None:
    """A file that was edited since it was parsed is not parsed in full either."""
    file = write({"app.yaml": app()})
    start(file)
    write({"app.yaml": app(rate=8)})
    document = start(file).document

    assert parsed == ["app.yaml"]
    assert same(document, real(file))


@pytest.mark.usefixtures("shortcut")
def test_edits_of_many_modules_are_read_one_by_one(
    write: Any, start: Start, parsed: Any
) -> None:
    """What a service edited all day long does not make its next start a full parse."""
    file = write({"app.yaml": app(count=600)})
    start(file)
    text = app(count=600)
    for at in range(0, 600, 5):
        text = text.replace(f"rate: {at}\n", f"rate: {at + 1_000}\n")
    write({"app.yaml": text})
    document = start(file).document

    assert parsed == ["app.yaml"]
    assert same(document, real(file))


@pytest.mark.usefixtures("shortcut")
def test_the_first_edit_after_a_restart_reads_one_module(
    write: Any, start: Start, state: Path, parsed: Any
) -> None:
    """What the cache gives can be edited as if it had been parsed here."""
    file = write({"app.yaml": app()})
    start(file)
    source = FileSource(file)
    before = source.load_in(Runtime("memory:", state_dir=state)).document
    write({"app.yaml": app(rate="9.0")})
    after = source.load().document

    assert parsed == ["app.yaml"]
    assert isinstance(before, Document)
    assert isinstance(after, Document)
    changed = [n for n, m in after.modules.items() if m is not before.modules[n]]
    assert changed == ["module-9"]
    assert same(after, real(file))


def test_places_are_those_of_the_text(write: Any, start: Start, parsed: Any) -> None:
    """Who asks for a place gets it; only then the text is walked again."""
    file = write({"app.yaml": app()})
    start(file)
    positions = start(file).positions
    assert positions is not None
    assert parsed == ["app.yaml"]

    assert str(positions(("modules", "module-1", "config", "rate"))) == f"{file}:14:13"


def test_imported_files_are_kept_each_by_itself(
    write: Any, start: Start, state: Path, parsed: Any
) -> None:
    """Of a tree of files, those that are large and did not change are not parsed."""
    head = "imports: [base/one.yaml]\napplication:\n  name: shop\n  workflows:\n"
    file = write(
        {
            "app.yaml": head + "  - {file: two.yaml, name: two}\nx: 1\n" + "#" * 40_000,
            "base/one.yaml": app(first=1_000),
            "two.yaml": app(first=2_000).replace("\ntriggers:\n  daily: 1\n", "\n"),
        }
    )
    whole = start(file).document
    assert isinstance(whole, Document)
    assert len(kept(state)) == 3
    parsed.clear()
    assert same(start(file).document, whole)
    assert parsed == []
    write({"base/one.yaml": "modules: []\n"})
    less = start(file).document

    assert parsed == ["one.yaml"]
    assert same(less, real(file))


def test_a_stored_text_is_kept_by_its_own_runtime(tmp_path: Path) -> None:
    """Nothing of it is written where another runtime keeps its state."""
    one, other, data = tmp_path / "one", tmp_path / "other", app().encode()
    for state_dir, name in ((one, "rows:a"), (other, "rows:b"), (None, "rows:c")):
        Runtime("memory:", state_dir=state_dir).parse(data, "yaml", name)

    assert len(kept(one)) == len(kept(other)) == 1


def test_a_stored_text_is_not_kept_at_each_change(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed twice within a minute, it is written once."""
    monkeypatch.setenv("MIDFLIGHT_FULL_PARSE", "1")
    runtime = Runtime("memory:", state_dir=state)
    runtime.parse(app().encode(), "yaml", "rows:a")
    [file] = kept(state)
    first = file.read_bytes()
    runtime.parse(app(rate=3).encode(), "yaml", "rows:a")

    assert file.read_bytes() == first


@pytest.mark.usefixtures("shortcut")
def test_a_stored_text_is_kept_as_well(state: Path, parsed: Any) -> None:
    """Bytes that a source fetches from elsewhere start from the cache too."""
    runtime = Runtime("memory:", state_dir=state)
    first = runtime.parse(app().encode(), "yaml", "rows:app")
    _formats._kept.clear()
    second = runtime.parse(app().encode(), "yaml", "rows:app")
    _formats._kept.clear()
    third = runtime.parse(app(rate=3).encode(), "yaml", "rows:app").document
    assert isinstance(third, Document)

    assert parsed == ["rows:app"]
    assert same(second.document, first.document)
    assert third.modules["module-9"].config["rate"] == 3


# -- what it gives is what a parse gives ---------------------------------------------

words = st.text(
    st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]), max_size=6
)
scalars = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), words,
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1, 1.0, "1"]),
)  # fmt: skip
zones = st.integers(-23 * 60, 23 * 60).map(
    lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
)
times = st.one_of(
    st.dates(), st.times(), st.datetimes(), st.datetimes(timezones=zones),
    st.datetimes(timezones=st.just(datetime.UTC)),
)  # fmt: skip


def trees(leaves: Any) -> Any:
    """Draw sections of a document, with lists in lists and empty things."""
    below = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4)
        ),
        max_leaves=12,
    )
    keys = words.map(lambda word: f"x{word}")
    return st.dictionaries(keys, below, min_size=1, max_size=4)


names = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,8}", fullmatch=True)


def entries(leaves: Any) -> Any:
    """Draw the entries of `modules:`, with keys that a layer may leave out."""
    entry = st.fixed_dictionaries(
        {"name": names},
        optional={
            "type": names,
            "config": trees(leaves),
            "dependsOn": st.lists(names, max_size=2),
            "enabled": st.booleans(),
            "at": leaves,
        },
    )
    return st.lists(entry, max_size=5, unique_by=lambda each: each["name"])


def toml(value: Any) -> str:
    """Write a value as TOML does inside a line."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {toml(each)}" for key, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return json.dumps(value)


def agree(name: str, text: str) -> bool:
    """Pack and unpack what a parse gives; tell whether there was no fault."""
    unit = build(name, text.encode(), name, LIMITS)
    if unit.faults or unit.document is None:
        return False
    again = unpack(pack(unit), name, LIMITS, "")
    assert again.document is not None
    assert same(again.document, unit.document)
    assert (again.imports, again.workflows) == (unit.imports, unit.workflows)
    assert (again.data, again.text) == (unit.data, unit.text)
    assert again.layout == unit.layout
    return True


@settings(max_examples=300, deadline=None)
@given(entries(scalars | times), trees(scalars | times))
def test_any_toml_is_the_same_from_the_cache(modules: Any, sections: Any) -> None:
    """Dates with and without zones, 1 and 1.0, the order of keys: all of it stays."""
    lines = [f"{json.dumps(key)} = {toml(each)}" for key, each in sections.items()]
    good = agree("a.toml", f"modules = {toml(modules)}\n" + "\n".join(lines))
    event(f"read {good}")


@settings(max_examples=300, deadline=None)
@given(entries(scalars | st.none()), trees(scalars | st.none()), st.booleans())
def test_any_yaml_is_the_same_from_the_cache(
    modules: Any, sections: Any, marked: bool
) -> None:
    """Nulls, entries without a type, imports and a byte order mark come back."""
    more = {"imports": ["a.yaml"], "application": {"workflows": [{"file": "b.yaml"}]}}
    items = "".join(f"- {json.dumps(entry)}\n" for entry in modules)
    rest = (f"{json.dumps(k)}: {json.dumps(v)}\n" for k, v in (sections | more).items())
    text = f"modules:{' []' if not modules else ''}\n{items}{''.join(rest)}"
    good = agree("a.yaml", "\ufeff" * marked + text)
    event(f"read {good}")


@pytest.mark.parametrize(
    "text",
    [
        "modules:\n- name: a\n  type: t\nx: 1\n",
        "modules: {a: {type: t}, b: {type: u, dependsOn: [a]}}\n",
        "modules: []\n",
        "x: &x {y: [1, [2, []], {}]}\nz: *x\n",
        "a: {<<: {b: 1.0}, c: 1}\n",
        "modules:\n- {name: a, type: t, config: null}\n",
    ],
)
def test_each_form_of_a_document_is_the_same(text: str) -> None:
    """Modules by name or in a list, aliases and merges give the same document."""
    assert agree("a.yaml", text)


EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 60),
        st.sampled_from(
            [
                "",
                "1.0",
                "x",
                "\n",
                "# c\n",
                "  - name: new\n    type: t\n",
                "&a ",
                "---",
            ]
        ),
    ),
    max_size=3,
)


@settings(max_examples=50, deadline=None)
@given(EDITS)
def test_it_is_never_taken_for_other_bytes(
    tmp_path_factory: pytest.TempPathFactory, edits: Any
) -> None:
    """Whatever became of the file, a start gives what a real parse gives."""
    folder = tmp_path_factory.mktemp("edited")
    file, runtime = folder / "app.yaml", Runtime("memory:", state_dir=folder / "state")
    text = app()
    file.write_text(text)
    FileSource(file).load_in(runtime)
    for where, less, more in edits:
        at = int(where * len(text))
        text = text[:at] + more + text[at + less :]
    file.write_text(text)
    found = []
    for load in (FileSource(file).load, lambda: FileSource(file).load_in(runtime)):
        try:
            document = load().document
            found.append(repr(document.as_mapping()))  # type: ignore[union-attr]  # a Document
        except InvalidConfigurationError as exc:
            found.append(str([str(fault) for fault in exc.faults]))
    event(f"fault {'E_' in found[0]}")

    assert found[0] == found[1]


# -- what is no cache ----------------------------------------------------------------


def damaged(sealed: bytes) -> Iterator[bytes]:
    """Yield what may become of a file: in each region, at each end, cut, or gone."""
    size = len(sealed)
    for at in {*range(28), *range(28, size, size // 97), *range(size - 17, size)}:
        yield sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
    for cut in (0, 1, 11, 12, 13, 28, size // 2, size - 1):
        yield sealed[:cut]
        yield sealed[cut:] if cut else b""
    yield sealed + b"\0"
    yield b'{"modules": []}\n'


def test_what_is_damaged_is_ignored(write: Any, start: Start, state: Path) -> None:
    """Not one bit may differ."""
    file = write({"app.yaml": app()})
    start(file)
    (path,) = kept(state)
    cache, whole = Cache(state), path.read_bytes()
    assert cache.read(str(file), 40_000, LIMITS) is not None
    for bad in damaged(whole):
        if bad == whole:
            continue
        path.write_bytes(bad)

        assert cache.read(str(file), 40_000, LIMITS) is None


def test_what_is_damaged_is_overwritten(
    write: Any, start: Start, state: Path, parsed: Any
) -> None:
    """The next start after a damage parses, the one after it does not."""
    file = write({"app.yaml": app()})
    start(file)
    (path,) = kept(state)
    for bad in (b"", path.read_bytes()[:-1], b"\0" * 5_000):
        path.write_bytes(bad)
        parsed.clear()

        assert [same(start(file).document, real(file)) for _ in range(2)] == [True] * 2
        assert parsed == ["app.yaml"] * 3  # twice of them by `real`


def test_what_another_key_sealed_is_ignored_and_overwritten(
    write: Any, start: Start, state: Path, parsed: Any
) -> None:
    """A cache from elsewhere is as good as none."""
    file = write({"app.yaml": app()})
    start(file)
    (state / "state.key").write_bytes(os.urandom(32))
    start(file)
    start(file)

    assert parsed == ["app.yaml"] * 2
    assert len(kept(state)) == 1


@pytest.mark.parametrize(
    "other",
    [
        lambda patch: patch.setattr(_cache, "_FORMAT", 0),
        lambda patch: patch.setattr(midflight, "__version__", "0.0.9"),
        lambda patch: patch.setattr("importlib.metadata.version", lambda _: "0.1"),
    ],
)
def test_what_another_version_kept_is_ignored_and_overwritten(
    write: Any, start: Start, state: Path, parsed: Any, other: Any
) -> None:
    """After an upgrade of the cache, of Midflight or the parser, all is parsed."""
    file = write({"app.yaml": app()})
    with pytest.MonkeyPatch.context() as patch:
        other(patch)
        start(file)
        start(file)
        assert parsed == ["app.yaml"]
    start(file)
    start(file)

    assert parsed == ["app.yaml"] * 2
    assert len(kept(state)) == 1


def test_it_holds_for_one_file_under_one_set_of_bounds(
    write: Any, start: Start, state: Path
) -> None:
    """In the place of another, or under other bounds, a cache is ignored."""
    file = write({"app.yaml": app(), "b.yaml": app()})
    start(file)
    (path,) = kept(state)
    start(file.with_name("b.yaml"))
    other = next(each for each in kept(state) if each != path)
    cache = Cache(state)
    assert cache.read(str(file), 40_000, Limits(max_depth=8)) is None
    path.write_bytes(other.read_bytes())

    assert cache.read(str(file.with_name("b.yaml")), 40_000, LIMITS) is not None
    assert cache.read(str(file), 40_000, LIMITS) is None


def test_a_file_with_faults_is_not_kept(write: Any, start: Start, state: Path) -> None:
    """Faults are found again at each start, each with its place."""
    good = write({"app.yaml": app()})
    start(good)
    before = kept(state)[0].read_bytes()
    write({"app.yaml": app(rate="NO")})
    for _ in range(2):
        with pytest.raises(InvalidConfigurationError) as caught:
            start(good)

        assert str(caught.value.faults[0].place) == f"{good}:70:13"
    assert kept(state)[0].read_bytes() == before
    bad = write({"bad.yaml": app(rate="NO")})
    with pytest.raises(InvalidConfigurationError):
        start(bad)
    assert len(kept(state)) == 1


def test_small_files_and_json_are_not_kept(
    write: Any, start: Start, state: Path
) -> None:
    """A cache would take as long to read as they take to parse."""
    start(write({"small.yaml": app().removeprefix(PADDING)}))
    modules = [{"name": f"m{at}", "type": "t", "config": {"n": 1}} for at in range(999)]
    start(write({"large.json": json.dumps({"modules": modules})}))

    assert not state.exists()


# -- how it is kept ------------------------------------------------------------------


def test_nothing_of_the_configuration_can_be_read_there(
    write: Any, start: Start, state: Path
) -> None:
    """What is kept is encrypted, and nobody else may open it."""
    start(write({"app.yaml": app()}))
    files = [path for path in state.rglob("*") if path.is_file()]

    assert len(files) == 2
    for path in files:
        held = path.read_bytes() + path.name.encode()
        for word in (MARKER, "limiter", "module-1", "app.yaml", "shop"):
            assert word.encode() not in held
        assert path.stat().st_mode & 0o777 == 0o600
    for folder in (state, state / "parsed"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_two_caches_of_one_file_have_nothing_in_common(
    write: Any, start: Start, state: Path
) -> None:
    """Who sees both cannot tell whether the same was kept: each has its own nonce."""
    file = write({"app.yaml": app()})
    start(file)
    one = kept(state)[0].read_bytes()
    kept(state)[0].unlink()
    start(file)
    other = kept(state)[0].read_bytes()

    assert len(one) == len(other)
    assert one[:12] != other[:12]
    alike = sum(a == b for a, b in zip(one, other, strict=True))
    assert alike < len(one) / 50


def test_the_key_is_taken_from_where_it_is_given(
    write: Any, start: Start, state: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """A credential comes before a named file, and that before one of our own."""
    file, folder = write({"app.yaml": app()}), tmp_path / "credentials"
    folder.mkdir()
    (tmp_path / "named").write_bytes(b"n" * 32)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    monkeypatch.setenv("MIDFLIGHT_STATE_KEY_FILE", str(tmp_path / "named"))
    start(file)
    about = _cache._about(str(file), LIMITS, ".yaml")
    assert unseal(b"n" * 32, kept(state)[0].read_bytes(), about)
    (folder / "midflight.key").write_bytes(b"c" * 32)
    start(file)

    assert unseal(b"c" * 32, kept(state)[0].read_bytes(), about)
    assert not (state / "state.key").exists()


@pytest.mark.parametrize("bad", ["half", "long", "open", "folder", "gone"])
def test_with_a_bad_key_there_is_no_cache(
    write: Any, start: Start, state: Path, parsed: Any, monkeypatch: Any, bad: str
) -> None:
    """A key that others can read, or that is none, seals and opens nothing."""
    file, key = write({"app.yaml": app()}), state / "state.key"
    start(file)
    before = kept(state)[0].read_bytes()
    if bad in ("half", "long"):
        key.write_bytes(b"k" * (16 if bad == "half" else 33))
    elif bad == "open":
        key.chmod(0o640)
    elif bad == "gone":
        monkeypatch.setenv("MIDFLIGHT_STATE_KEY_FILE", str(state / "nowhere"))
    else:
        key.unlink()
        key.mkdir()
    parsed.clear()
    document = start(file).document

    assert parsed == ["app.yaml"]
    assert same(document, real(file))
    assert kept(state)[0].read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_somebody_else_seals_nothing_for_root_either(
    write: Any, start: Start, state: Path, parsed: Any
) -> None:
    """Whoever put it there could seal a configuration of their own with it."""
    file = write({"app.yaml": app()})
    start(file)
    os.chown(state / "state.key", 1234, 1234)
    parsed.clear()
    start(file)

    assert parsed == ["app.yaml"]


def test_processes_that_start_at_once_agree_on_a_key(tmp_path: Path) -> None:
    """One of them makes it, all of them use it, and nothing else is left there."""
    barrier, keys = threading.Barrier(8), []

    def work() -> None:
        barrier.wait()
        keys.append(make_key(tmp_path))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["state.key"]


def test_writers_and_readers_do_not_disturb_each_other(state: Path) -> None:
    """A reader gets one whole version, whoever writes at the time."""
    units = [
        build("a.yaml", app(rate).encode(), "a.yaml", LIMITS) for rate in (1, 2, 3)
    ]
    Cache(state).write(units[0])
    stopped, wrong = threading.Event(), []

    def work(unit: Unit) -> None:
        while not stopped.is_set():
            Cache(state).write(unit)

    threads = [threading.Thread(target=work, args=[unit]) for unit in units]
    for thread in threads:
        thread.start()
    wanted = {each.data: each.document for each in units}
    try:
        for _ in range(60):
            unit = Cache(state).read("a.yaml", 40_000, LIMITS)
            if unit is None or unit.document != wanted[unit.data]:
                wrong.append(unit)
    finally:
        stopped.set()
        for thread in threads:
            thread.join()

    assert wrong == []
    assert len(kept(state)) == 1


def test_a_directory_that_cannot_be_written_is_no_error(
    write: Any, start: Start, tmp_path: Path, parsed: Any
) -> None:
    """Without a cache a file is parsed, and that is all."""
    file = write({"app.yaml": app()})
    (tmp_path / "file").write_text("")
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "parsed").write_text("")
    places = [tmp_path / "file", tmp_path / "file" / "below", Path("/proc/1"), taken]
    for place in places:
        assert same(start(file, place).document, real(file))

    assert parsed == ["app.yaml"] * 2 * len(places)


def test_a_full_disk_is_no_error_and_leaves_nothing(
    write: Any, start: Start, state: Path
) -> None:
    """What cannot be written to its end is not there, and the last one stays."""
    file = write({"app.yaml": app()})
    start(file)
    before = kept(state)[0].read_bytes()
    write({"app.yaml": app().replace("shop", "store")})  # a full parse
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, limits[1]))
    try:
        document = start(file).document
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert same(document, real(file))
    assert [path.read_bytes() for path in kept(state)] == [before]


def test_many_edits_in_full_write_seldom(state: Path) -> None:
    """However often a file is parsed in full, it is kept once in a while."""
    now = itertools.count(0, 7)  # seconds
    cache = Cache(state, lambda: float(next(now)))
    seen = set()
    for rate in range(20):
        cache.write(build("a.yaml", app(rate).encode(), "a.yaml", LIMITS))
        seen.add(kept(state)[0].read_bytes())

    assert len(seen) == 3  # at 0, 63 and 126 s of 133


def test_only_so_many_files_are_kept(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go, among them what a killed process left."""
    monkeypatch.setattr(_cache, "_KEPT", 3)
    unit, cache = build("a.yaml", app().encode(), "a.yaml", LIMITS), Cache(state)
    cache.write(unit)
    (state / "parsed" / ".left").write_bytes(b"half")
    os.utime(state / "parsed" / ".left", (1, 1))
    os.utime(_cache._path(state, "a.yaml", ".yaml"), (2, 2))
    for at in range(5):
        unit.name = f"{at}.yaml"
        cache.write(unit)
        os.utime(_cache._path(state, unit.name, ".yaml"), (3 + at, 3 + at))
    found = [cache.read(f"{at}.yaml", 40_000, LIMITS) is not None for at in range(5)]

    assert found == [False, False, True, True, True]
    assert len(kept(state)) == 3
    assert not (state / "parsed" / ".left").exists()


def test_a_start_from_the_cache_imports_no_parser(
    write: Any, start: Start, state: Path
) -> None:
    """The parser is imported for a parse, and what seals for a cache: not before."""
    file = write({"app.yaml": app()})
    start(file)
    code = (
        "import sys, midflight\nfrom midflight_plugins.file import FileSource\n"
        "heavy = lambda: [n for n in ('cryptography', 'ruamel.yaml.scanner')"
        " if n in sys.modules]\n"
        f"runtime = midflight.Runtime('memory:', state_dir={str(state)!r})\n"
        f"source = FileSource({str(file)!r})\nprint(heavy())\n"
        "source.load_in(runtime)\nprint(heavy())\n"
    )
    done = subprocess.run(
        [sys.executable, "-Ic", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == ["[]", "['cryptography']"]
