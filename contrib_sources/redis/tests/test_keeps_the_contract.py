from __future__ import annotations

import pytest

from midflight.testing import WritableSourceContract
from midflight_redis import RedisSource


class TestRedis(WritableSourceContract):
    """The classes that every source can be run through."""

    @pytest.fixture
    def client(self, server):
        with server.client() as client:
            yield client

    @pytest.fixture
    def server(self, shared):
        return shared

    @pytest.fixture
    def source(self, server, client, key):
        client.set(key, "# why\nmodules: []\n")
        return RedisSource(server.url(key))

    @pytest.fixture
    def change(self, client, key, numbers):
        return lambda: client.set(key, next(numbers))

    @pytest.fixture
    def invalidate(self, client, key):
        return lambda: client.set(key, "modules: [")

    @pytest.fixture
    def remove(self, client, key):
        return lambda: client.delete(key)

    @pytest.fixture
    def secrets(self, password):
        return (password,)

    @pytest.fixture
    def changes(self):
        return 1_000
