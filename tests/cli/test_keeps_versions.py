from __future__ import annotations

import getpass
import json

import pytest

from midflight import PluginRegistry, Runtime
from midflight.errors import UnknownOutcomeError
from midflight_plugins.cli import _put, _text, _versions
from midflight_plugins.memory import MemorySource

FIRST = b"# why\r\nmodules:\n  - {name: a, type: worker}   # \xc3\xa4\n\n"
SECOND = "modules:\n  - {name: a, type: worker, config: {rate: 2}}\n"
URI = "shelf:kept"


@pytest.fixture
def put(midflight, folder, shelf, with_types):
    """Return what puts a text and gives the result."""

    def store(text, *words, **more):
        data = text if isinstance(text, bytes) else text.encode()
        (folder / "new.yaml").write_bytes(data)
        words = ("put", URI, "new.yaml", "-m", "because", *with_types, *words)
        return midflight(*words, **more)

    return store


@pytest.fixture
def two(put):
    """Store two versions."""
    put(FIRST)
    put(SECOND)


def entry(shelf, version):
    """Return what the source stored."""
    return json.loads((shelf / f"{version}.json").read_text())


# -- get -----------------------------------------------------------------------------


def test_what_was_put_comes_back_to_the_byte(midflight, put, folder):
    """Comments, line ends and spaces survive; nothing is added."""
    put(FIRST)
    midflight("get", URI, "-o", "got.yaml")

    assert midflight("get", URI).stdout_bytes == FIRST
    assert (folder / "got.yaml").read_bytes() == FIRST


def test_get_shows_one_version(midflight, two):
    """`URI@VERSION` is a stored version, alone is the newest."""
    assert midflight("get", f"{URI}@1").stdout_bytes == FIRST
    assert midflight("get", URI).stdout == SECOND


def test_get_gives_version_and_digest_as_json(midflight, put, shelf):
    """For programs there is the document itself, with what it is."""
    put(SECOND)
    data = json.loads(midflight("get", URI, "--format", "json").stdout)

    assert data == {
        "version": 1,
        "digest": entry(shelf, 1)["digest"],
        "document": {
            "modules": [{"name": "a", "type": "worker", "config": {"rate": 2}}]
        },
    }


def test_get_writes_json_where_there_is_no_text(midflight, folder):
    """A document of which no text is kept is shown as JSON, which can be put again."""
    (folder / "app.toml").write_text("[[modules]]\nname = 'a'\ntype = 't'\n")
    text = midflight("get", "app.toml").stdout

    assert json.loads(text)["modules"][0]["name"] == "a"
    assert text.endswith("}\n")


def test_get_reads_any_source(midflight, folder):
    """A file and a memory source have a text too."""
    assert midflight("get", "app.yaml").stdout == (folder / "app.yaml").read_text()
    assert midflight("get", 'memory:{"modules": []}').stdout == '{"modules": []}'


def test_get_says_where_it_cannot_write(midflight, folder):
    """A file that cannot be written is a usage error; nothing is left behind."""
    result = midflight("get", "app.yaml", "-o", "none/out.yaml", code=2)

    assert "cannot write none/out.yaml" in result.stderr
    assert not (folder / "none").exists()


# -- put -----------------------------------------------------------------------------


def test_put_says_the_new_version(put, shelf):
    """The version and its digest are told; author and message are stored."""
    result = put(SECOND, "--author", "ann")
    stored = entry(shelf, 1)

    assert result.stdout == f"version 1: digest {stored['digest'][:12]}\n"
    assert (stored["author"], stored["message"]) == ("ann", "because")
    assert stored["text"] == SECOND


def test_put_tells_programs_what_it_did(put):
    """As JSON it has the version, the digest and whether there is a new one."""
    first = json.loads(put(SECOND, "--format", "json").stdout)
    again = json.loads(put(SECOND, "--format", "json").stdout)

    assert (first["version"], first["changed"]) == (1, True)
    assert again == {**first, "changed": False}


def test_the_same_again_is_no_new_version(put, shelf):
    """Content that is the newest already is left alone, and that is said."""
    put(SECOND)

    assert "unchanged: version 1" in put(SECOND).stdout
    assert not (shelf / "2.json").exists()


def test_put_reads_standard_input(midflight, shelf):
    """`-` is YAML from standard input; faults have their places in it."""
    words = ("put", URI, "-", "-m", "x")
    midflight(*words, stdin="# piped\nmodules: []\n")
    result = midflight(*words, stdin="a: 1\na: 2\n", code=1)

    assert entry(shelf, 1)["text"] == "# piped\nmodules: []\n"
    assert "<stdin>:2:1" in result.stderr


def test_put_takes_a_source(midflight, two, shelf):
    """What is put may come from any source, such as an old version, with its text."""
    midflight("put", URI, f"{URI}@1", "-m", "as it was")

    assert entry(shelf, 3)["text"].encode() == FIRST


def test_put_merges_files_into_one_document(midflight, shelf, folder):
    """A configuration of several files is stored as one document, without a text."""
    (folder / "all.yaml").write_text("imports: [app.yaml]\nx: 1\n")
    midflight("put", URI, "all.yaml", "-m", "x")
    stored = entry(shelf, 1)

    assert stored["text"] is None
    assert [each["name"] for each in stored["document"]["modules"]] == ["a", "b"]
    assert stored["document"]["x"] == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("modules: [{name: a}]\n", "E_REQUIRED"),
        ("a: [1\n", "E_SYNTAX"),
        ("modules: [{name: a, type: worker, dependsOn: [b]}]\n", "E_DEP"),
        ("modules: [{name: a, type: worker, config: {rte: 1}}]\n", "did you mean"),
    ],
)
def test_put_refuses_what_is_wrong(put, shelf, text, says):
    """A wrong configuration is not stored; every fault is shown with its place."""
    result = put(text, code=1)

    assert says in result.stderr
    assert "new.yaml:1:" in result.stderr
    assert list(shelf.iterdir()) == []


def test_put_only_warns_of_types_that_are_elsewhere(midflight, shelf):
    """Module types need not be installed where the configuration is put."""
    result = midflight("put", URI, "app.yaml", "-m", "x")

    assert "version 1" in result.stdout
    assert result.stderr == (
        "warning: no installed plugin has the module type `worker`; not checked: a, b\n"
    )


def test_put_can_leave_modules_unasked(put, shelf):
    """With `--no-check` faults of module configurations are warnings."""
    text = "modules: [{name: a, type: worker, config: {rte: 1}}]\n"
    result = put(text, "--no-check")

    assert "warning[E_UNKNOWN]: `rte` is not known\n" in result.stderr
    assert " --> new.yaml:1:49\n" in result.stderr
    assert "did you mean `rate`?" in result.stderr
    assert "error" not in result.stderr
    assert entry(shelf, 1)["text"] == text


@pytest.mark.parametrize(
    "text",
    [
        "modules: [{type: worker}]\n",
        "modules: [{name: a, type: worker, dependsOn: [b]}]\n",
    ],
)
def test_put_always_asks_for_a_document(put, shelf, text):
    """What is no document, or has no order to start in, is refused in any case."""
    put(text, "--no-check", code=1)

    assert list(shelf.iterdir()) == []


def test_put_on_an_old_version_is_a_conflict(put, two, shelf):
    """`--expect` loses to who came first: exit 4, and how to see what they did."""
    result = put(FIRST, "--expect", "1", code=4)

    assert "the head is 2, not 1" in result.stderr
    assert f"midflight diff {URI}@1 {URI}\n" in result.stderr
    assert not (shelf / "3.json").exists()


def test_put_on_the_expected_version_is_stored(put):
    """`--expect` names the newest version, `none` an empty source."""
    put(FIRST, "--expect", "none")
    put(SECOND, "--expect", "1")

    result = put(FIRST, "--expect", "none", code=4)
    assert f"{URI}: there is a version already\n" in result.stderr


def test_what_cannot_be_a_version_is_not_expected(put, two):
    """Where versions are numbers, another word is a slip of the fingers."""
    result = put(FIRST, "--expect", "foo", code=2)

    assert "--expect foo: a version of shelf:kept is a number" in result.stderr


def test_put_replaces_a_head_that_is_wrong(put, shelf):
    """A stored version that cannot be read is no obstacle to a better one."""
    put(SECOND)
    bad = {**entry(shelf, 1), "text": "a: [1"}
    (shelf / "1.json").write_text(json.dumps(bad))

    assert "version 2" in put(SECOND).stdout


def test_a_wrong_version_is_named_to_whoever_expects_none(put, shelf):
    """The refusal says what is there, what is wrong with it and its number."""
    put(SECOND)
    bad = {**entry(shelf, 1), "text": "a: [1"}
    (shelf / "1.json").write_text(json.dumps(bad))
    told = put(SECOND, "--expect", "none", code=4).stderr

    assert f"{URI}: what is there is no valid configuration: {URI}@1:1:" in told
    assert "E_SYNTAX" in told
    assert told.endswith("to replace just that: --expect 1\n")


def test_the_author_may_come_from_the_environment(put, shelf, monkeypatch):
    """`--author` wins over MIDFLIGHT_AUTHOR, which wins over user and host."""
    put(FIRST)
    monkeypatch.setenv("MIDFLIGHT_AUTHOR", "the pipeline")
    put(SECOND)
    put(FIRST, "--author", "ann")

    authors = [entry(shelf, version)["author"] for version in (1, 2, 3)]
    assert authors == [_put.default_author(), "the pipeline", "ann"]


def test_a_user_without_a_name_is_a_number(monkeypatch):
    """In a container the user may be unknown; there is an author all the same."""

    def fail():
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr(getpass, "getuser", fail)
    user, at, host = _put.default_author().partition("@")

    assert user.isdigit()
    assert at
    assert host


@pytest.mark.parametrize(
    ("flag", "code", "says"),
    [
        ("lost", 4, ["write w-17 was lost", f"find out: midflight history {URI}"]),
        ("down", 3, ["cannot be reached"]),
        ("broken", 3, ["Connection reset by peer"]),
    ],
)
def test_put_says_what_became_of_it(put, shelf, flag, code, says):
    """A put whose end is unknown is told from one that was not stored."""
    put(FIRST)
    (shelf / flag).touch()
    result = put(SECOND, code=code)

    assert all(text in result.stderr for text in says)
    assert result.stdout == ""


def test_an_unknown_outcome_names_the_way_to_resolve_it():
    """Of a database one can ask for the write itself."""
    uri = "database:sqlite:///my app.db#k"
    error = UnknownOutcomeError("database:…", "w-1")
    with pytest.raises(UnknownOutcomeError), _versions.asking(uri):
        raise error

    assert f"midflight db resolve '{uri}' w-1" in error.__notes__[0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("put", "env:X", "app.yaml", "-m", "x"), "has no hook `put`"),
        (("history", "app.yaml"), "has no hook `history`"),
        (("rollback", "app.yaml", "1"), "has no hook `read_version`"),
        (("put", f"{URI}@1", "app.yaml", "-m", "x"), "leave out `@1`"),
        (("history", f"{URI}@1"), "leave out `@1`"),
        (("put", URI, "app.yaml"), "Missing option '-m'"),
        (("put", "nosuch:x", "app.yaml", "-m", "x"), "no source is called `nosuch`"),
    ],
)
def test_what_cannot_be_written_is_a_usage_error(midflight, shelf, words, says):
    """A source that keeps no versions, or a version itself, takes no put."""
    assert says in midflight(*words, code=2).stderr


# -- put, where no version is kept -----------------------------------------------------


def test_put_replaces_a_file(midflight, folder):
    """A file has no versions: what it holds is what a put is based on."""
    first = midflight("put", "app.yaml", "-", "-m", "x", stdin=SECOND).stdout
    again = midflight("put", "app.yaml", "-", "-m", "x", stdin=SECOND).stdout

    assert (folder / "app.yaml").read_text() == SECOND
    assert again.startswith(f"unchanged: {first.partition(':')[0]} is the same")


def replacing(midflight, uri):
    """Return the options that a refused put tells for its replacement."""
    told = midflight("put", uri, "-", "-m", "x", stdin=SECOND, code=4).stderr
    way = told.splitlines()[-1].removeprefix("to replace just that: ")

    assert "what is there is no valid configuration: app.yaml:1:10: E_SYNTAX" in told
    return way.split(" ")


def test_put_mends_a_file_once_it_is_told_what_it_replaces(midflight, folder):
    """What is wrong has no history; it is replaced when its token is named."""
    (folder / "app.yaml").write_text("modules: [")
    expect = replacing(midflight, "app.yaml")
    midflight("put", "app.yaml", "-", "-m", "x", *expect, stdin=SECOND)

    assert (folder / "app.yaml").read_text() == SECOND


@pytest.mark.parametrize("since", [b"modules: {", FIRST])
def test_put_mends_nothing_that_came_since(midflight, folder, since):
    """The token is that of what was wrong; another content stays, be it wrong too."""
    (folder / "app.yaml").write_text("modules: [")
    expect = replacing(midflight, "app.yaml")
    (folder / "app.yaml").write_bytes(since)
    midflight("put", "app.yaml", "-", "-m", "x", *expect, stdin=SECOND, code=4)

    assert (folder / "app.yaml").read_bytes() == since


def test_a_refused_put_shows_no_value(midflight, folder):
    """What was found in the place of something else may be a secret."""
    (folder / "app.yaml").write_text("modules: hunter2\n")
    told = midflight("put", "app.yaml", "-", "-m", "x", stdin=SECOND, code=4).stderr

    assert "app.yaml:1:10: E_TYPE" in told
    assert "hunter2" not in told


BOARD = """
import pathlib

from midflight import hookimpl
from midflight.errors import ConflictError, SourceUnavailableError


class Board:
    \"\"\"Takes only what is put first; what is put later it knows no version for.\"\"\"

    def __init__(self, path):
        self.name, self.path = f"board:{path}", pathlib.Path(path)

    @classmethod
    def from_uri(cls, rest):
        return cls(rest)

    @hookimpl
    def load(self, runtime):
        return runtime.parse(self.path.read_bytes(), "yaml", self.name)

    @hookimpl
    def put(self, expected_version):
        if self.path.exists():
            raise ConflictError(f"{self.name}: {expected_version} is not the head")


class Hashed(Board):
    @hookimpl
    def hash(self):
        return self.path.read_text()
"""


def test_what_has_no_version_to_expect_is_repaired_elsewhere(
    midflight, install, folder
):
    """Where no `--expect` can do it, none is told: the store has tools of its own."""
    points = "board = board:Board\nhashed = board:Hashed\n"
    install("board", BOARD, f"[midflight.sources]\n{points}")
    (folder / "b").write_text("a:[")
    words = ("app.yaml", "-m", "x")
    board = midflight("put", "board:b", *words, code=4).stderr
    hashed = midflight("put", "hashed:b", *words, code=4).stderr
    refused = midflight("put", "hashed:b", *words, "--expect", "a:[", code=4).stderr

    assert "no valid configuration: board:b:1:" in board
    assert board.endswith("\nrepair it where it is stored, with the tools for that\n")
    assert hashed.endswith("\nto replace just that: --expect 'a:['\n")
    assert "takes no token for a version; repair it where it is stored" in refused


# -- history -------------------------------------------------------------------------


def test_history_lists_versions_newest_first(midflight, two):
    """Each has version, time in UTC, author, digest and the first line of why."""
    words = ("put", URI, "app.yaml", "--author", "ann", "-m", "faster\n\nsince it can")
    midflight(*words)
    lines = midflight("history", URI, "--limit", "2").stdout.splitlines()

    assert [line.split()[0] for line in lines] == ["VERSION", "3", "2"]
    assert lines[0].split()[1:] == ["WHEN", "AUTHOR", "DIGEST", "MESSAGE"]
    assert lines[1].split()[1:3] == ["2023-11-14T22:13:23Z", "ann"]
    assert lines[1].endswith("  faster …")
    assert lines[2].endswith("  because")


def test_history_writes_json(midflight, two, shelf):
    """As JSON nothing is shortened."""
    rows = json.loads(midflight("history", URI, "--format", "json").stdout)

    assert rows[1] == {
        "version": 1,
        "at": "2023-11-14T22:13:21.000000Z",
        "author": _put.default_author(),
        "digest": entry(shelf, 1)["digest"],
        "message": "because",
    }


def test_what_others_wrote_does_not_act_on_the_terminal(midflight, put):
    """Control characters of an author or a message are written out."""
    put(SECOND, "--author", "an\x1b[31mn", "-m", "a\x07b\x1b]0;x")
    text = midflight("history", URI).stdout

    assert "\x1b" not in text
    assert "\x07" not in text
    assert "an\\x1b[31mn" in text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("1  short", "1  short"),
        ("1  exactly", "1  exactly"),
        ("1  longer than", "1  longer…"),
        ("1  漢字漢字漢字", "1  漢字漢…"),
    ],
)
def test_a_version_has_one_line_of_the_terminal(line, shown):
    """What is too long is cut, wide characters counted as such."""
    assert _text.cut(line, 10) == shown


def test_history_of_nothing_says_so_as_get_does(midflight, shelf):
    """Where there is no document, a slip in its name is seen: exit 3."""
    results = [
        midflight(*words, code=3)
        for words in (("history", URI), ("history", URI, "--format", "json"))
    ]

    for result in results:
        assert result.stderr == midflight("get", URI, code=3).stderr
        assert result.stdout == ""


def test_a_document_without_history_is_no_error(midflight, monkeypatch):
    """What is there and was never put has an empty history."""
    monkeypatch.setattr(Runtime, "history", lambda self, limit: [])

    assert midflight("history", 'memory:{"modules": []}').stdout == "no version yet\n"


# -- rollback ------------------------------------------------------------------------


def test_rollback_makes_a_new_version_of_the_old_bytes(midflight, two, shelf):
    """Nothing is taken out of the history: the old text comes on top again."""
    result = midflight("rollback", URI, "1")

    assert "version 3" in result.stdout
    assert entry(shelf, 3)["text"].encode() == FIRST
    assert entry(shelf, 3)["digest"] == entry(shelf, 1)["digest"]
    assert entry(shelf, 3)["message"] == "roll back to version 1"
    assert entry(shelf, 2)["text"] == SECOND


def test_rollback_takes_a_message_and_a_version(midflight, two, shelf):
    """Why may be said, and the newest version may be named, as for a put."""
    midflight("rollback", URI, "1", "--expect", "1", code=4)
    words = ("-m", "too fast", "--expect", "2", "--author", "ann")
    midflight("rollback", URI, "1", *words)

    assert (entry(shelf, 3)["message"], entry(shelf, 3)["author"]) == (
        "too fast",
        "ann",
    )


def test_rollback_to_what_is_refused_by_now_is_refused(
    midflight, put, shelf, with_types
):
    """An old version is checked like a new one; `--no-check` makes it a warning."""
    put("modules: [{name: a, type: worker, config: {rte: 1}}]\n", "--no-check")
    put(SECOND)
    words = ("rollback", URI, "1", *with_types)
    result = midflight(*words, code=1)

    assert "error[E_UNKNOWN]: `rte` is not known" in result.stderr
    assert not (shelf / "3.json").exists()

    result = midflight(*words, "--no-check")
    assert "warning[E_UNKNOWN]: `rte` is not known" in result.stderr
    assert (shelf / "3.json").exists()


def test_rollback_to_the_newest_changes_nothing(midflight, two):
    """The newest version is in force already."""
    assert "unchanged: version 2" in midflight("rollback", URI, "2").stdout


# -- URI@VERSION ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("get", f"{URI}@9"),
        ("rollback", URI, "9"),
        ("diff", f"{URI}@9", URI),
        ("check", f"{URI}@9"),
    ],
)
def test_a_version_that_is_not_kept_is_named(midflight, two, words):
    """A missing version is exit 1, with the command that lists those there are."""
    result = midflight(*words, code=1)

    assert f"error: {URI} keeps no version 9\n" in result.stderr
    assert f"midflight history {URI}" in result.stderr


def test_versions_can_be_compared(midflight, two, with_types):
    """`diff` and `plan` take versions on either side."""
    diff = midflight("diff", f"{URI}@1", f"{URI}@2").stdout
    plan = midflight("plan", f"{URI}@2", f"{URI}@1", *with_types).stdout

    assert "config.rate  (absent) -> 2" in diff
    assert "reconfigure  a" in plan


def test_a_version_can_be_checked_and_explained(midflight, two, with_types):
    """`check` finds the faults of a version, `explain` its values, with places."""
    midflight("check", f"{URI}@1", *with_types)
    result = midflight("explain", "modules.a.config.rate", f"{URI}@2")

    assert result.stdout == "modules.a.config.rate = 2  shelf:kept@2:2:44\n"


def test_faults_of_a_version_are_shown(midflight, two, shelf):
    """A version that is wrong has faults like any source."""
    bad = {**entry(shelf, 1), "text": "a: 1\na: 2\n"}
    (shelf / "1.json").write_text(json.dumps(bad))

    assert "shelf:kept@1:2:1" in midflight("check", f"{URI}@1", code=1).stdout


def test_only_sources_that_keep_versions_are_read_so(midflight, folder):
    """Elsewhere `@3` is a part of the name."""
    (folder / "app@3").mkdir()
    (folder / "app@3.yaml").write_text("modules: []\n")
    (folder / "app.yaml").rename(folder / "file@3")

    assert "ok: 0 modules" in midflight("check", "app@3.yaml").stdout
    assert "file@3" in midflight("check", "file:file@3", code=1).stdout


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("memory:a@3", ("memory:a", 3)),
        ("memory:a@b@30", ("memory:a@b", 30)),
        ("memory:a", ("memory:a", None)),
        ("memory:a@b", ("memory:a@b", None)),
        ("memory:a@", ("memory:a@", None)),
        ("memory:a@-1", ("memory:a@-1", None)),
        ("env:a@3", ("env:a@3", None)),
        ("nosuch:a@3", ("nosuch:a@3", None)),
    ],
)
def test_digits_after_the_last_at_sign_are_a_version(uri, found):
    """Anything else is a part of the URI."""
    assert _versions.split(uri, PluginRegistry()) == found


def test_a_memory_source_keeps_versions():
    """What a command stores in memory is there; the same again is no version."""
    runtime = Runtime(MemorySource())
    loaded = runtime.parse(FIRST, "yaml", "x")
    options = {"author": "ann", "message": "why"}
    stored = [
        _versions.stored(runtime, "memory:", loaded, expected=base, **options)
        for base in (None, 1)
    ]

    assert stored == [(1, True), (1, False)]
    assert runtime.read_version(1)[0] == loaded.document
    assert runtime.read_version(1)[1].text == FIRST.decode()
    assert _versions.head(runtime) == 1


def test_memory_keeps_a_text_as_a_version_of_its_own():
    """Another comment is another text, which is kept, of the same document."""
    runtime = Runtime(MemorySource({"modules": []}))
    document = runtime.read()[0]
    versions = [
        runtime.put(document, expected_version=base, text=text)
        for base, text in ((1, None), (1, "modules: []"), (2, "modules: [] # x"))
    ]

    assert versions == [1, 2, 3]
    assert runtime.read_version(2)[1].text == "modules: []"


def test_a_database_is_such_a_source(midflight, folder, with_types):
    """Every command that works on versions works on a database."""
    uri = "database:sqlite:///kept.db"
    words = ("-m", "why", "--author", "ann", *with_types)
    (folder / "first.yaml").write_bytes(FIRST)
    midflight("put", uri, "first.yaml", *words, "--expect", "none")
    midflight("put", uri, "-", *words, stdin=SECOND)
    midflight("put", uri, "-", *words, "--expect", "1", stdin="modules: []", code=4)
    again = midflight("put", uri, "-", *words, stdin=SECOND).stdout
    midflight("rollback", uri, "1")
    rows = json.loads(midflight("history", uri, "--format", "json").stdout)

    assert "unchanged: version 2" in again
    assert [(row["version"], row["message"]) for row in rows] == [
        (3, "roll back to version 1"),
        (2, "why"),
        (1, "why"),
    ]
    assert midflight("get", uri).stdout_bytes == FIRST
    assert midflight("get", f"{uri}@2").stdout == SECOND
    assert "2 -> (absent)" in midflight("diff", f"{uri}@2", uri).stdout
    assert "keeps no version 9" in midflight("get", f"{uri}@9", code=1).stderr


# -- run -----------------------------------------------------------------------------


def test_run_waits_for_a_source_that_is_empty(run, shelf, folder, put):
    """With `--wait` a service starts as soon as there is something to start on."""
    path = str(folder / "site-shelf")
    code = f"import sys; sys.path.insert(0, {path!r})"
    (folder / "boot.py").write_text(
        f"{code}\nfrom midflight_plugins.cli import main\nmain()\n"
    )
    service = run("--wait", "30", file=URI, boot="boot.py")
    service.until("waiting up to 30 s")
    assert " WARNING " in service.until("not there yet: shelf:kept holds nothing yet")
    put(SECOND)
    service.until("generation 1 applied (version 1): start a")
    service.until("ready: 1 module")
    assert "ERROR" not in service.text

    assert (folder / "a.state").read_text() == "2"
    assert service.stop() == 0


def test_run_gives_up_when_the_wait_is_over(run):
    """A source that cannot be read in time is exit 3; by default that is at once."""
    services = [run(file="nowhere.yaml"), run("--wait", "0.1", file="nowhere.yaml")]

    assert [service.end() for service in services] == [3, 3]
    assert "not started: waited 0.1 s: nowhere.yaml" in services[1].text
    assert "ERROR midflight: not started: nowhere.yaml" in services[0].text


def test_a_service_that_waits_can_be_stopped(run, folder):
    """SIGTERM ends the wait."""
    service = run("--wait", "600", file="nowhere.yaml")
    service.until("cannot be read")
    code = service.stop()

    assert code == 0
    assert service.lines[-1].endswith("stopped")
