"""What every source promises, as tests that its author inherits."""

from __future__ import annotations

import pytest

from midflight.testing._source_content import ContentClauses
from midflight.testing._source_outages import OutageClauses
from midflight.testing._source_reading import ReadingClauses
from midflight.testing._source_running import RunningClauses
from midflight.testing._source_watching import WatchingClauses
from midflight.testing._source_writing import WritingClauses


class SourceContract(
    ReadingClauses,
    ContentClauses,
    WatchingClauses,
    RunningClauses,
    OutageClauses,
    WritingClauses,
):
    """Inherit from this in a class called `Test…` and override the fixture `source`.

    Override `change` too, unless the source never changes; and of the other fixtures
    those that the source can be brought to: `invalidate`, `remove`, `server`,
    `secrets`. A capability that is not given skips the tests that need it.
    """


class WritableSourceContract(SourceContract):
    """`SourceContract` for a source that has `put`: without it, these tests fail."""

    @pytest.fixture
    def writable(self, supports_put: bool) -> None:
        """Fail unless the source can be written."""
        if not supports_put:
            pytest.fail("the source has no `put`")
