"""What nobody closed is told of the clause that left it, and of no other."""

from __future__ import annotations

import re

LEAKY = """
    from __future__ import annotations
    import gc
    import socket

    import pytest
    from midflight import hookimpl
    from midflight.testing import FakeModule, ModuleContract

    gc.disable()  # so that nothing else collects

    def forget():
        ring = [socket.socket()]
        ring.append(ring)

    class Leaky(FakeModule):
        @hookimpl
        def prepare(self, config):
            if "wrong" in config:
                forget()
                raise ValueError("wrong")

    class TestLeaky(ModuleContract):
        @pytest.fixture
        def module(self):
            return Leaky

        @pytest.fixture
        def config(self):
            return {"rate": 1}

        @pytest.fixture
        def other_config(self):
            return {"rate": 2}

        @pytest.fixture
        def refused_config(self):
            return {"wrong": 1}
"""
KEEPING = """
    from __future__ import annotations
    import contextlib
    import socket

    import pytest
    from midflight import hookimpl
    from midflight.testing import FakeSource, SourceContract

    opened = []

    class Keeping(FakeSource):
        @hookimpl
        def watch(self, notify):
            opened.append(socket.socket())
            return contextlib.nullcontext()

    class TestKeeping(SourceContract):
        @pytest.fixture
        def source(self):
            yield Keeping()
            for each in opened:
                each.close()

        @pytest.fixture
        def patience(self):
            return 0.2
"""
BEFORE = """
    def test_of_something_else():
        forget()

"""


def blamed(said):
    """Return the tests that a run says something of."""
    return re.findall(r"^(?:ERROR|FAILED) \S+?::(\S+)", said, re.MULTILINE)


def test_a_clause_is_blamed_for_what_it_leaves(run):
    """A socket that was left in a ring of references turns its own clause red."""
    said = run(LEAKY)

    assert blamed(said) == ["TestLeaky::test_refuses_before_anything_changed"]
    assert "unclosed <socket.socket" in said


def test_a_clause_is_not_blamed_for_what_was_there(run):
    """What an earlier test left is not collected during a clause."""
    head, mark, clauses = LEAKY.partition("    class Leaky")
    said = run(head + BEFORE + mark + clauses, "-k", "something or starts_healthy")

    assert blamed(said) == []
    assert "2 passed" in said


def test_a_clause_says_where_to_close_what_is_left(run):
    """What a watch opens and what a read opens end at different times."""
    said = run(KEEPING, "-k", "leaves_nothing_behind")

    end = "end what a watch begins at its exit; what a read opens, in `stop`"
    assert f"left open for 0.2 s: {end}" in said
    assert "left open for 0.2 s: close it in `stop`" in said
