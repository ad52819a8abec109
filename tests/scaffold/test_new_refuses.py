"""`midflight new` takes no name that will not work, and overwrites nothing."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from midflight_plugins.cli._app import app

NO_NAMES = ["", "Foo", "foo_bar", "foo--bar", "-foo", "foo-", "1foo", "föö", "f" * 21]
NO_NAMES += ["foo/bar", "foo\n", "foo.bar"]


def names(folder):
    """Return what is in a folder."""
    return [each.name for each in folder.iterdir()]


@pytest.fixture
def new(tmp_path, monkeypatch):
    """Return a function that calls the command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def new(*words, status=2):
        done = CliRunner().invoke(app, ["new", *words])
        assert done.exit_code == status, done.output
        return done.output

    return new


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_bad_name_is_refused(new, name, tmp_path):
    """What cannot be a name is refused with what can, and nothing is written."""
    said = new("source", "--", name)

    assert "it has at most 20 lower-case letters, digits and single hyphens" in said
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Foo Bar", "foo-bar"),
        ("föö", "foo"),
        ("f" * 21, "f" * 20),
        ("my.config.of.the.shop.x", "my-config-of-the-sho"),
    ],
)
def test_the_nearest_name_is_told(new, name, near):
    """Who misspells a name reads how it may be written."""
    said = new("module", name)

    assert f"'{name}' is no name" in said
    assert said.rstrip().endswith(f"; `{near}` is one")
    new("module", near, status=0)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("source", "file"), ("module", "logging"), ("strategy", "surgical")],
)
def test_a_name_of_ours_is_refused(new, kind, name, tmp_path):
    """Names that Midflight brings are reserved, so a plugin of that name is dead."""
    said = new(kind, name)

    assert f"the {kind} `{name}` is there already, of midflight" in said
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["redis", "plugins"])
def test_a_distribution_of_ours_is_refused(new, name):
    """`midflight-redis` is published already, whatever it would bring."""
    assert f"`midflight-{name}` is Midflight's own" in new("module", name)


def test_a_name_of_another_role_is_free(new):
    """A module may be called as a source is."""
    assert "midflight-file: 10 files in file" in new("module", "file", status=0)


@pytest.fixture
def board(tmp_path, monkeypatch):
    """Return a function that installs a source `board` of a distribution."""

    def board(name):
        info = tmp_path / f"site/{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        (info / "METADATA").write_text(head)
        (info / "entry_points.txt").write_text("[midflight.sources]\nboard = b:B\n")
        monkeypatch.syspath_prepend(tmp_path / "site")

    return board


def test_what_is_installed_may_be_written_anew(new, board):
    """Who has tried a project can begin it again."""
    board("midflight-board")

    new("source", "board", status=0)


def test_one_distribution_is_not_begun_twice(new, board):
    """Installing a module of that name would take its source away."""
    board("midflight-board")

    assert "the source `board` is there already" in new("module", "board")


def test_what_others_have_installed_is_refused(new, board):
    """Of two distributions that claim a name neither is used; so it is not begun."""
    board("acme")

    assert "the source `board` is there already, of acme 1.0" in new("source", "board")


def test_nothing_is_overwritten(new, tmp_path):
    """A file that is there is named, and no other one is written beside it."""
    there = tmp_path / "demo/README.md"
    there.parent.mkdir()
    there.write_text("mine")
    said = new("source", "demo")

    assert "demo/README.md is there already; nothing was written" in said
    assert "Invalid value for" not in said
    assert there.read_text() == "mine"
    assert names(there.parent) == ["README.md"]


def test_a_link_is_not_written_through(new, tmp_path):
    """A link that leads nowhere counts as a file that is there."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/README.md").symlink_to(tmp_path / "elsewhere")
    said = new("source", "demo")

    assert "demo/README.md is there already" in said
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_with_other_files_will_do(new, tmp_path):
    """A fresh clone has a `.git` already; that is no reason to refuse."""
    (tmp_path / "here/.git").mkdir(parents=True)
    said = new("strategy", "calm", "--dir", "here", status=0)

    assert "pip install --editable './here[test]'" in said
    assert "pytest here" in said
    assert "midflight run here/example.yaml --strategy calm --watch" in said
    assert (tmp_path / "here/src/midflight_calm/__init__.py").is_file()


@pytest.mark.parametrize("name", ["x", "a-very-long-name-too"])
@pytest.mark.parametrize("kind", ["source", "module", "strategy"])
def test_no_line_is_too_long(new, tmp_path, kind, name):
    """Whatever the name is, each line of the code has 88 characters at the most."""
    new(kind, name, status=0)
    code = [*tmp_path.glob("**/*.py")]

    assert len(code) == 3
    assert [
        line
        for path in code
        for line in path.read_text().splitlines()
        if len(line) > 88
    ] == []


def test_no_word_of_a_template_is_left(new, tmp_path):
    """Every placeholder is replaced, in the files and in their names."""
    new("source", "demo", status=0)
    files = [path for path in tmp_path.glob("**/*") if path.is_file()]
    text = "".join(f"{path}\n{path.read_text()}" for path in files)

    assert len(files) == 10
    assert not [word for word in ("PACKAGE", ".tmpl", "dot-", "$name") if word in text]
    assert "${{ matrix.python }}" in text
