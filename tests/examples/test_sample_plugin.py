"""A distribution of a third party is found by its entry points, and its tests pass."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _installed(install):
    """Install the sample."""
    install("plugin")


def test_it_is_listed(run):
    """Its source and its module type are known by name, with its distribution."""
    listed = [
        line.split()[:3] for line in run("midflight", "plugins").stdout.split("\n")
    ]

    assert ["source", "folder", "midflight-sample"] in listed
    assert ["module", "heartbeat", "midflight-sample"] in listed


def test_its_own_tests_pass(run_tests):
    """The contract suite runs in its tests, and it keeps the contract."""
    done = run_tests("plugin")

    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
