"""Stores that speak HTTP, for the benchmarks: web servers, an S3, a Kubernetes API."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import socket
import sys
import threading

import common
from store_servers import Store, connected, document

from midflight.testing import Server

CONTRIB = pathlib.Path(__file__).parents[1] / "contrib_sources"
POLL = 0.05  # s between two looks where a store cannot tell of changes


class FileServer(Server):
    """The web server of the tests of midflight-http, as one that serves in earnest."""

    def command(self):
        (self.folder / "served").mkdir(exist_ok=True)
        script = pathlib.Path(__file__).with_name("store_pages.py").resolve()
        return [sys.executable, "-I", script, str(self.port)]


class HttpEvents(Store):
    """A text of a web server whose events carry it whole, with its ETag."""

    name, server_type, events = "http", FileServer, "documents"

    def opened(self):
        self.connection = connected(self.server.port)

    def closed(self):
        self.connection.close()

    def write(self, rate):
        self.connection.request("PUT", f"/plain/{self.key}.yaml", document(rate))
        self.connection.getresponse().read()

    def url(self, way):
        """Return the URL of the text, or of its events of a kind."""
        return f"http://127.0.0.1:{self.server.port}/{way}/{self.key}.yaml"

    def source(self):
        return f"{self.url('plain')}#sse=/{self.events}/{self.key}.yaml"

    @contextlib.contextmanager
    def bare(self, arrived):
        """Read the events of the stream."""
        import httpx2

        with httpx2.stream("GET", self.url(self.events), timeout=None) as answer:
            network = answer.extensions["network_stream"]
            cut = network.get_extra_info("socket").shutdown

            def look():
                with contextlib.suppress(httpx2.HTTPError):
                    for _ in httpx2.EventSource(answer):
                        arrived(None)

            with common.beside(look, lambda: cut(socket.SHUT_RDWR)):
                yield


class HttpHint(HttpEvents):
    """The same, where an event says no more than that there is something to read."""

    name, events = "http-hint", "events"


class HttpPoll(HttpEvents):
    """The same, asked again and again."""

    name, turns = "http-poll", 4

    def source(self):
        return f"{self.url('plain')}#poll={POLL}"

    def bare(self, arrived):
        """Ask by conditional GET on one kept connection."""
        import httpx2

        client, known = httpx2.Client(), {}

        def ask():
            answer = client.get(self.url("plain"), headers=known)
            known["If-None-Match"] = answer.headers["ETag"]
            return answer.headers["ETag"]

        return polling(ask, arrived, client.close)


class MotoServer(Server):
    """An S3 in memory."""

    def command(self):
        where = ["-H", "127.0.0.1", "-p", str(self.port)]
        return [sys.executable, "-Im", "moto.server", *where]


class S3(Store):
    """An object of a bucket, asked for again and again."""

    name, server_type, turns = "s3", MotoServer, 4
    library = "moto[server]"

    def opened(self):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            os.environ.setdefault(name, "none")
        self.endpoint = f"http://127.0.0.1:{self.server.port}"
        self.client = self.connected()
        self.client.create_bucket(Bucket="shop")

    def closed(self):
        self.client.close()

    def connected(self):
        """Return a client."""
        import boto3

        where = {"region_name": "us-east-1", "endpoint_url": self.endpoint}
        return boto3.client("s3", **where)

    def write(self, rate):
        self.client.put_object(
            Bucket="shop", Key=self.key, Body=document(rate).encode()
        )

    def source(self):
        where = f"region=us-east-1&endpoint={self.endpoint}"
        return f"s3://shop/{self.key}?{where}&poll={POLL}"

    def bare(self, arrived):
        """Ask for the ETag by HEAD."""
        client = self.connected()

        def ask():
            return client.head_object(Bucket="shop", Key=self.key)["ETag"]

        return polling(ask, arrived, client.close)


@contextlib.contextmanager
def polling(ask, arrived, close):
    """Call `ask` every `POLL` seconds, spread as the sources do, for other answers."""
    stopped = threading.Event()

    def look():
        known = ask()
        while not stopped.wait(POLL * random.uniform(0.75, 1.25)):
            if known != (known := ask()):
                arrived(None)

    with common.beside(look, stopped.set):
        yield
    close()


class FakeApi(Server):
    """The Kubernetes API of the tests of midflight-kubernetes."""

    def command(self):
        script = CONTRIB / "kubernetes" / "tests" / "fake_api.py"
        return [sys.executable, "-I", script, str(self.port), self.folder, "sesame"]


class Kubernetes(Store):
    """A key of a ConfigMap; the bare watch is lightkube's."""

    name, server_type = "kubernetes", FakeApi

    def opened(self):
        self.connection = connected(self.server.port)
        self.file, where = self.server.folder / "kubeconfig", self.server.port
        known = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {"token": "sesame"}}],
            "clusters": [
                {"name": "c", "cluster": {"server": f"http://127.0.0.1:{where}"}}
            ],
        }
        self.file.write_text(json.dumps(known))

    def closed(self):
        self.connection.close()

    def ask(self, method, body=None):
        """Send a request for the object; return what it is."""
        path = f"/api/v1/namespaces/shop/configmaps/{self.key}"
        self.connection.request(method, path, body, {"Authorization": "Bearer sesame"})
        return json.load(self.connection.getresponse())

    def write(self, rate):
        self.ask("PUT", json.dumps({"data": {"app.yaml": document(rate)}}))

    def source(self):
        options = f"kubeconfig={self.file}"
        return f"kubernetes:configmap/shop/{self.key}?{options}#app.yaml"

    @contextlib.contextmanager
    def bare(self, arrived):
        """Watch the object from its version on; a last change ends it."""
        from lightkube import Client, KubeConfig
        from lightkube.resources.core_v1 import ConfigMap

        client = Client(config=KubeConfig.from_file(self.file), namespace="shop")
        options = {"fields": {"metadata.name": self.key}, "server_timeout": 300}
        version = self.ask("GET")["metadata"]["resourceVersion"]
        stopped = threading.Event()

        def look():
            for _ in client.watch(ConfigMap, resource_version=version, **options):
                arrived(None)
                if stopped.is_set():
                    break

        def stop():
            stopped.set()
            self.write(-1)

        with common.beside(look, stop):
            yield


MORE = (HttpEvents, HttpHint, HttpPoll, S3, Kubernetes)
