"""Who never asks does not pay for what could be asked."""

from __future__ import annotations

import subprocess
import sys

import pytest

MUCH = {
    "midflight_plugins.api._changes",
    "midflight_plugins.api._models",
    "midflight_plugins.api._reads",
    "midflight_plugins.api._writes",
}
RUNS = """\
from midflight import Runtime
with Runtime("memory:"):
    pass
"""


@pytest.mark.parametrize(
    ("code", "rest"),
    [
        (RUNS, {"click", "http.client", "starlette"}),
        ("import midflight_plugins.cli", {"http.client", "starlette"}),
        ("from midflight_plugins.api import ROUTES, Api, Client", {"http.client"}),
    ],
    ids=["run", "cli", "door"],
)
def test_the_routes_are_made_when_they_are_looked_at(code, rest):
    """Neither a process that runs a configuration nor a command loads them before."""
    show = "import sys; print(*sys.modules)"
    command = [sys.executable, "-Ic", f"{code}\n{show}"]
    said = subprocess.run(command, check=True, capture_output=True, timeout=60)

    assert not (MUCH | rest) & set(said.stdout.decode().split())


def test_all_of_them_are_there_then():
    """The table is a sequence: it has a length, an order and slices."""
    from midflight_plugins.api import ROUTES

    assert len(ROUTES) == len(list(ROUTES)) == len(ROUTES[:]) > 20
    assert ROUTES[0].operation == "getStatus"
