from __future__ import annotations

import json
import stat

import pytest
from click.testing import CliRunner

from midflight_plugins.admin._tokens import NAME, Tokens
from midflight_plugins.api import Caller
from midflight_plugins.cli._app import app


@pytest.fixture
def token(tmp_path):
    """A function that runs `midflight token` with a state directory."""

    def run(command: str, *words: str, where=("--state-dir", str(tmp_path / "state"))):
        return CliRunner().invoke(app, ["token", command, *words, *where])

    return run


def test_a_token_is_made_and_shown_once(token, tmp_path):
    """What is printed is the token; the file has its digest only, and mode 0600."""
    made = token("create", "ci", "--scope", "write:web-*", "--scope", "rollback")
    file = tmp_path / "state" / NAME
    text = made.stdout.strip()

    assert made.exit_code == 0, made.output
    assert Tokens(file).identify(text) == Caller(
        "token ci", ("write:web-*", "rollback")
    )
    assert text.split("_", 2)[2] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_token_may_read_unless_it_is_told_otherwise(token, tmp_path):
    """The least is the default."""
    text = token("create", "ci").stdout.strip()

    found = Tokens(tmp_path / "state" / NAME).identify(text)
    assert found == Caller("token ci", ("read",))


def test_tokens_are_listed_without_their_secrets(token):
    """With their scopes and when they end."""
    secret = token("create", "ci", "--expires", "30d").stdout.strip().split("_", 2)[2]
    shown, data = token("list"), token("list", "--format", "json")
    [row] = json.loads(data.stdout)

    assert "ci" in shown.stdout
    assert "read" in shown.stdout
    assert secret not in shown.stdout + data.stdout
    assert row["expires"] - row["created"] == pytest.approx(30 * 86_400)
    assert row.keys() == {"id", "name", "scopes", "created", "expires"}


def test_a_token_is_revoked_by_name_or_id(token, tmp_path):
    """Afterwards it is nobody's."""
    texts = [token("create", name).stdout.strip() for name in ("a", "b")]
    codes = [
        token("revoke", "a").exit_code,
        token("revoke", texts[1].split("_")[1]).exit_code,
    ]
    again = token("revoke", "a")

    assert codes == [0, 0]
    found = [Tokens(tmp_path / "state" / NAME).identify(text) for text in texts]
    assert found == [None, None]
    assert (again.exit_code, "no token `a`" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a b"], "is no name"),
        (["ci", "--scope", "root"], "is no scope"),
        (["ci", "--expires", "soon"], "30m, 12h, 30d, 8w"),
        (["ci", "--expires", "0d"], "30m, 12h, 30d, 8w"),
    ],
)
def test_what_makes_no_sense_is_refused(token, tmp_path, words, says):
    """With exit code 2, and no file is made."""
    done = token("create", *words)

    assert (done.exit_code, says in done.stderr) == (2, True), done.output
    assert not (tmp_path / "state" / NAME).exists()


def test_a_file_can_be_named(token, tmp_path):
    """As the setting `token_file` of the module does."""
    file = tmp_path / "mine.json"
    made = token("create", "ci", where=("--tokens", str(file)))

    assert made.exit_code == 0
    assert [each.name for each in Tokens(file).list()] == ["ci"]


def test_somebody_has_to_say_where(token, tmp_path, monkeypatch):
    """Without a state directory nothing is guessed."""
    monkeypatch.chdir(tmp_path)
    done = token("create", "ci", where=())

    assert done.exit_code == 2
    assert "--state-dir" in done.stderr
