"""Passwords are what they are, in whatever script."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import sqlalchemy as sa

from midflight import Document, Runtime
from midflight.errors import SourceUnavailableError
from midflight_plugins.database import DatabaseSource
from midflight_plugins.database._schema import upgrade
from midflight_plugins.database._url import parsed

PASSWORDS = [
    "pâsswörd",  # within latin-1, as the driver would encode it
    "пароль",
    "密码 \N{SNOWMAN}",
    "p@ss/w:rd#?&%20",
    "\N{ROCKET} $" + "{HOME} 'x' \"y\" \\",
]
DOCUMENT = Document.from_mapping({"limits": {"rate": 1}})


def quoted(text):
    """Return a text as it stands in a URL, where `${…}` would be a reference."""
    return quote(text, safe="")


@pytest.fixture
def login(mariadb_server, mariadb_url):
    """Makes a user with a password, and gives the URL to log in with it."""
    upgrade(parsed(mariadb_url)[0])
    engine = sa.create_engine(mariadb_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as admin:
        say = admin.exec_driver_sql

        def make(password):
            say("CREATE USER 'ada'@'%%' IDENTIFIED BY %s", (password,))
            say("GRANT ALL ON *.* TO 'ada'@'%%'")
            database = mariadb_url.rpartition("/")[2]
            written = quoted(password)
            return mariadb_server.url(database, user="ada", password=written)

        yield make
        say("DROP USER IF EXISTS 'ada'@'%%'")
    engine.dispose()


@pytest.mark.xdist_group("roles")
@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_may_have_any_character(login, password):
    """MariaDB lets in who writes the password as the user was given it."""
    runtime = Runtime(DatabaseSource(login(password)))
    runtime.put(DOCUMENT, expected_version=None, author="ada")

    assert runtime.read()[0] == DOCUMENT


@pytest.mark.xdist_group("roles")
def test_a_wrong_password_is_told_without_it(login):
    """Who is not let in reads who it was, and neither of the two passwords."""
    url = login("пароль").replace(quoted("пароль"), quoted("секрет"))
    with pytest.raises(SourceUnavailableError, match="Access denied") as caught:
        Runtime(DatabaseSource(url)).read()
    said = "".join(map(str, [caught.value, caught.value.__cause__]))

    for word in ("пароль", "секрет"):
        assert word not in said
        assert quote(word) not in said
