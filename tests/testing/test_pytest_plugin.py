from __future__ import annotations

import importlib.metadata

import pytest

from midflight.testing import FakeSource, FakeSystem, TcpProxy, wait_until

CONTRACT = """
    from __future__ import annotations
    import pytest
    from midflight.testing import FakeModule, ModuleContract

    class Odd(FakeModule):
        pass

    class TestOdd(ModuleContract):
        @pytest.fixture
        def module(self):
            return Odd

        @pytest.fixture
        def config(self):
            return {"rate": 1}

        @pytest.fixture
        def other_config(self):
            return {"rate": 1}
"""


def test_pytest_finds_it_by_itself():
    """Whoever has Midflight has its fixtures."""
    [found] = importlib.metadata.entry_points(group="pytest11", name="midflight")

    assert found.value == "midflight.testing._plugin"


def test_it_loads_nothing_heavy(run):
    """Tests that do not use it pay for no more than its names."""
    output = run("""
    import sys

    def test_nothing_of_the_core_is_here():
        loaded = {name for name in sys.modules if name.startswith("midflight")}
        heavy = {"midflight._runtime", "midflight._engine", "midflight._reloader"}

        assert "midflight.testing._plugin" in loaded
        assert loaded & (heavy | {"midflight.testing._later"}) == set()
        assert not {"cattrs", "click", "ruamel.yaml", "sqlalchemy"} & {*sys.modules}
    """)

    assert "1 passed" in output


def test_asserts_of_the_suites_explain_themselves(run):
    """A clause that is not kept shows the values, without any warning."""
    output = run(CONTRACT)

    assert "AssertionError: assert {'rate': 1} != {'rate': 1}" in output
    assert "Warning" not in output


def test_a_runtime_starts_and_is_stopped(midflight_runtime):
    """The fixture gives a running runtime, for each call another one."""
    source = FakeSource()
    first, second = (midflight_runtime(source, watch=True) for _ in range(2))

    assert first is not second
    assert first.running
    assert source.watchers == 2


def test_every_runtime_is_stopped_after_the_test(run):
    """Nothing of a runtime reaches the next test."""
    output = run("""
    from midflight.testing import FakeSource
    source = FakeSource()

    def test_one(midflight_runtime):
        midflight_runtime(source, watch=True)
        midflight_runtime(source, watch=True)
        assert source.watchers == 2

    def test_two():
        assert source.watchers == 0
    """)

    assert "2 passed" in output


def test_a_system_stands_still(midflight_system, midflight_runtime):
    """Time passes when the test says so."""
    source = FakeSource({"platform": 0})
    runtime = midflight_runtime(source, watch=True, system=midflight_system, sweep=60)
    source.hints = 0
    source.set({"platform": 1})
    midflight_system.advance(61)
    wait_until(lambda: runtime.snapshot.generation == 2)

    assert isinstance(midflight_system, FakeSystem)


def test_a_proxy_is_made_for_a_port(midflight_proxy):
    """The fixture gives a proxy that listens, and closes it after the test."""
    proxy = midflight_proxy(1)

    assert isinstance(proxy, TcpProxy)
    assert proxy.port


# -- the verdict ---------------------------------------------------------------------

TABLE = [
    "| ModuleContract | TestOdd |",
    "| starts healthy | kept |",
    "| stops after a failed start | not asked: no `failing_config` |",
    "| takes a change | NOT KEPT |",
    "10 kept, 1 not kept, 2 not asked",
]


def table(text):
    """Return the lines of a text that are in `TABLE`, however wide."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return [line for line in lines if line in TABLE]


@pytest.mark.parametrize("options", [(), ("-p", "xdist.plugin", "-n", "2")])
def test_a_verdict_ends_the_run(run, options):
    """Each clause is listed with what became of it, in the order of the suite."""
    output = run(CONTRACT, *options)

    assert table(output) == TABLE


def test_a_verdict_goes_into_a_file(run, tmp_path):
    """The table is Markdown, for a README."""
    run(CONTRACT, "--midflight-verdict-file", "verdict.md")
    text = (tmp_path / "verdict.md").read_text()

    assert table(text) == TABLE
    assert all(line.startswith("|") for line in text.splitlines()[:-2])


def test_many_verdicts_are_printed_if_asked_for(run):
    """A run of many classes is not drowned by tables."""
    more = "".join(f"\n    class Test{n}(TestOdd):\n        pass\n" for n in "ABC")
    many = CONTRACT + more, "-k", "starts_healthy"
    quiet, asked = run(*many), run(*many, "--midflight-verdict")

    assert "ModuleContract  " not in quiet
    assert "| TestA " in asked


def test_a_run_without_contracts_has_no_verdict(run):
    """Who tests something else sees nothing of it."""
    output = run("    def test_it():\n        pass\n", "--midflight-verdict")

    assert "Midflight" not in output
