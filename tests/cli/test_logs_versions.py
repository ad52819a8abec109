"""A line of the log names a version, and stays a line."""

from __future__ import annotations

import pytest

from midflight import Loaded, Runtime, hookimpl

HASH = "0123456789abcdef" * 4


class Versioned:
    """A source whose content has the version that it is given."""

    def __init__(self, version):
        self.version = version

    @hookimpl
    def load(self):
        return Loaded({}, version=self.version)


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        (7, "7"),
        ("v2026-11-24.release-3", "v2026-11-24.release-3"),
        ("a" * 24, "a" * 24),
        ("a" * 25, "a" * 12),
        (HASH, "0123456789ab"),
        (f"sha256:{HASH}", "sha256:0123456789ab"),
        (f"overrides@{HASH}", "overrides@0123456789ab"),
        (f"base@12, overrides@{HASH}", "base@12, overrides@0123456789ab"),
        ("a-layer-with-quite-a-long-name@3", "a-layer-with-quite-a-long-name@3"),
        ("2026-11-24T22:41:07Z", "2026-11-24T22:41:07Z"),
        ("6f1e-" * 8, "6f1e-6f1e-6f1e-6f1e-6f1…"),
    ],
)
def test_a_long_version_is_shortened(version, shown, caplog):
    """Of a hash the beginning is shown; numbers and short marks stay as they are."""
    with Runtime(Versioned(version)):
        pass

    assert f"generation 1 applied (version {shown}): " in caplog.text
