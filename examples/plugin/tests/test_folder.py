"""The source `folder` keeps the contract of sources, and places its faults."""

from __future__ import annotations

import itertools
import json

import pytest

from midflight.errors import InvalidConfigurationError
from midflight.testing import SourceContract
from midflight_sample.folder import FolderSource


class TestFolder(SourceContract):
    @pytest.fixture
    def pulse(self, tmp_path):
        """Return the file of the module `pulse`."""
        path = tmp_path / "services.d" / "pulse.json"
        path.parent.mkdir()
        path.write_text('{"type": "heartbeat"}')
        return path

    @pytest.fixture
    def source(self, pulse):
        return FolderSource.from_uri(str(pulse.parent))

    @pytest.fixture
    def change(self, pulse):
        counted = itertools.count(2)

        def change():
            pulse.parent.mkdir(exist_ok=True)
            new = pulse.with_suffix(".new")
            config = {"every": float(next(counted))}
            new.write_text(json.dumps({"type": "heartbeat", "config": config}))
            new.rename(pulse)

        return change

    @pytest.fixture
    def invalidate(self, pulse):
        return lambda: pulse.write_text('{"type": ')

    @pytest.fixture
    def remove(self, pulse):
        return lambda: pulse.parent.rename(pulse.parent.with_suffix(".gone"))

    def test_names_the_file_and_the_line(self, pulse, source):
        """A broken file is named with the line and the column."""
        pulse.write_text('{\n  "type": heartbeat\n}')

        with pytest.raises(InvalidConfigurationError, match=r"pulse\.json:2:11"):
            source.load()
