"""An error names a command that can be pasted, with the URI as it was written."""

from __future__ import annotations

import shlex

import pytest

from midflight import Runtime
from midflight.errors import SourceUnavailableError
from midflight_plugins.database import DatabaseSource
from midflight_plugins.database._schema import none_there, not_ours, upgrade
from midflight_plugins.database._url import parsed

NOTE = "(put the password in the place of ***)"


@pytest.mark.parametrize(
    ("rest", "uri", "masked"),
    [
        ("postgresql://u:${P}@h/d", "database:postgresql://u:${P}@h/d", False),
        ("${URL}", "database:${URL}", False),
        ("app.db?poll=2", "database:app.db?poll=2", False),
        (
            "postgresql://${U}:${file:/x:y}@h/d",
            "database:postgresql://${U}:${file:/x:y}@h/d",
            False,
        ),
        ("postgresql://u:hunter2@h/d", "database:postgresql://u:***@h/d", True),
        ("postgresql://u:hunter2${P}@h/d", "database:postgresql://u:***@h/d", True),
        (
            "postgresql://h/d?user=u&password=hunter2&timeout=3",
            "database:postgresql://h/d?user=u&password=***&timeout=3",
            True,
        ),
        (
            "postgresql://h/d?password=${P}&timeout=3",
            "database:postgresql://h/d?password=${P}&timeout=3",
            False,
        ),
    ],
)
@pytest.mark.parametrize("error", [none_there, not_ours])
def test_a_uri_is_shown_as_it_was_written(monkeypatch, rest, uri, masked, error):
    """References stay; a password that stands there is hidden, and this is said."""
    monkeypatch.setattr(
        "midflight_plugins.database._url._looked_up",
        lambda name: "sqlite:////x.db" if name == "URL" else "x",
    )
    told = str(error(parsed(rest)[0].url))
    _, _, command = told.partition("run: ")

    assert shlex.split(command.removesuffix(NOTE)) == [
        "midflight",
        "db",
        "upgrade",
        uri,
    ]
    assert command.endswith(NOTE) is masked
    assert "hunter2" not in told


def test_a_document_that_is_not_there_is_put_by_what_is_named(monkeypatch, tmp_path):
    """The command has the key, quoted for a shell, and the reason that `put` needs."""
    monkeypatch.chdir(tmp_path)
    source = DatabaseSource("app.db", key="it's")
    upgrade(source.settings)
    with pytest.raises(SourceUnavailableError) as caught:
        Runtime(source).read()
    _, _, command = str(caught.value).partition("put one: ")
    source.close()

    words = ["midflight", "put", "database:app.db#it's", "FILE", "-m", "WHY"]
    assert shlex.split(command) == words
