"""The source keeps the contract of sources, looking by itself or told by events."""

from __future__ import annotations

import pytest

from midflight.testing import SourceContract

PASSWORD = "pass%3Aword"  # as a URL has it; it is sent as `pass:word`


class TestHttp(SourceContract):
    way = "plain"

    @pytest.fixture
    def source(self, page):
        return page.source(self.way, poll=0.05, timeout=2)

    @pytest.fixture
    def change(self, page):
        return page.change

    @pytest.fixture
    def invalidate(self, page):
        return lambda: page.write("shop: [")

    @pytest.fixture
    def remove(self, page):
        return page.file.unlink

    @pytest.fixture
    def server(self, shared):
        return shared

    @pytest.fixture
    def changes(self):
        return 1000


class TestWithoutETag(TestHttp):
    way = "untagged"

    @pytest.fixture
    def changes(self):
        return 100


class TestWithWeakETag(TestWithoutETag):
    way = "weak"


class TestEvents(TestHttp):
    @pytest.fixture
    def source(self, page):
        sse = f"/events/{page.file.name}"
        return page.source(sse=sse, poll=0.5, timeout=2)

    @pytest.fixture
    def changes(self):
        return 100


class TestDocuments(TestHttp):
    """Events that stand for the read they lead to."""

    @pytest.fixture
    def source(self, page):
        sse = f"/documents/{page.file.name}"
        return page.source(sse=sse, poll=0.5, timeout=2)


class TestPassword(TestWithoutETag):
    @pytest.fixture
    def source(self, page):
        from midflight_http import HttpSource

        (page.server.folder / "allowed").write_text("Basic b3BzOnBhc3M6d29yZA==\n")
        url = page.url("private", login=f"ops:{PASSWORD}@")
        return HttpSource(url, poll=0.05, timeout=2)

    @pytest.fixture
    def secrets(self):
        return (PASSWORD, "pass:word", "b3BzOnBhc3M6d29yZA")
