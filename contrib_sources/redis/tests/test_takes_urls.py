from __future__ import annotations

import logging
import subprocess
import traceback

import pytest

from midflight import Document, Runtime
from midflight.errors import PluginError, SourceUnavailableError
from midflight.testing import wait_until
from midflight_redis import RedisSource, TlsRedisSource


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://:hush@127.0.0.1/0", "names no key"),
        ("redis://:hush@127.0.0.1/0?colour=red#k", "`colour`"),
        ("redis://:hu/sh@127.0.0.1/0#k", "no URL of a Redis"),
        ("http://:hush@127.0.0.1/0#k", "no URL of a Redis"),
        ("redis:#k", "no URL of a Redis"),
        ("redis://:hush@127.0.0.1:65536/0#k", "no URL of a Redis"),
        ("redis://:hush@127.0.0.1:none/0#k", "no URL of a Redis"),
        ("redis://:hush@127.0.0.1/none#k", "no URL of a Redis"),
        ("redis://:hush@[none]/0#k", "no URL of a Redis"),
        ("redis://127.0.0.1/0?timeout=soon#k", "soon"),
    ],
)
def test_what_is_wrong_in_a_url_is_said_without_a_password(url, says):
    """Each mistake is told when the source is made, in words that hide the login."""
    with pytest.raises(ValueError, match=says) as caught:
        RedisSource(url)

    assert "hu" not in str(caught.value)


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize(
    "password",
    [
        "hu#sh",
        "hu/sh",
        "hu?sh",
        "22#hush",
        "22/hush",
        "22?hush",
        "1@22#hush",
        "1/[hush",
    ],
)
def test_a_password_that_is_not_encoded_is_not_shown(password, key):
    """What ends an address in the midst of a password is refused, without it."""
    url = f"redis://ada:{password}@127.0.0.1/0#k"
    for make in (Runtime, lambda url: RedisSource(url, key=key)):
        with pytest.raises((PluginError, ValueError)) as caught:
            make(url)
        shown = "".join(traceback.format_exception_only(caught.value))

        assert "of a password percent-encoded" in shown
        assert "hu" not in shown


@pytest.mark.parametrize(
    "password", ["hu@sh", "hu:sh", "hu[sh]", "hu[sh", "hu\u2100sh"]
)
def test_a_password_may_have_any_other_character(password):
    """Nothing else of it needs to be encoded; it is sent, and not in the name."""
    source = RedisSource(f"redis://ada\u2100:{password}@[::1]:1/2?timeout=1#k%40k")
    told = source._client.connection_pool.connection_kwargs

    assert source.name == "redis://[::1]:1/2#k%40k"
    assert (told["username"], told["password"]) == ("ada\u2100", password)
    assert (told["host"], told["port"], told["db"]) == ("::1", 1, 2)


def test_a_reference_that_leads_nowhere_is_named():
    """An unset variable is told by name."""
    with pytest.raises(PluginError, match=r"`\$\{NOT_SET\}` leads nowhere"):
        RedisSource("redis://:${NOT_SET}@127.0.0.1/0#k")


def test_a_password_comes_from_a_file_or_an_option(shared, key, tmp_path, password):
    """A file's first line, an option and a URL give the same login."""
    (tmp_path / "pw").write_text(f"{password}\nmore\n")
    reference = f"${{file:{tmp_path}/pw}}"
    bare = f"redis://127.0.0.1:{shared.port}"
    with shared.client() as client:
        client.set(key, "rate: 1")
    sources = [
        RedisSource(shared.url(key)),
        RedisSource(f"redis://:{reference}@127.0.0.1:{shared.port}#{key}"),
        RedisSource(bare, key=key, password=password),
        RedisSource(bare, key=key, password="${MIDFLIGHT_TEST_REDIS}"),
        RedisSource(f"redis://:old@127.0.0.1:{shared.port}#{key}", password=password),
    ]

    assert len({source.hash() for source in sources}) == 1


def test_a_refused_password_is_not_shown(shared, key, caplog):
    """Neither error, log, name nor `repr` has what the server refused."""
    caplog.set_level(logging.DEBUG)
    source = RedisSource(f"redis://ada:hush-hush@127.0.0.1:{shared.port}/0#{key}")
    with pytest.raises(SourceUnavailableError, match="password") as caught:
        source.hash()
    with source.watch(lambda: None):
        pass

    shown = (str(caught.value), repr(source), source.name, caplog.text)
    assert not [text for text in shown if "hush" in text]
    assert caught.value.__cause__ is None


def test_a_user_needs_few_rights(shared, key):
    """What README names is enough to read, to write and to be told of changes."""
    rights = "+get +eval +set +client|tracking +ping +hello"
    with shared.client() as client:
        client.execute_command(f"ACL SETUSER reader on >pw ~{key} {rights}")
    source = RedisSource(f"redis://reader:pw@127.0.0.1:{shared.port}#{key}")
    hints = []
    with source.watch(lambda: hints.append(1)):
        wait_until(lambda: hints, "the hint of the connection")
        source.put(Document.from_mapping({"rate": 1}), None, None, Runtime(source))
        wait_until(lambda: len(hints) > 1, "the hint of the change")

    assert source.hash()


def test_a_text_set_by_hand_is_a_configuration(shared, key, tmp_path, password):
    """What `redis-cli set` stores is read; its format may be another one."""
    (tmp_path / "app.toml").write_text("rate = 1\n[shop]\nname = 'x # y'\n")
    cli = f"REDISCLI_AUTH='{password}' redis-cli -p {shared.port}"
    command = f'{cli} set {key} "$(cat {tmp_path}/app.toml)"'
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    document = Runtime(shared.url(key, "?format=toml")).read()[0]

    assert document.sections == {"rate": 1, "shop": {"name": "x # y"}}


def test_the_scheme_says_whether_to_encrypt():
    """`rediss:` is for TLS, also with options of the client in the query."""
    source = TlsRedisSource.from_uri("//127.0.0.1:1?ssl_ca_certs=/ca.pem#k")
    pool = source._client.connection_pool

    assert source.name == "rediss://127.0.0.1:1#k"
    assert pool.connection_class.__name__ == "SSLConnection"
    assert pool.connection_kwargs["ssl_ca_certs"] == "/ca.pem"
