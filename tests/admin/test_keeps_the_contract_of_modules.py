from __future__ import annotations

import socket

import pytest

from midflight.testing import ModuleContract
from midflight_plugins.admin import AdminModule
from midflight_plugins.admin._tokens import Tokens


class TestAdminModule(ModuleContract):
    """It changes its settings."""

    @pytest.fixture
    def module(self):
        return AdminModule

    @pytest.fixture
    def config(self, tmp_path):
        file = tmp_path / "tokens.json"
        Tokens(file).create("ci", ("read",))
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        return {"address": address, "token_file": str(file)}

    @pytest.fixture
    def other_config(self, config):
        return {**config, "hosts": ["midflight.example"], "body_limit": 1000}

    @pytest.fixture
    def refused_config(self, config, tmp_path):
        return {**config, "token_file": str(tmp_path / "none.json")}


class TestAdminModuleThatMoves(TestAdminModule):
    """It changes its address as well."""

    @pytest.fixture
    def other_config(self, config, tmp_path):
        return {**config, "address": f"unix:{tmp_path / 'admin.sock'}"}

    @pytest.fixture
    def refused_config(self, config, tmp_path):
        return {**config, "address": f"unix:{tmp_path / 'gone' / 'admin.sock'}"}
