from __future__ import annotations

import pytest

from midflight_plugins.cli._passwords import redacted

SECRET = "s3cr3t"
SHOWN = [
    "database:postgresql://app:s3cr3t@host/db",
    "database:postgresql://app:s3cr3t@host:5432/db#key",
    "database:postgresql://app:s3cr3t@host/db@3",
    "database:postgresql://app:s3cr3t/x@host/db#a@b",
    "database:postgresql://app:12/s3cr3t@host/db",
    "database:postgresql://app:s3cr3t@s3cr3t@host/db",
    "database:postgresql://app:s3cr3t#s3cr3t?@host/db",
    "database:postgresql://app: s3cr3t @host/db",
    "database:postgresql://:s3cr3t@host/db",
    "database:postgresql://app:${A}s3cr3t@host/db",
    "database:postgresql://${USER}:s3cr3t@host/db",
    "database:postgresql://host/db?user=app&password=s3cr3t&x=1#key",
    "database:mysql://host/db?passwd=s3cr3t",
    "database:postgresql://host/db?sslPassword=s3cr3t",
    "https://app:s3cr3t@host/app.yaml",
    "redis://host/0?token=s3cr3t#key",
]
CLEAN = [
    "app.yaml",
    "file:///tmp/a:b@c.yaml",
    "database:sqlite:////var/lib/app:1@2.db#key",
    "database:sqlite:///app.db#key@3",
    "database:postgresql://host:5432/db",
    "database:postgresql://host:5432/db@3",
    "database:postgresql://app@host:5432/db@3",
    "database:postgresql://app:@host/db@3",
    "database:postgresql://app:${APP_DB_PASSWORD}@host:5432/db#key@3",
    "database:postgresql://${A}:${file:/run/secrets/db}@host/db#a@b",
    "database:postgresql://app:${A}${B}@host/db?poll=1",
    "database:postgresql://host/db?password=${APP_DB_PASSWORD}&x=1",
    "database:${DATABASE_URL}#key",
]
COMMANDS = [
    ("check",),
    ("check", "app.yaml", "--source"),
    ("diff", "app.yaml"),
    ("explain", "modules"),
    ("get",),
    ("history",),
    ("nosuch",),
    ("plan", "app.yaml"),
    ("put", "memory:", "-m", "x"),
    ("put", "-m", "x"),
    ("rollback",),
    ("run",),
    ("db", "upgrade"),
    (),
]


@pytest.mark.parametrize("uri", SHOWN)
def test_no_password_stays_in_a_uri(uri):
    """What is printed of a URI has no part of a literal password in it."""
    text = redacted(uri)

    assert SECRET not in text
    assert "***" in text
    assert text.startswith(uri[:8])


@pytest.mark.parametrize("uri", CLEAN)
def test_a_uri_without_a_password_stays_as_it_is(uri):
    """References, ports, versions and file names are no passwords."""
    assert redacted(uri) == uri


@pytest.mark.parametrize("uri", SHOWN)
def test_a_password_on_the_command_line_is_refused(midflight, uri):
    """It is a usage error that says what to write instead, without the password."""
    result = midflight("get", uri, code=2)

    assert SECRET not in result.output
    assert "every user of the host" in result.output
    assert "${NAME}" in result.output


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_refuses_passwords(midflight, words):
    """Whatever the command, also one that is not there or a plugin's."""
    result = midflight(*words, SHOWN[0], code=2)

    assert SECRET not in result.output
    assert "'database:postgresql://app:${NAME}@host/db'" in result.output


def test_an_option_with_a_password_is_refused(midflight):
    """An option may be written in one word with its value."""
    result = midflight("check", f"--source={SHOWN[0]}", code=2)

    assert "every user of the host" in result.output
    assert SECRET not in result.output


@pytest.mark.parametrize("uri", CLEAN)
def test_what_is_no_password_is_accepted(midflight, uri):
    """References pass: the source fills them in, where no other process can see."""
    result = midflight("put", "memory:", "nowhere:", "-m", uri, code=2)

    assert "no source is called `nowhere`" in result.output


@pytest.mark.parametrize("option", ["-m", "--message", "--author"])
def test_what_people_say_is_no_uri(midflight, option):
    """A message may name an address; it is shown to everybody anyhow."""
    says = ["-m", "x", option, "fix: see https://host:8443/x@y and http://a:b@c"]
    result = midflight("put", "memory:", "missing.yaml", *says, code=3)

    assert "missing.yaml: cannot be read" in result.output


def test_json_in_a_uri_is_a_document(midflight):
    """Addresses in a document are the document's own matter."""
    uri = 'memory:{"modules": [], "proxy": "http://a:80/", "mail": "x@y"}'

    assert "proxy" in midflight("get", uri).stdout


def test_an_error_of_a_database_hides_the_password(midflight, monkeypatch):
    """A reference is filled in, and what it stood for is not shown."""
    monkeypatch.setenv("APP_DB_PASSWORD", SECRET)
    uri = "database:postgresql://app:${APP_DB_PASSWORD}@127.0.0.1:1/db"
    words = [("get", uri), ("history", uri), ("check", uri), ("rollback", uri, "1")]
    results = [midflight(*each, code=3) for each in words]

    for result in results:
        assert "127.0.0.1:1" in result.output
        assert SECRET not in result.output
