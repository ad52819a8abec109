"""The source keeps the contract of sources, in buckets with and without versions."""

from __future__ import annotations

import os

import pytest

from midflight.testing import WritableSourceContract

# 1 is the whole of it: a thousand changes are four thousand requests, in two minutes.
SCALE = float(os.environ.get("MIDFLIGHT_TEST_SCALE", "0.15"))


@pytest.mark.timeout(60 + 400 * SCALE)
class TestS3(WritableSourceContract):
    @pytest.fixture
    def source(self, item):
        return item.source()

    @pytest.fixture
    def change(self, item):
        return item.change

    @pytest.fixture
    def invalidate(self, item):
        return lambda: item.write("shop: [")

    @pytest.fixture
    def remove(self, item):
        return item.remove

    @pytest.fixture
    def server(self, shared):
        return shared

    @pytest.fixture
    def changes(self):
        return int(1000 * SCALE)

    @pytest.fixture
    def secrets(self, credentials):
        return ("AKIDSINGSINNOMINE", "s1ngs-n0t")


class TestUnversioned(TestS3):
    @pytest.fixture
    def versioned(self):
        return False

    @pytest.fixture
    def changes(self):
        return 20

    def test_every_version_can_be_read_again(self, calls):
        """The bucket keeps one version, the last."""
        before = calls.load().version
        document = calls.document()
        (listed,) = calls.call("history", limit=3)

        assert listed.version == before
        read = calls.call("read_version", version=before).document
        assert read.digest == document.digest
