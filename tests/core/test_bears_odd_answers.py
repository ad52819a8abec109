"""What a plugin hands over may be of any kind: it is refused, and nothing is lost."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest

from midflight import (
    Applied,
    Document,
    Failed,
    Health,
    Loaded,
    ModuleConfig,
    Rejected,
    RolledBack,
    Runtime,
    hookimpl,
)
from midflight.errors import MidflightError, TransientError
from midflight.testing import FakeModule, FakeSource


class Never:
    """A value of which nobody can tell whether it is true."""

    def __bool__(self) -> bool:
        msg = "who knows"
        raise ValueError(msg)


class BusyError(TransientError):
    """An error of ours that a plugin has given a `cause` of its own."""

    cause = "the port is taken"


def document(value: int, kind: str = "fake") -> dict[str, Any]:
    """Return a module."""
    return {"modules": [{"name": "one", "type": kind, "config": {"v": value}}]}


def raises_busy(_module: Any, _config: Any) -> None:
    """Fail as a client library of a module might."""
    raise BusyError


@pytest.mark.parametrize(
    "answer",
    [
        lambda: Health(healthy=False, detail=ValueError("no water")),
        lambda: Health(healthy=Never()),
        lambda: Health(detail=Never()),
    ],
)
def test_an_odd_probe_takes_the_change_back(answer: Any) -> None:
    """Whatever a probe says of itself, all of a change holds, or nothing of it."""

    class Odd(FakeModule):
        @hookimpl
        def probe(self) -> Health:
            return answer() if self.config["v"] == 2 else Health()

    source = FakeSource(document(1))
    with Runtime(source, modules={"fake": Odd}) as runtime:
        source.set(document(2))
        outcome = runtime.reload()
        value = runtime.module("one").config["v"]
        source.set(document(3))

        assert isinstance(outcome, RolledBack | Applied)
        assert value == (2 if outcome.ok else 1)
        assert runtime.snapshot.degraded == ()
        assert isinstance(runtime.reload(), Applied)


def test_an_error_with_a_cause_of_its_own_takes_the_change_back(bench: Any) -> None:
    """A plugin's error may have attributes that are named like ours."""
    bench.run(bench.document(1, names=("m1",)))
    bench.script("m1", "reconfigure", raises_busy)
    outcome = bench.change(bench.document(2, names=("m1",)))

    assert isinstance(outcome, RolledBack)
    assert bench.value() == 1


@pytest.mark.parametrize("deadline", ["5", [], object()])
def test_a_deadline_that_is_none_refuses_the_module(deadline: Any) -> None:
    """A class that says nonsense of itself is refused; the others go on."""

    class Odd(FakeModule):
        pass

    Odd.deadline = deadline  # type: ignore[attr-defined]
    source = FakeSource(document(1))
    with Runtime(source, modules={"fake": FakeModule, "odd": Odd}) as runtime:
        source.set(document(2, "odd"))
        outcome = runtime.reload()
        source.set(document(3))

        assert isinstance(outcome, Rejected)
        assert "E_PLUGIN_API" in str(outcome.faults[0])
        assert "`deadline` is no number of seconds" in str(outcome.faults[0])
        assert isinstance(runtime.reload(), Applied)


class Lazy(Mapping[str, Any]):
    """A mapping that does something while it is read."""

    def __init__(self, act: Any) -> None:
        self.act = act

    def __deepcopy__(self, _memo: object) -> Lazy:
        return self

    def __getitem__(self, key: str) -> Any:
        return document(2)[key]

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Any:
        self.act()
        return iter(document(2))


def test_a_mapping_that_ends_the_process_ends_nothing(bench: Any) -> None:
    """To read what `load` returned is the source's own work, too."""
    bench.run(document(1), modules={"fake": FakeModule}, watch=True, sweep=5.0)
    bench.source.set(Lazy(lambda: sys.exit(3)))
    outcome = bench.runtime.reload()

    assert outcome.reason == "source_unavailable"
    assert isinstance(bench.change(document(3)), Applied)


def test_a_mapping_that_hangs_is_a_source_that_is_down(bench: Any) -> None:
    """Its deadline is that of `load`."""
    bench.run(document(1), modules={"fake": FakeModule})
    bench.source.set(Lazy(bench.hang))
    outcome = bench.runtime.reload()

    assert outcome.reason == "source_unavailable"
    assert bench.runtime.status()["state"] == "degraded"


@pytest.mark.parametrize("layers", [None, (None,), 7])
def test_layers_that_are_none_are_refused_where_they_are_made(layers: Any) -> None:
    """A `Loaded` that says nonsense is an error of whoever made it, once."""

    class Source:
        layers: Any = ()

        @hookimpl
        def load(self) -> Loaded:
            return Loaded(document(2), layers=self.layers)

    source = Source()
    with Runtime(source, modules={"fake": FakeModule}) as runtime:
        source.layers = layers
        outcome = runtime.reload()
        state = runtime.status()["state"]
        source.layers = ()

        assert isinstance(outcome, Failed)
        assert state == "degraded"
        assert runtime.reload().ok


def test_a_source_cannot_write_into_the_document_that_it_gave() -> None:
    """What it goes on to change is seen as a change, or not at all."""
    mine = {"one": ModuleConfig("one", "fake", {"v": 1})}
    sections: dict[str, Any] = {"s": 1}
    given = Document(mine, sections)
    mine["one"] = ModuleConfig("one", "fake", {"v": 2})
    sections["s"] = 2

    assert given.modules["one"].config["v"] == 1
    assert given.sections["s"] == 1
    with pytest.raises(TypeError):
        given.modules["one"] = mine["one"]  # type: ignore[index]


def test_what_load_may_return_is_said() -> None:
    """What is neither a mapping nor `Loaded` is refused by its name."""
    odd = type("Odd", (), {"load": hookimpl(lambda _self: 7)})()
    with pytest.raises(MidflightError, match="returned int, not Loaded"):
        Runtime(odd).start()
