"""What cannot be resolved hides no other fault, and brings none of its own."""

from __future__ import annotations

import attrs
import pytest

from midflight import Document, Secret, hookimpl
from midflight.errors import InvalidConfigurationError, TransientError
from midflight_plugins.secrets import add_resolver

from .conftest import Keeps


@attrs.frozen
class Fields:
    """What the module below takes."""

    port: int
    rate: int = 1
    hosts: list[str] = attrs.field(factory=list)
    key: Secret = attrs.field(factory=lambda: Secret(""))

    def __attrs_post_init__(self) -> None:
        if self.rate > 5 and self.key != Secret("vip"):
            msg = "a rate above 5 needs another key"
            raise ValueError(msg)


class Typed(Keeps):
    """A module with fields."""

    Config = Fields


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    """A variable that is set, and one that is not."""
    monkeypatch.delenv("UNSET", raising=False)
    monkeypatch.setenv("PORT", "80")


@pytest.fixture
def found(build):
    """Return the codes and paths, below `config`, of all that is wrong."""

    def do(config, **options):
        runtime, _ = build(config, modules={"keeps": Typed}, **options)
        return [(str(each.code), each.path[3:]) for each in runtime.check()]

    return do


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("${UNSET}", "E_ENV"),
        ("x${UNSET}y", "E_ENV"),
        ("${vault:a/b}", "E_SECRET"),
        ("${oops", "E_SYNTAX"),
        ("${UNSET:-007}", "E_VALUE"),
    ],
)
def test_other_faults_are_told_with_it(found, reference, code):
    """A reference that leads nowhere, and all that fields and types say."""
    config = {"port": reference, "rate": "many", "hsts": []}

    assert found(config) == [
        (code, ("port",)),
        ("E_TYPE", ("rate",)),
        ("E_UNKNOWN", ("hsts",)),
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"port": "${UNSET}"},
        {"port": 1, "hosts": "${UNSET}"},
        {"port": 1, "hosts": ["a", "${UNSET}"]},
        {"port": 1, "key": "${UNSET}"},
        {"port": 1, "rate": 9, "key": "${UNSET}"},
    ],
)
def test_it_is_one_fault_and_no_more(found, config):
    """Whatever type the field has, and whatever is checked of all fields together."""
    assert [code for code, _ in found(config)] == ["E_ENV"]


def test_a_field_that_is_missing_beside_it_is_told(found):
    """What cannot be resolved in one field excuses no other."""
    assert found({"key": "${UNSET}"}) == [
        ("E_ENV", ("key",)),
        ("E_REQUIRED", ("port",)),
    ]


def test_a_refused_change_tells_all_as_well(build):
    """Not only `check`: the outcome of a reload holds the same."""
    runtime, source = build({"port": 1}, modules={"keeps": Typed})
    with runtime:
        module = {"name": "m", "type": "keeps", "config": {"port": "${UNSET}"}}
        source.set({"modules": [module, {"name": "n", "type": "kepes"}]})
        outcome = runtime.reload()

        codes = [str(fault.code) for fault in outcome.faults]
        assert codes == ["E_ENV", "E_MODULETYPE"]


def test_what_is_sound_stays_as_it_is_written(build, monkeypatch):
    """The rest of the document holds secrets for gaps, and no value that was found."""
    config = {"a": "${UNSET}", "b": "$${x}", "c": ["${PORT}", "${vault:x}"]}
    runtime, _ = build(config, sections={"top": {"d": "${UNSET}", "e": 1}})
    with pytest.raises(InvalidConfigurationError) as caught:
        runtime.read()

    partial = caught.value.partial
    assert isinstance(partial, Document)
    held = partial.modules["m"].config
    assert (held["b"], held["c"][0]) == ("$${x}", "${PORT}")
    assert {type(held["a"]), type(held["c"][1])} == {Secret}
    assert isinstance(partial.sections["top"]["d"], Secret)
    assert partial.sections["top"]["e"] == 1


def test_what_was_missing_is_still_waited_for(build, folder):
    """A look for further faults does not forget which files the document waits for."""
    path = folder / "db"
    good = {"port": 1}
    runtime, source = build(good, modules={"keeps": Typed}, watch=True, sweep=600)
    with runtime:
        source.set({"modules": [_module({"port": 2, "key": f"${{file:{path}}}"})]})
        assert [str(f.code) for f in runtime.reload().faults] == ["E_SECRET"]
        path.write_text("hunter2")

        snapshot = runtime.wait(2, timeout=20)
        assert snapshot.document.modules["m"].config["port"] == 2


def test_what_fails_for_now_alone_stays_a_failure(build):
    """Nothing is refused for it: it is tried again."""

    def resolve(rest, runtime):
        msg = "the vault is sealed"
        raise TransientError(msg)

    runtime, source = build({"port": 1}, modules={"keeps": Typed})
    add_resolver(runtime, "vault", resolve)
    with runtime:
        source.set({"modules": [_module({"port": "x", "key": "${vault:a}"})]})
        outcome = runtime.reload()

        assert outcome.name == "failed"
        assert [str(fault.code) for fault in outcome.faults] == ["E_SECRET"]


def test_a_structure_that_raises_anything_at_a_gap_is_no_fault(build):
    """Only what is asked of whole configurations may be judged by its errors."""

    class Breaks:
        @hookimpl(tryfirst=True)
        def structure(self, config):
            raise LookupError(config["port"])

    runtime, source = build(
        {"port": "${UNSET}"}, modules={"keeps": Typed}, plugins=[Breaks()]
    )
    assert [str(fault.code) for fault in runtime.check()] == ["E_ENV"]

    source.set({"modules": [_module({"port": 1})]})
    assert [str(fault.code) for fault in runtime.check()] == ["E_VALUE"]


def _module(config):
    return {"name": "m", "type": "keeps", "config": config}
