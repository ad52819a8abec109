"""The address of a document: its parts, its references, and what is never shown."""

from __future__ import annotations

import logging
import traceback

import pytest

from midflight import Runtime
from midflight.errors import PluginError, SourceUnavailableError
from midflight_plugins.database import DatabaseSource
from midflight_plugins.database._url import Settings, Url, parsed


@pytest.mark.parametrize(
    ("rest", "driver", "key"),
    [
        ("postgresql://u@h/d", "postgresql+psycopg", "default"),
        ("postgres://u@h/d#web", "postgresql+psycopg", "web"),
        ("postgresql+psycopg://u@h/d#a%20b", "postgresql+psycopg", "a b"),
        ("mysql://u@h/d#", "mysql+pymysql", "default"),
        ("mariadb://u@h:3307/d", "mariadb+pymysql", "default"),
        ("sqlite:////x/a.db", "sqlite", "default"),
        ("/x/a.db#é", "sqlite", "é"),
    ],
)
def test_a_plain_dialect_means_the_driver_that_is_tested(rest, driver, key):
    """What follows `database:` is a URL, or the path of a SQLite file, and a key."""
    settings, found = parsed(rest)

    assert settings.url.resolve().drivername == driver
    assert found == key


def test_options_are_taken_out_of_the_query():
    """`poll`, `timeout` and `strict` are ours; the rest is the driver's."""
    settings, _ = parsed(
        "postgresql://h/d?poll=0.5&sslmode=require&timeout=2&strict=true"
    )

    assert (settings.poll, settings.timeout, settings.strict) == (0.5, 2.0, True)
    assert settings.url.resolve().query == {"sslmode": "require"}
    assert settings.url.text == "postgresql://h/d?sslmode=require"


@pytest.mark.parametrize(
    "rest",
    [
        "sqlite:////x.db?mode=rw&cache=shared&uri=true&check_same_thread=false",
        "postgresql://h/d?connect_timeout=3&sslmode=require&options=x",
        "mysql://h/d?read_timeout=3&write_timeout=3&charset=utf8mb4",
    ],
)
def test_options_of_the_driver_are_left_to_it(rest):
    """What the driver takes is no misspelt option of ours."""
    assert parsed(rest)[0].strict is False


def test_options_of_the_constructor_win():
    """A keyword option counts for more than the URL."""
    source = DatabaseSource("sqlite:////x.db?poll=1", key="web", poll=2, strict=True)

    assert (source.settings.poll, source.settings.strict) == (2, True)
    assert source.key == "web"
    assert (
        DatabaseSource("sqlite:////x.db").settings.timeout == Settings(Url("")).timeout
    )


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ("", "needs a URL"),
        ("sqlite://", "a SQLite database is a file"),
        ("sqlite:///:memory:", "a SQLite database is a file"),
        ("sqlite:///file:a?mode=ro", "a SQLite database is a file"),
        ("oracle://h/d", "no database of kind `oracle`"),
        ("postgresql+asyncpg://h/d", "no database of kind"),
        ("postgresql://u:hunter2@h:port/d", "is no URL"),
        ("postgresql://u:hun@ter2@h/d", "write a `@`"),
        ("postgresql://u:hun#ter2@h/d", "write a `#`"),
        ("sqlite:////x.db?poll=soon", "`poll` is a number of seconds"),
        ("sqlite:////x.db?poll=0", "`poll` is a number of seconds"),
        ("sqlite:////x.db?timeout=nan", "`timeout` is a number of seconds"),
        ("sqlite:////x.db?strict=perhaps", "`strict` is true or false"),
        ("sqlite:////x.db?strcit=true", "no option `strcit`.*did you mean `strict`"),
        ("/x.db?wat=1", "no option `wat`.*known: "),
        ("postgresql://h/d?Pol=1", "no option `Pol`.*did you mean `poll`"),
        ("mysql://h/d?timeuot=1", "no option `timeuot`.*did you mean `timeout`"),
        ("${MIDFLIGHT_MISSPELT}", "no option `strcit`.*did you mean `strict`"),
        ("sqlite:////x.db#" + "k" * 192, "a key is at most 191"),
        ("sqlite:////x.db#a%0Ab", "a key is at most 191"),
        ("postgresql://${MIDFLIGHT_UNSET}@h/d", "`MIDFLIGHT_UNSET` is not set"),
        ("${MIDFLIGHT_UNSET}", "`MIDFLIGHT_UNSET` is not set"),
        ("postgresql://u:${file:/no/such}@h/d", "/no/such cannot be read"),
    ],
)
def test_a_wrong_address_is_an_error_that_shows_no_secret(rest, told, monkeypatch):
    """The error says what is wrong, in words without the password."""
    monkeypatch.setenv("MIDFLIGHT_MISSPELT", "sqlite:////x.db?strcit=1")
    with pytest.raises((ValueError, PluginError), match=told) as caught:
        DatabaseSource(rest)

    text = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in text.replace(repr(rest), "")
    assert "ter2" not in str(caught.value)


@pytest.mark.parametrize(
    "rest",
    [
        "postgres:u:hunter2@h",
        "postgres//u:hunter2@h/db",
        "postgresql:/u:hunter2@h/db",
        "u:hunter2@h",
        "postgresql://u:hunter2",
        "postgresql://u:hunter2/db",
    ],
)
def test_a_misspelt_url_makes_no_file_and_shows_no_password(
    rest, tmp_path, monkeypatch
):
    """What only looks like a URL is refused, without repeating what it may hold."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, PluginError)) as caught:
        DatabaseSource(rest)

    assert "hunter2" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_key_has_no_blanks_around_it():
    """Some databases take `shop ` for `shop`."""
    with pytest.raises(ValueError, match="blanks"):
        parsed("sqlite:///c.db#shop ")


def test_a_reference_for_all_holds_no_key(monkeypatch):
    """The key stands behind the reference, where it can be seen."""
    monkeypatch.setenv("WHOLE", "sqlite:///c.db#shop")
    with pytest.raises(PluginError, match=r"key behind the reference"):
        parsed("${WHOLE}")


def test_references_may_stand_in_every_part(monkeypatch, tmp_path):
    """Special characters in what they stand for mean themselves."""
    secret = tmp_path / "secret"
    secret.write_text("p@ss/w:rd#?&%20é\nnot this\n")
    for name, value in {
        "U": "a@b:c",
        "H": "db.local",
        "P": "6543",
        "D": "d/?#",
    }.items():
        monkeypatch.setenv(name, value)
    settings, key = parsed(
        f"postgresql://${{U}}:${{file:{secret}}}@${{H}}:${{P}}/${{D}}?sslmode=${{H}}#web"
    )
    url = settings.url.resolve()

    assert (url.username, url.host, url.port, url.database) == (
        "a@b:c",
        "db.local",
        6543,
        "d/?#",
    )
    assert url.password == "p@ss/w:rd#?&%20é"
    assert url.query == {"sslmode": "db.local"}
    assert key == "web"


def test_a_reference_may_be_the_whole_url(monkeypatch):
    """Options in what it stands for count too."""
    monkeypatch.setenv(
        "DATABASE_URL", "postgres://u:hunter2@h/d?poll=3&sslmode=require"
    )
    source = DatabaseSource("${DATABASE_URL}#web")

    assert source.settings.poll == 3
    assert source.settings.url.resolve().query == {"sslmode": "require"}
    assert source.name == "database:${DATABASE_URL}#web"


def test_a_reference_is_looked_up_again(tmp_path):
    """A password that is exchanged in its file is used at the next connect."""
    secret = tmp_path / "secret"
    secret.write_text("old")
    settings, _ = parsed(f"postgresql://u:${{file:{secret}}}@h/d")
    secret.write_text("new")

    assert settings.url.resolve().password == "new"


@pytest.mark.parametrize(
    ("rest", "shown"),
    [
        ("postgresql://u:hunter2@h/d#k", "database:postgresql://u:***@h/d#k"),
        ("mysql://u:hun%232ter2@h/d", "database:mysql://u:***@h/d#default"),
        (
            "postgresql://h/d?user=u&password=hunter2",
            "database:postgresql://h/d?user=u&password=***#default",
        ),
        ("postgresql://u:${HOME}@h/d", "database:postgresql://u:***@h/d#default"),
    ],
)
def test_the_name_shows_no_password(rest, shown):
    """Neither `name` nor `repr`, of the source or of its settings, shows a password."""
    source = DatabaseSource(rest)

    assert source.name == shown
    assert shown in repr(source)
    for text in (repr(source), repr(source.settings), str(vars(source))):
        assert "ter2" not in text


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_connect_that_fails_shows_no_secret(scheme, monkeypatch, caplog):
    """A driver's error comes without password, DSN and SQL, also in a traceback."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SECRET", "hunter2%x")
    source = DatabaseSource(f"{scheme}://u:${{SECRET}}@127.0.0.1:1/d", timeout=1)
    with pytest.raises(SourceUnavailableError) as caught:
        Runtime(source).read()

    text = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "hunter2" not in text


def test_a_foreign_text_is_scrubbed():
    """A password is taken out of it, also as it is written in a URL."""
    url = Url("postgresql://u:p%40ss@h/d?sslpassword=hunter2")

    assert url.scrub("a p@ss b p%40ss c hunter2") == "a *** b *** c ***"


def test_a_relative_path_stays_where_it_was(monkeypatch, tmp_path):
    """A process that changes its directory goes on with the same database."""
    monkeypatch.chdir(tmp_path)
    url = parsed("sqlite:///app.db")[0].url
    monkeypatch.chdir("/")

    assert url.path == str(tmp_path / "app.db")
