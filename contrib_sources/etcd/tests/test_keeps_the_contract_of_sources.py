"""The source `etcd` keeps the contract of writable sources, before a real etcd."""

from __future__ import annotations

import pytest

from midflight.testing import WritableSourceContract


class TestEtcd(WritableSourceContract):
    @pytest.fixture
    def source(self, store):
        return store.source

    @pytest.fixture
    def change(self, store):
        return store.change

    @pytest.fixture
    def invalidate(self, store):
        return lambda: store.write("modules: [")

    @pytest.fixture
    def remove(self, store):
        return store.delete

    @pytest.fixture
    def server(self, etcd):
        return etcd

    @pytest.fixture
    def changes(self):
        return 1000
