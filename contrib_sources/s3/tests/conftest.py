from __future__ import annotations

import contextlib
import functools
import itertools
import sys
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from midflight.testing import Server
from midflight_s3 import S3Source

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDSINGSINNOMINE", "AWS_SECRET_ACCESS_KEY": "s1ngs-n0t"}
REGION = "eu-central-1"

# Moto compares and puts in two steps: one request at a time makes them one, as in S3.
SCRIPT = """
import sys
from moto.moto_server import werkzeug_app
from werkzeug.serving import run_simple
app = werkzeug_app.create_backend_app("s3")
run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=False)
"""


@pytest.fixture(autouse=True)
def credentials(monkeypatch, tmp_path):
    """Give every test credentials of its own, and nobody else's."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


class Moto(Server):
    """An S3 that keeps everything in memory: a restart forgets it."""

    def command(self):
        return [sys.executable, "-Ic", SCRIPT, str(self.port)]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @functools.cached_property
    def client(self):
        """A client that is none of a source's."""
        config = Config(retries={"total_max_attempts": 1})
        session = boto3.Session(*KEYS.values(), region_name=REGION)
        return session.client("s3", endpoint_url=self.url, config=config)

    def answers(self):
        with contextlib.suppress(BotoCoreError, ClientError):
            return self.client.list_buckets()
        return False


class Item:
    """One object in a bucket of its own, and what can be done to it."""

    def __init__(self, server, key="etc/shop.yaml", *, versioned=True):
        self.server, self.client, self.key = server, server.client, key
        self.bucket, self.versioned = f"b{uuid.uuid4().hex}", versioned
        self._numbers = itertools.count(1)
        self.change()

    def write(self, text):
        try:
            return self._put(text)
        except self.client.exceptions.NoSuchBucket:
            where = {"LocationConstraint": REGION}
            self.client.create_bucket(
                Bucket=self.bucket, CreateBucketConfiguration=where
            )
            if self.versioned:
                self.client.put_bucket_versioning(
                    Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"}
                )
            return self._put(text)

    def _put(self, text):
        body = text.encode()
        return self.client.put_object(Bucket=self.bucket, Key=self.key, Body=body)

    def change(self):
        return self.write(f"shop: {{opened: {next(self._numbers)}}}\n")

    def remove(self):
        self.client.delete_object(Bucket=self.bucket, Key=self.key)

    def source(self, **options):
        known = {"region": REGION, "endpoint": self.server.url, "poll": 0.05}
        return S3Source(self.bucket, self.key, **{**known, **options})


@pytest.fixture(scope="session")
def shared():
    """A server for all tests; none may leave it stopped."""
    with Moto() as server:
        yield server


@pytest.fixture
def versioned():
    """Tell whether the bucket keeps versions."""
    return True


@pytest.fixture
def item(shared, credentials, versioned):
    """Return an object of its own for each test."""
    return Item(shared, versioned=versioned)
