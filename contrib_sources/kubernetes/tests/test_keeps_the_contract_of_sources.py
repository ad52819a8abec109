"""The source `kubernetes` keeps the contract of sources, before a fake of the API."""

from __future__ import annotations

import pytest

from midflight.testing import SourceContract


class FollowsAnObject(SourceContract):
    @pytest.fixture
    def stored(self, configmap):
        return configmap

    @pytest.fixture
    def source(self, stored):
        return stored.source

    @pytest.fixture
    def change(self, stored):
        return stored.change

    @pytest.fixture
    def invalidate(self, stored):
        return lambda: stored.write("modules: [unlucky-7")

    @pytest.fixture
    def remove(self, stored):
        return stored.delete

    @pytest.fixture
    def server(self, api):
        return api

    @pytest.fixture
    def secrets(self, token):
        return (token,)


class TestConfigMap(FollowsAnObject):
    @pytest.fixture
    def changes(self):
        return 1000


class TestSecret(FollowsAnObject):
    @pytest.fixture
    def stored(self, secret):
        return secret

    @pytest.fixture
    def secrets(self, token):
        return (token, "unlucky-7")
