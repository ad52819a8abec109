"""A fake of the Kubernetes API, as a process of its own, and an object for each test.

The real one cannot be had where these tests run: `fake_api.py` says what it does.
"""

from __future__ import annotations

import base64
import itertools
import json
import pathlib
import sys
import urllib.request
from typing import Any

import pytest

from midflight import Runtime
from midflight.testing import Server
from midflight_kubernetes import KubernetesSource

TOKEN = "sesame-of-the-pod"


class FakeApi(Server):
    """The fake, which can be killed and started as any server."""

    program = sys.executable

    def command(self):
        fake = pathlib.Path(__file__).with_name("fake_api.py")
        return [sys.executable, "-I", fake, str(self.port), self.folder, TOKEN]

    def ask(self, path, method="GET", body=None):
        """Send a request that the source never sends."""
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}/{path}"
        request = urllib.request.Request(url, data, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    @property
    def kubeconfig(self):
        """A file as `kubectl` has it; JSON is YAML."""
        path = self.folder / "kubeconfig"
        server = f"http://127.0.0.1:{self.port}"
        known: dict[str, Any] = {"current-context": "fake"}
        known["contexts"] = [
            {"name": "fake", "context": {"cluster": "fake", "user": "shop"}},
            {"name": "stranger", "context": {"cluster": "fake", "user": "stranger"}},
        ]
        known["clusters"] = [{"name": "fake", "cluster": {"server": server}}]
        known["users"] = [
            {"name": "shop", "user": {"token": TOKEN}},
            {"name": "stranger", "user": {"token": "guessed-9"}},
        ]
        path.write_text(json.dumps(known))
        return path


class Object:
    """A ConfigMap or a Secret, written and deleted as others would."""

    numbers = itertools.count(1)

    def __init__(self, server, kind, namespace="shop"):
        self.server, self.kind = server, kind
        self.object = f"shop-{next(self.numbers)}"
        self.path = f"api/v1/namespaces/{namespace}/{kind}s/{self.object}"
        self.uri = f"kubernetes:{kind}/{namespace}/{self.object}"
        self.uri += f"?kubeconfig={server.kubeconfig}#app.yaml"
        self.source = KubernetesSource(self.uri)
        self.change()

    def write(self, text, **others):
        texts = {"app.yaml": text, **others}
        if self.kind == "secret":
            coded = {k: base64.b64encode(v.encode()).decode() for k, v in texts.items()}
            texts = coded
        self.put({"data": texts})

    def put(self, content):
        self.server.ask(self.path, "PUT", content)

    def change(self):
        self.number = next(self.numbers)
        self.write(json.dumps({"modules": {}, "shop": {"every": self.number + 0.5}}))

    def delete(self):
        self.server.ask(self.path, "DELETE")

    def shows(self, runtime):
        """Tell whether a runtime has what was written last."""
        sections = runtime.snapshot.document.sections
        return sections["shop"]["every"] == self.number + 0.5


@pytest.fixture(scope="session")
def started():
    """The fake, for the whole run."""
    with FakeApi() as server:
        yield server


@pytest.fixture
def api(started):
    """The same, running again at the end of the test."""
    started.ask("fake/reset", "POST")
    yield started
    started.start()


@pytest.fixture
def configmap(api):
    """A ConfigMap of its own for each test."""
    return Object(api, "configmap")


@pytest.fixture
def unwatched(api):
    """A ConfigMap that may be read, and neither listed nor watched."""
    return Object(api, "configmap", "unwatched")


@pytest.fixture
def secret(api):
    """A Secret of its own for each test."""
    return Object(api, "secret")


@pytest.fixture
def running(configmap):
    """A service that follows the ConfigMap by push alone."""
    with Runtime(configmap.uri, watch=True, sweep=600, backoff=0.5) as runtime:
        yield runtime


@pytest.fixture
def token():
    """What the pod shows to the API."""
    return TOKEN
