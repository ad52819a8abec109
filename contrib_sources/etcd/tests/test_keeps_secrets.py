"""An etcd that guards itself is read, and nobody sees with what."""

from __future__ import annotations

import traceback
from urllib.parse import quote

import pytest

from midflight import Runtime
from midflight.errors import PluginError, SourceUnavailableError
from midflight.testing import SourceContract, TcpProxy, wait_until
from midflight_etcd import EtcdSource


class TestEtcdWithUsers(SourceContract):
    @pytest.fixture
    def source(self, guarded):
        return guarded.source

    @pytest.fixture
    def change(self, guarded):
        return guarded.change

    @pytest.fixture
    def invalidate(self, guarded):
        return lambda: guarded.write("modules: [")

    @pytest.fixture
    def remove(self, guarded):
        return guarded.delete

    @pytest.fixture
    def server(self, guarded):
        return guarded.server

    @pytest.fixture
    def secrets(self, password):
        return (password, quote(password, ""))


def test_a_wrong_password_is_told_without_it(guarded):
    """Who may not enter learns that, and the password stays unsaid."""
    source = EtcdSource(guarded.uri, password="mistyped-9")  # wins over the URL's
    with pytest.raises(SourceUnavailableError, match="invalid user ID") as caught:
        source.hash()

    assert "mistyped-9" not in f"{caught.value!r} {source!r} {vars(source)}"


def test_a_key_without_permission_is_told(guarded):
    """What a user may not read is said to be denied, and not to be missing."""
    uri = guarded.uri.replace("/midflight/", "/elsewhere/")

    with pytest.raises(SourceUnavailableError, match="permission denied"):
        EtcdSource(uri).hash()


def test_a_password_comes_from_a_file(guarded, password, tmp_path):
    """A file is read at each login, so that the password can be exchanged."""
    file = tmp_path / "password"
    file.write_text("not-yet\n")
    address = f"etcd://shop@{guarded.server.address}"
    source = EtcdSource(f"{address}?password_file={file}#{guarded.key}")
    with pytest.raises(SourceUnavailableError):
        source.hash()
    file.write_text(f"{password}\n")

    assert source.hash() == guarded.source.hash()


@pytest.fixture
def moved(guarded, tmp_path):
    """A user whose password is exchanged by a call, with what it was before."""
    ctl, file = guarded.server.ctl, tmp_path / "password"
    ctl("user", "add", "moved:first")
    ctl("user", "grant-role", "moved", "shop")
    file.write_text("first")

    def exchange():
        ctl("user", "passwd", "moved", "--interactive=false", data="second\n")
        file.write_text("second")

    yield file, exchange
    ctl("user", "delete", "moved")


def test_a_token_that_has_ended_is_replaced(guarded, moved):
    """A password that is exchanged ends what was logged in; nobody notices."""
    file, exchange = moved
    address = f"etcd://moved@{guarded.server.address}#{guarded.key}"
    source = EtcdSource(address, password_file=str(file))
    before = source.hash()
    exchange()

    assert source.hash() == before


def test_a_watch_logs_in_anew(guarded, moved):
    """A watch that is begun again with a token that has ended still gives hints."""
    file, exchange = moved
    with TcpProxy(guarded.server.port) as proxy:
        address = f"etcd://moved@127.0.0.1:{proxy.port}#{guarded.key}"
        source = EtcdSource(address, password_file=str(file))
        with Runtime(source, watch=True, sweep=600) as runtime:
            guarded.change()
            wait_until(lambda: guarded.shows(runtime), "a first change")
            exchange()
            proxy.cut()
            guarded.change()

            wait_until(lambda: guarded.shows(runtime), "the change")


def test_tls_shows_and_asks_for_certificates(with_tls):
    """Reading and following work by TLS, with a certificate of the client."""
    with Runtime(with_tls.source, watch=True, sweep=600) as runtime:
        with_tls.change()

        wait_until(lambda: with_tls.shows(runtime), "the change")


def test_an_exchanged_certificate_is_taken_up(with_tls, tmp_path):
    """Files are read again once they changed: certificates are exchanged often."""
    ca, server = tmp_path / "ca.pem", with_tls.server
    ca.write_bytes(server.ca.read_bytes())
    source = EtcdSource(with_tls.uri, ca=str(ca), cert=str(server.cert))
    assert source.hash() == with_tls.source.hash()
    ca.write_bytes(server.cert.read_bytes())  # the certificate of no authority

    with pytest.raises(SourceUnavailableError, match=r"(?i)certificate"):
        source.hash()


@pytest.mark.parametrize("names", [("tls", "cert"), ("ca",), ("ca", "none"), ()])
def test_without_the_right_certificates_nothing_is_read(with_tls, names):
    """Neither an unknown authority nor a client without certificate goes through."""
    known = {"ca": str(with_tls.server.ca), "cert": str(with_tls.server.cert)}
    known |= {"tls": "true", "none": "/none.pem"}
    options = {name.replace("none", "cert"): known[name] for name in names}

    with pytest.raises(
        SourceUnavailableError, match=r"(?i)ssl|http|closed|pipe|reset|no such file"
    ):
        EtcdSource(with_tls.uri, **options).hash()


@pytest.mark.parametrize("url", ["etcd:", "etcd://a:1", "etcd:///x#k", "etcd:a#k"])
def test_an_address_without_host_or_key_is_refused(url):
    """The error shows how one is written, and not what was given."""
    with pytest.raises(ValueError, match="etcd://host:2379#/path/of/key"):
        EtcdSource(url)


@pytest.mark.parametrize(
    "password", ["hu#sh", "hu/sh", "hu?sh", "1#hu", "1/hu", "1?hu"]
)
def test_a_password_that_is_not_encoded_is_not_shown(password):
    """What ends an address in the midst of a password is refused, without it."""
    with pytest.raises(PluginError, match="of a password percent-encoded") as caught:
        Runtime(f"etcd://shop:{password}@127.0.0.1:1#/k")

    assert "hu" not in "".join(traceback.format_exception_only(caught.value))


@pytest.mark.parametrize("password", ["hu@sh", "hu:sh", "hu[sh]", "hu\u2100sh"])
def test_a_password_may_have_any_other_character(password):
    """Nothing else of it needs to be encoded, and none of it is in the name."""
    source = EtcdSource(f"etcd://shop:{password}@127.0.0.1:1,[::1]:2/?timeout=1#/k")

    assert source.name == "etcd://shop@127.0.0.1:1,[::1]:2#/k"


def test_all_of_a_password_is_sent(guarded, password):
    """One with a colon and an `@` is taken as it is."""
    login = f"shop:{quote(password, '@:')}"
    source = EtcdSource(f"etcd://{login}@{guarded.server.address}#{guarded.key}")

    assert source.hash() == guarded.source.hash()
