from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading

import pytest

from midflight.errors import SourceUnavailableError
from midflight_plugins.api import Client

TOKEN = "mf_0123_abcdefghijklmnopqrstuvwxyz"


class Server(http.server.HTTPServer):
    """Answers each request in one way, and keeps what it was asked."""

    def __init__(self, address, answer):
        self.answer, self.seen, self.conditions = answer, [], []
        self.url = ""
        super().__init__(address, Answers)


class UnixServer(Server):
    address_family = socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "localhost", 0

    def get_request(self):
        return self.socket.accept()[0], ("", 0)


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        self.server.conditions.append((self.command, self.headers.get("If-Match")))
        status, kind, data, more = self.server.answer
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(data)), **more}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_GET  # noqa: N815  # the base class's name

    def log_message(self, *args):
        """Log nothing."""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Let no other service of this user be found, nor a token."""
    for name in ("STATE_DIRECTORY", "MIDFLIGHT_STATE_DIR", "MIDFLIGHT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("MIDFLIGHT_URL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path.parent / f"{tmp_path.name}-home"))


@pytest.fixture
def serve():
    """Return what starts a server that answers with one status; at the end it stops."""
    with contextlib.ExitStack() as stack:

        def start(content, status=200, *, path=None, certificate=None, **more):
            kind = "application/json" if status < 400 else "application/problem+json"
            kind = more.pop("kind", kind)
            data = content if isinstance(content, bytes) else json.dumps(content)
            data = data if isinstance(data, bytes) else data.encode()
            answer = (status, kind, data, more)
            server = (
                UnixServer(path, answer) if path else Server(("127.0.0.1", 0), answer)
            )
            if certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate)
                server.socket = context.wrap_socket(server.socket, server_side=True)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            scheme = "https" if certificate else "http"
            server.url = f"{scheme}://127.0.0.1:{server.server_port}"
            return server

        yield start


STATUS = {"state": "healthy", "generation": 7, "digest": "d" * 64}


def refusal(status, code, detail, **more):
    """Return an answer that refuses."""
    return {"status": status, "code": code, "detail": detail, **more}


# -- where ---------------------------------------------------------------------------


def test_asks_over_tcp(midflight, serve):
    """`--url` names a service of any host."""
    server = serve(STATUS)
    said = midflight("status", "--url", f"{server.url}/mounted/here/").stdout

    assert said.startswith("healthy, generation 7, digest dddddddddddd")
    assert server.seen == [("/mounted/here/api/v1/status", None)]


def test_asks_over_a_socket_however_long_its_path_is(midflight, serve, folder):
    """A path that fits no socket's address is no obstacle."""
    deep = folder / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    os.chdir(deep)
    serve(STATUS, path="admin.sock")
    os.chdir(folder)

    assert midflight("status", "--url", f"unix:{deep}/admin.sock").exit_code == 0


def test_the_environment_names_a_service(midflight, serve, monkeypatch):
    """What the command line says of a service of this host goes before it."""
    server = serve(STATUS)
    monkeypatch.setenv("MIDFLIGHT_URL", server.url)
    midflight("status")
    midflight("status", "--state-dir", "nowhere", code=3)
    midflight("status", "app.yaml", code=3)
    midflight("modules")

    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:80",
        "ftp://127.0.0.1/",
        "http://",
        "http://h:0",
        "http://h:99999",
        "http://h/?a=b",
        "http://h/#a",
        "http://h /",
        "unix:admin.sock",
        "unix:/a\0b",
        "http://me@h/",
    ],
)
def test_what_is_no_url_is_refused(midflight, url):
    """It has exit status 2, and says what one looks like."""
    midflight("status", "--url", url, code=2)


@pytest.mark.parametrize(
    ("content", "more", "why"),
    [
        (b"<html>", {"kind": "text/html"}, "no JSON, but text/html"),
        (b"[1", {}, "no JSON"),
        (b"", {"status": 302, "Location": "http://127.0.0.1:1/"}, "redirects (302)"),
    ],
)
def test_a_server_that_is_none_of_ours_is_no_service(
    midflight, serve, content, more, why
):
    """It has exit status 3; no redirect is followed."""
    said = midflight("status", "--url", serve(content, **more).url, code=3)

    assert why in said.stderr


def test_nobody_answers(midflight):
    """It has exit status 3, and says where."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        said = midflight("status", "--url", url, code=3).stderr

    assert said == f"error: {url}: no answer: Connection refused\n"


def test_who_never_answers_is_not_waited_for():
    """Patience is for a time without a byte."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        client = Client(f"http://127.0.0.1:{deaf.getsockname()[1]}")

        with pytest.raises(SourceUnavailableError, match="it takes too long"):
            client.ask("GET", "status", patience=0.1)


# -- who -----------------------------------------------------------------------------


def test_a_token_comes_from_a_file_the_environment_or_the_state(
    midflight, serve, folder, monkeypatch
):
    """In that order; it is never an argument."""
    server = serve(STATUS)
    (folder / "state").mkdir()
    (folder / "state" / "admin.token").write_text("of-the-state\n")
    (folder / "mine").write_text("of-the-file\n")
    words = ("status", "--url", server.url, "--state-dir", "state")
    midflight(*words)
    monkeypatch.setenv("MIDFLIGHT_TOKEN", "of-the-environment")
    midflight(*words)
    midflight(*words, "--token-file", "mine")

    sent = [token for _, token in server.seen]
    assert sent == [f"Bearer of-the-{who}" for who in ("state", "environment", "file")]


@pytest.mark.parametrize("text", ["", "two words", "a\nb", "pässword"])
def test_what_is_no_token_is_not_sent_and_not_shown(midflight, serve, folder, text):
    """The message says which file holds none."""
    server = serve(STATUS)
    (folder / "mine").write_text(text, encoding="utf-8")
    said = midflight("status", "--url", server.url, "--token-file", "mine", code=2)

    assert "mine does not hold a token" in said.stderr
    assert not text or text not in said.output
    assert server.seen == []


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "[fe80::1]", "0.0.0.0"])
def test_no_token_goes_to_another_host_in_clear(midflight, folder, monkeypatch, host):
    """Neither a given one, nor by itself that of the state directory."""
    monkeypatch.setenv("MIDFLIGHT_TOKEN", TOKEN)
    said = midflight("status", "--url", f"http://{host}", code=2)

    assert "by https:// only" in said.stderr
    assert TOKEN not in said.output


def test_the_token_of_the_state_stays_on_this_host(folder):
    """Another host is not asked with it, though it is asked by TLS."""
    (folder / "admin.token").write_text(TOKEN)
    there = Client.at("https://example.com", state_dir=str(folder))
    here = Client.at("https://localhost", state_dir=str(folder))

    assert there._headers == {}
    assert here._headers == {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def certificate(folder):
    """Return a file with a certificate for 127.0.0.1 and its key."""
    more = ("subjectAltName=IP:127.0.0.1", "keyUsage=digitalSignature,keyCertSign")
    name = ["-subj", "/CN=here", *(f"-addext={each}" for each in more)]
    how = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-keyout", "key.pem", "-out", "cert.pem"]
    command = ["openssl", "req", "-x509", *how, *name, *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    both = (folder / "cert.pem").read_text() + (folder / "key.pem").read_text()
    (folder / "both.pem").write_text(both)
    return folder / "both.pem"


def test_certificates_are_verified(midflight, serve, certificate):
    """One that nobody vouches for is refused, before any token is sent."""
    server = serve(STATUS, certificate=certificate)
    words = ("status", "--url", server.url)
    said = midflight(*words, code=3).stderr
    missing = midflight(*words, "--ca-file", "none.pem", code=3).stderr
    midflight(*words, "--ca-file", "cert.pem")

    assert "its certificate is not trusted" in said
    assert "the certificates in none.pem cannot be used" in missing
    assert len(server.seen) == 1


# -- what it answers -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((each, 2) for each in (400, 401, 403, 404)),
        *((each, 4) for each in (409, 412, 429, 500, 501)),
        (422, 1),
        (503, 3),
    ],
)
def test_a_refusal_has_an_exit_status(midflight, serve, status, code):
    """What the command line got wrong is not what the service could not do."""
    server = serve(
        refusal(status, "E_SCOPE", "this needs the scope `write:web`"), status
    )
    said = midflight("reload", "--url", server.url, code=code).stderr

    assert said.startswith("error: this needs the scope `write:web`\n")
    assert ("$MIDFLIGHT_TOKEN" in said) == (status == 401)


def test_every_fault_is_shown(midflight, serve):
    """With its place, as the service names it; nothing of it acts on a terminal."""
    fault = {
        "code": "E_TYPE",
        "message": "it is \x1b[31m wrong",
        "path": "modules.web.config.port",
        "file": "app.yaml",
        "line": 3,
        "column": 5,
        "expected": "an integer",
    }
    told = refusal(422, "E_TYPE", "2 faults", faults=[fault, {**fault, "line": 4}])
    said = midflight("reload", "--url", serve(told, 422).url, code=1).stderr

    assert "  app.yaml:3:5: E_TYPE: it is \\x1b[31m wrong at `modules.web" in said
    assert "app.yaml:4:5" in said
    assert said.count("expected an integer") == 2


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"detail": 3, "faults": 4}'])
def test_a_refusal_of_another_kind_is_one_as_well(midflight, serve, content):
    """A proxy answers with what it likes."""
    midflight("status", "--url", serve(content, 502).url, code=3)


def test_an_override_expects_a_version(midflight, serve):
    """It is sent under the tag that the service gave with that version, or not."""
    told = {"version": "v7", "overrides": [], "status": "ok", "generation": 2}
    server = serve(told, ETag='"seven"')
    words = ("override", "set", "modules.a.config.rate", "7", "--url", server.url)
    midflight(*words)
    midflight(*words, "--expect", "v7")
    said = midflight(*words, "--expect", "v6", code=4).stderr
    server.answer[3].clear()
    midflight(*words, "--expect", "v7", code=2)

    puts = [tag for method, tag in server.conditions if method == "PUT"]
    assert puts == ["*", '"seven"']
    assert "the head is version v7, not v6" in said
