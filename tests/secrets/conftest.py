from __future__ import annotations

import pytest

from midflight import Runtime, hookimpl
from midflight.testing import FakeSource


class Keeps:
    """A module that keeps every configuration it was given."""

    def __init__(self, name):
        self.name, self.taken = name, []

    @hookimpl
    def start(self, config):
        self.taken.append(config)

    @hookimpl
    def reconfigure(self, config):
        self.taken.append(config)


def app(config, **sections):
    """Return a configuration with one module."""
    return {"modules": [{"name": "m", "type": "keeps", "config": config}], **sections}


@pytest.fixture
def build():
    """Make a runtime on a configuration of one module, and its source."""

    def do(config, modules=None, sections=None, **options):
        source = FakeSource(app(config, **(sections or {})))
        kinds = {"keeps": Keeps, **(modules or {})}
        return Runtime(source, modules=kinds, **options), source

    return do


@pytest.fixture
def resolve(build):
    """Return what the configuration of a module becomes in the document."""

    def do(config, **options):
        document, _ = build(config, **options)[0].read()
        return document.modules["m"].config

    return do


@pytest.fixture
def faults_of(build):
    """Return the faults of a module's configuration."""

    def do(config, **options):
        return build(config, **options)[0].check()

    return do


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A directory from which secrets may be read."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("MIDFLIGHT_SECRETS_PATH", str(folder))
    return folder
