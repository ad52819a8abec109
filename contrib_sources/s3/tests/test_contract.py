"""The source keeps the contract of sources, in buckets with and without versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from midflight.testing import WritableSourceContract

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.timeout(400)  # a thousand changes are four thousand requests
class TestS3(WritableSourceContract):
    count = 1000

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
        return self.count

    @pytest.fixture
    def secrets(self, credentials):
        return ("AKIDSINGSINNOMINE", "s1ngs-n0t")


class TestUnversioned(TestS3):
    count = 20

    @pytest.fixture
    def versioned(self):
        return False

    def test_every_version_can_be_read_again(self, calls):
        """The bucket keeps one version, the last."""
        before = calls.load().version
        document = calls.document()
        (listed,) = calls.call("history", limit=3)

        assert listed.version == before
        read = calls.call("read_version", version=before).document
        assert read.digest == document.digest


def test_as_many_changes_are_made_as_the_readme_says():
    """None of a thousand is missed without hints, and the README says that number."""
    told = " ".join(README.read_text().split())

    assert TestS3.count == 1000
    assert f"{TestS3.count:,} changes are made for" in told
    assert f"and {TestUnversioned.count} where the bucket keeps no versions" in told
