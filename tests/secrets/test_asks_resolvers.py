from __future__ import annotations

import sys
import threading
import types
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any

import pytest

from midflight import PluginRegistry, Secret
from midflight.errors import MidflightError, TransientError
from midflight_plugins.secrets import add_resolver


class Vault:
    """A resolver with a token, which counts how often it is asked."""

    version, asked = 1, 0

    def resolve(self, rest):
        self.asked += 1
        return f"{rest}-{self.version}"

    def token(self, rest):
        return f"{rest} {self.version}"


def plain(rest, runtime):
    """Resolve as a function."""
    return f"{rest} for {len(runtime.notes)}"


def test_a_function_resolves(build):
    """It is given what follows the scheme, and the runtime."""
    runtime, _ = build({"a": "${kv:x/y}"})
    add_resolver(runtime, "kv", plain)

    assert runtime.read()[0].modules["m"].config["a"] == Secret("x/y for 0")


def test_an_installed_resolver_is_found_by_its_entry_point(build, monkeypatch):
    """The entry point's name is the scheme; a class is made without arguments."""
    module: Any = types.ModuleType("vault_plugin")
    module.Vault = Vault
    monkeypatch.setitem(sys.modules, "vault_plugin", module)
    point = EntryPoint("vault", "vault_plugin:Vault", "midflight.secrets")
    groups = ("midflight.plugins", "midflight.strategies")
    ours = [each for group in groups for each in entry_points(group=group)]
    registry = PluginRegistry(EntryPoints([*ours, point]))
    runtime, _ = build({"a": "${vault:k}"}, registry=registry)

    assert runtime.read()[0].modules["m"].config["a"] == Secret("k-1")


def test_a_token_that_stays_spares_the_resolver(build):
    """It is asked once for one token, however often the document is read."""
    vault = Vault()
    runtime, _ = build({"a": "${vault:k}", "b": "<${vault:k}>"})
    add_resolver(runtime, "vault", vault)
    one, two = runtime.read()[0], runtime.read()[0]

    assert one == two
    assert vault.asked == 1
    vault.version = 2
    assert runtime.read()[0].modules["m"].config["b"] == Secret("<k-2>")


def test_a_resolver_without_a_token_is_asked_at_every_load(build):
    """Nothing else can tell whether its secret was rotated."""
    values = iter(["one", "two"])
    runtime, _ = build({"a": "${once:k}", "b": "${once:k}"})
    add_resolver(runtime, "once", lambda rest, runtime: next(values))
    configs = [runtime.read()[0].modules["m"].config for _ in range(2)]

    assert [each["a"] for each in configs] == [Secret("one"), Secret("two")]
    assert [each["b"] for each in configs] == [Secret("one"), Secret("two")]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("hunter2"), "its resolver raised ValueError"),
        (SystemExit("hunter2"), "its resolver raised SystemExit"),
        (MidflightError("no key `k`"), "no key `k`"),
    ],
)
def test_a_resolver_that_raises_is_a_fault(build, error, told):
    """Of a stranger's exception only the kind is shown, of ours the text."""

    def fails(rest, runtime):
        raise error

    runtime, _ = build({"a": "${vault:k}"})
    add_resolver(runtime, "vault", fails)
    (fault,) = runtime.check()

    assert fault.code == "E_SECRET"
    assert told in fault.message
    assert "hunter2" not in str(fault)


@pytest.mark.parametrize("value", [None, b"hunter2", 5, ["hunter2"]])
def test_a_resolver_returns_a_string(build, value):
    """Anything else is a fault that names its type and does not show it."""
    runtime, _ = build({"a": "${vault:k}"})
    add_resolver(runtime, "vault", lambda rest, runtime: value)
    (fault,) = runtime.check()

    assert f"returned {type(value).__name__}, not a string" in fault.message
    assert "hunter2" not in str(fault)


def test_a_resolver_that_cannot_be_made_is_a_fault(build):
    """A class whose constructor raises hurts the reference alone."""

    class Broken:
        def __init__(self):
            raise RuntimeError

    runtime, _ = build({"a": "${vault:k}"})
    add_resolver(runtime, "vault", Broken)
    (fault,) = runtime.check()

    assert "cannot be made" in fault.message


@pytest.mark.parametrize("error", [TransientError("down"), ConnectionError()])
def test_a_service_that_is_down_is_tried_again(build, error):
    """The running configuration stays, and the attempt counts as transient."""
    vault, down = Vault(), [False]

    class Service:
        def resolve(self, rest):
            if down[0]:
                raise error
            return vault.resolve(rest)

    runtime, _ = build({"a": "${vault:k}"})
    add_resolver(runtime, "vault", Service())
    with runtime:
        down[0] = True
        failed = runtime.reload()
        kept = runtime.module("m").taken
        down[0], vault.version = False, 2
        again = runtime.reload()

        assert (failed.name, failed.transient) == ("failed", True)
        assert failed.faults[0].code == "E_SECRET"
        assert "vault:k" in failed.faults[0].message
        assert again.ok
        assert [each["a"] for each in kept] == ["k-1", "k-2"]


def test_a_resolver_that_hangs_is_given_up(build):
    """Its deadline ends the attempt; when it is back, changes are taken again."""
    hang, leave = threading.Event(), threading.Event()

    def slow(rest, runtime):
        if hang.is_set():
            leave.wait(20)
        return rest

    runtime, source = build({"a": "${slow:k}"}, deadline=0.2)
    add_resolver(runtime, "slow", slow)
    with runtime:
        hang.set()
        lost = runtime.reload()
        kept = list(runtime.module("m").taken)
        hang.clear()
        leave.set()
        source.set(
            {"modules": [{"name": "m", "type": "keeps", "config": {"a": "${slow:z}"}}]}
        )
        outcome = runtime.reload()
        for _ in range(200):
            if outcome.name in {"applied", "unchanged"}:
                break
            threading.Event().wait(0.02)
            outcome = runtime.reload()

        assert lost.name == "failed"
        assert [each["a"] for each in kept] == ["k"]
        assert runtime.module("m").taken[-1]["a"] == "z"


def test_threads_may_transform_at_the_same_time(build):
    """`read` from many threads gives each the document of its own."""
    runtime, _ = build({"a": "${vault:k}", "b": "${HOME:-x}"})
    add_resolver(runtime, "vault", Vault())
    seen: list[Any] = []
    faults: list[Any] = []

    def work():
        try:
            seen.extend(runtime.read()[0].modules["m"].config["a"] for _ in range(50))
        except Exception as exc:  # noqa: BLE001  # shown below
            faults.append(exc)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert faults == []
    assert seen == [Secret("k-1")] * 200
