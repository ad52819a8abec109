from __future__ import annotations

import pytest

from midflight.testing import WritableSourceContract
from midflight_nats import NatsSource


class TestNats(WritableSourceContract):
    """The classes that every source can be run through."""

    @pytest.fixture
    def server(self, shared):
        return shared

    @pytest.fixture
    def source(self, server, bucket):
        bucket.put("# why\nmodules: []\n")
        return NatsSource(server.url(bucket.name))

    @pytest.fixture
    def change(self, bucket, numbers):
        return lambda: bucket.put(next(numbers))

    @pytest.fixture
    def invalidate(self, bucket):
        return lambda: bucket.put("modules: [")

    @pytest.fixture
    def remove(self, bucket):
        return bucket.delete

    @pytest.fixture
    def secrets(self, password):
        return (password,)

    @pytest.fixture
    def changes(self):
        return 1_000
