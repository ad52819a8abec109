"""Noise that comes and goes meets all ways alike, also in a quick run."""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from types import SimpleNamespace
from unittest import mock

import pytest

LONGER = 6_000_000_000  # ns, more than a way may take for more than one turn


@pytest.fixture
def edit_to_module(folder):
    """Return the script; what it imports is forgotten afterwards."""
    before = {*sys.modules}
    with mock.patch.object(sys, "path", [str(folder), *sys.path]):
        yield importlib.import_module("edit_to_module")
    for name in {*sys.modules} - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def turns(edit_to_module):
    """Return a function that measures ways, by name, and lists whose turn it was."""

    def measured(count, **took):
        taken = []

        def way(name):
            @contextlib.contextmanager
            def watch(path, text, arrived):
                def put(path, text):
                    began = time.monotonic_ns() - took[name]
                    arrived(None)
                    return began

                taken.append(name)
                yield put

            return edit_to_module.Way(watch, writers=(edit_to_module.RENAME,))

        options = SimpleNamespace(quick=True, rounds=3, budget=0.06)
        elsewhere = SimpleNamespace(write=print)
        ways = {name: way(name) for name in took}
        edit_to_module.measure(count, ways, options, elsewhere)
        return taken

    return measured


@pytest.mark.parametrize("count", [10, 1_000])
def test_ways_take_turns_in_three_rounds(turns, count):
    """However large the document is, no way has all of its edits in one moment."""
    assert turns(count, ours=0, theirs=0) == ["ours", "theirs"] * 3


def test_who_needs_long_for_one_edit_has_one_turn(turns):
    """Of a peer that takes half a minute, a quick run has one."""
    assert turns(10, ours=0, theirs=LONGER) == ["ours", "theirs", "ours", "ours"]
