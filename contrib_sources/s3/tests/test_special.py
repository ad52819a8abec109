"""What is special to S3: keys, versions, credentials, and puts whose answer is lost."""

from __future__ import annotations

import contextlib
import http.server
import multiprocessing
import socketserver
import threading
import traceback
from typing import Any

import pytest

from midflight import Document, Runtime
from midflight.errors import (
    ConflictError,
    InvalidConfigurationError,
    SourceUnavailableError,
    UnknownOutcomeError,
)
from midflight.testing import free_port
from midflight_s3 import S3Source

REGION = "eu-central-1"
OTHER = Document.from_mapping({"shop": {"opened": 99}})


def told(source):
    """Return what one read says is wrong."""
    with pytest.raises(SourceUnavailableError) as caught:
        source.hash()
    return str(caught.value)


@contextlib.contextmanager
def answering(data):
    """Answer every request alike, or never if there is nothing to say."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            self.request.sendall(data)
            over.wait(0 if data else 20)

    over = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()


def put(runtime, document=OTHER, base="head", **more):
    """Put a document on a version, the head unless another one is given."""
    version = runtime.read()[1].version if base == "head" else base
    return runtime.put(document, expected_version=version, **more)


def test_a_uri_has_bucket_key_and_options(item):
    """A key may have slashes and any other character."""
    item.key = "etc/sh op#1.json"
    item.write('{"shop": {"opened": 7}}')
    query = f"region={REGION}&endpoint={item.server.url}&timeout=2.5&poll=1"
    source = S3Source.from_uri(f"//{item.bucket}/etc/sh%20op%231.json?{query}")
    with Runtime(source) as runtime:
        assert runtime.snapshot.document.sections["shop"]["opened"] == 7
    assert source.name == f"s3://{item.bucket}/etc/sh op#1.json"
    assert (source.timeout, source.poll) == (2.5, 1)


@pytest.mark.parametrize(
    ("rest", "word"),
    [
        ("", "write s3://bucket/key"),
        ("//bucket", "write s3://bucket/key"),
        ("///key.yaml", "write s3://bucket/key"),
        ("//b/k?poll=0", "poll"),
        ("//b/k?timeout=soon", "soon"),
        ("//b/k?timeout=inf", "timeout"),
        ("//b/k?pol=1", "pol"),
        ("//AKIDSING:s1ngs-n0t@b/k", "boto3 finds them"),
        ("//AKIDSING:s1ngs/n0t@b/k", "boto3 finds them"),
        ("//AKIDSING:s1ngs[n0t]@b/k", "boto3 finds them"),
        ("//AKIDSING:s1ngs-n0t\u2100@b/k", "boto3 finds them"),
        ("//b/k#1.yaml", "`#` as %23"),
    ],
)
def test_wrong_uris_are_refused_at_once(rest, word):
    """A URI lacks bucket or key, holds a login, or has an option that cannot be."""
    with pytest.raises((TypeError, ValueError), match=word) as caught:
        S3Source.from_uri(rest)
    assert "n0t" not in str(caught.value)


def test_missing_things_are_unavailable(item):
    """Neither a missing object nor a missing bucket is an empty configuration."""
    source = item.source()
    item.remove()
    assert told(source) == f"there is no {source.name}"

    source.bucket = "nowhere-at-all"
    with pytest.raises(SourceUnavailableError, match="NoSuchBucket"):
        Runtime(source).read()


def test_an_object_has_a_limit(item):
    """What is too large is not read."""
    item.write(f"# {'x' * 1000}")

    with pytest.raises(SourceUnavailableError, match="`max_size`, 500 bytes"):
        Runtime(item.source(max_size=500)).read()


def test_no_credentials_are_told_as_that(item, monkeypatch):
    """Without credentials the error says so."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    assert "credentials" in told(item.source())


def test_an_endpoint_that_is_away_is_not_repeated(item):
    """An error has no URL: it may be an internal one."""
    port = free_port()
    source = item.source(endpoint=f"http://127.0.0.1:{port}")

    assert told(source) == f'{source.name}: Could not connect to the endpoint URL: "…"'


@pytest.mark.parametrize("endpoint", ["minio:9000", "me:pa55word@minio"])
def test_an_endpoint_that_cannot_be_is_told_without_it(item, endpoint):
    """What is no URL is told as that by every read."""
    told_of = told(item.source(endpoint=endpoint))

    assert told_of == f"{item.source().name}: Invalid endpoint: …"


def test_a_reason_that_head_does_not_give_is_guessed(item):
    """S3 gives no text with a refused HEAD, so the error has the usual reasons."""
    with answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as url:
        assert "wrong or expired credentials" in told(item.source(endpoint=url))


@pytest.mark.parametrize("header", [b"ETag: x", b"Content-Length: 7"])
def test_an_answer_of_something_else_is_no_text(item, header):
    """A server that is no S3, and leaves out what S3 never does, is not believed."""
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + header + b"\r\n\r\nshop: 1"
    with answering(answer) as url, pytest.raises(SourceUnavailableError) as caught:
        Runtime(item.source(endpoint=url)).read()

    assert "the answer is not S3's" in str(caught.value)


def test_a_server_that_says_nothing_is_not_waited_for(item):
    """A read ends after the time that the option gives."""
    with answering(b"") as url:
        assert "Read timeout" in told(item.source(endpoint=url, timeout=0.2))


def test_a_put_in_an_empty_place_makes_the_object(item):
    """Without a base there is no version, and the second to come is refused."""
    item.key = "new.json"
    runtime = Runtime(item.source())
    version = put(runtime, base=None)

    assert runtime.read()[1].version == version
    with pytest.raises(ConflictError):
        put(runtime, base=None)


def test_s3_itself_refuses_the_second_writer(item):
    """A write between look and put is found by S3, not by the look."""

    class Late(S3Source):
        def ask(self, verb, write_id="", **more):
            if write_id:
                item.change()
            return super().ask(verb, write_id, **more)

    late = Late(item.bucket, item.key, REGION, item.server.url)
    with pytest.raises(ConflictError, match="another writer"):
        put(Runtime(late))
    assert Runtime(item.source()).read()[0].sections["shop"]["opened"] == 2


def test_author_and_message_are_kept(item):
    """Whatever letters they have, history has them, newest first."""
    runtime = Runtime(item.source())
    first = runtime.read()[1].version
    put(runtime, author="Zoë", message="größer: 50 %\nwhy not")
    newest, oldest = runtime.history()

    assert (newest.author, newest.message) == ("Zoë", "größer: 50 %\nwhy not")
    assert newest.digest == OTHER.digest
    assert (newest.at or 0) >= (oldest.at or 0) > 1_000_000_000
    assert runtime.read()[1].author == "Zoë"
    assert oldest.version == first


def test_history_is_of_one_key(item):
    """Objects whose keys begin alike have histories of their own."""
    for key in (f"{item.key}.bak", item.key, f"{item.key[:-1]}"):
        item.client.put_object(Bucket=item.bucket, Key=key, Body=b"{}")
    item.remove()
    item.change()

    assert len(Runtime(item.source()).history(20)) == 3
    assert len(Runtime(item.source()).history(2)) == 2


def test_a_version_that_is_not_kept_is_a_key_error(item):
    """An unknown version id is one, and so is an ETag of another text."""
    runtime = Runtime(item.source())

    for version in ("nonsense", "0" * 32):
        with pytest.raises(KeyError):
            runtime.read_version(version)


def test_the_mark_of_a_deletion_is_no_version(item):
    """It holds no document, whether it is the newest or not."""
    runtime = Runtime(item.source())
    item.remove()
    listed = item.client.list_object_versions(Bucket=item.bucket)
    (mark,) = (each["VersionId"] for each in listed["DeleteMarkers"])

    for version in (mark, "nonsense"):
        with pytest.raises(KeyError):
            runtime.read_version(version)
    item.change()
    with pytest.raises(KeyError):
        runtime.read_version(mark)


def test_a_deleted_object_comes_back(item):
    """A deletion keeps the versions, and the key can be put again."""
    runtime = Runtime(item.source())
    first = runtime.read()[1].version
    item.remove()

    assert runtime.read_version(str(first))[0].sections["shop"]["opened"] == 1
    assert put(runtime, base=None) == runtime.read()[1].version


def test_what_cannot_be_written_is_refused(item):
    """A document is stored in the format of its key, or not at all."""
    item.key = "shop.toml"
    item.write("[shop]\nopened = 1\n")
    runtime = Runtime(item.source())
    with pytest.raises(InvalidConfigurationError, match="written as toml"):
        put(runtime)

    assert put(runtime, text="# why\n[shop]\nopened = 99\n")
    assert runtime.read()[0] == OTHER


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_client_of_its_own(item):
    """The connections of the parent stay the parent's."""
    source = item.source()
    source.hash()
    here, (ours, theirs) = source.client, multiprocessing.Pipe()

    def ask():
        theirs.send((source.hash(), source.client is here))

    child = multiprocessing.get_context("fork").Process(target=ask)
    child.start()
    assert ours.poll(20)
    answer = ours.recv()
    child.join()

    assert answer == (source.hash(), False)
    assert source.client is here


class Proxy(http.server.BaseHTTPRequestHandler):
    """Hands requests on, but the answer to a PUT is lost."""

    item: Any

    def do_GET(self):
        answer = self.item.client.get_object(Bucket=self.item.bucket, Key=self.item.key)
        data = answer["Body"].read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", answer["ETag"])
        self.end_headers()
        self.wfile.write(data)

    def do_PUT(self):
        self.item.change()
        self.close_connection = True

    def log_message(self, *_):
        pass


def test_a_lost_answer_is_an_unknown_outcome(item):
    """Nobody says that a put failed if its answer was lost; nor is it sent twice."""
    Proxy.item = item
    with http.server.HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{proxy.server_port}"
        try:
            with pytest.raises(UnknownOutcomeError) as caught:
                put(Runtime(item.source(endpoint=url)))
        finally:
            proxy.shutdown()
            thread.join()
    seen = Runtime(item.source()).read()[0].sections["shop"]["opened"]

    assert url not in "".join(traceback.format_exception(caught.value))
    assert seen == 2
