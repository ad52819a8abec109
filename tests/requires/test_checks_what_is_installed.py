from __future__ import annotations

import sys

import pytest

from midflight import Document, Runtime, hookimpl
from midflight.errors import InvalidConfigurationError
from midflight_plugins.memory import MemorySource


class Server:
    started = 0

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self):
        Server.started += 1


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return a function that installs a distribution: its name, version and files."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name, version, points=""):
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / "METADATA").write_text(text)
        (folder / "entry_points.txt").write_text(points)

    return install


def faults(requires, **more):
    """Return every fault of a configuration that asks for something."""
    content = {"requires": requires, **more}
    return Runtime(MemorySource(content), modules={"server": Server}).check()


def test_what_is_installed_is_no_fault(installed):
    """A distribution of a fitting version, and every name of an entry point."""
    installed("shop-payments", "1.4")

    assert not faults(
        {
            "plugins": [
                {"name": "shop-payments", "version": ">=1.2,<2"},
                {"name": "Shop_Payments", "version": "1.2"},
                {"name": "shop-payments"},
                "shop-payments",
            ],
            "capabilities": ["module:http", "source:file", "logging"],
        }
    )


@pytest.mark.parametrize("version", ["1.3", "2.0rc1", "1.2.post1"])
def test_a_bare_version_is_the_least(installed, version):
    """`version: "1.2"` takes any later one, also an installed pre-release."""
    installed("shop-rates", version)

    assert not faults({"plugins": [{"name": "shop-rates", "version": "1.2"}]})


def test_what_is_missing_is_told_with_what_to_run():
    """Each fault has its path, what was found and what `pip install` would help."""
    (fault,) = faults({"plugins": [{"name": "no-such-thing", "version": ">=1.2,<2"}]})

    assert fault.code == "E_REQUIRES"
    assert fault.path == ("requires", "plugins", 0)
    assert fault.found == "no such distribution"
    assert set(fault.expected.split(",")) == {">=1.2", "<2"}
    assert fault.hint in {
        "run: pip install 'no-such-thing>=1.2,<2'",
        "run: pip install 'no-such-thing<2,>=1.2'",
    }


def test_an_old_version_is_told(installed):
    """A version that will not do is found, not missing."""
    installed("shop-taxes", "1.1")
    (fault,) = faults({"plugins": [{"name": "shop-taxes", "version": "1.2"}]})

    assert (fault.code, fault.found, fault.expected) == ("E_REQUIRES", "1.1", ">=1.2")
    assert fault.hint == "run: pip install 'shop-taxes>=1.2'"


def test_every_unmet_requirement_is_told_at_once():
    """Nobody has to install one after the other to learn of the next."""
    found = faults(
        {
            "plugins": [{"name": "missing-one"}, {"name": "missing-two"}],
            "capabilities": ["teleport", "http"],
        }
    )

    assert [fault.path[1:] for fault in found] == [
        ("plugins", 0),
        ("plugins", 1),
        ("capabilities", 0),
    ]


def test_other_faults_are_told_beside_it():
    """What else is wrong with the document is not hidden."""
    with pytest.raises(InvalidConfigurationError) as caught:
        Runtime(
            MemorySource({"requires": {"capabilities": ["teleport"]}}),
            plugins=[Complains()],
        ).read()

    assert [str(fault.code) for fault in caught.value.faults] == [
        "E_REQUIRES",
        "E_VALUE",
    ]


class Complains:
    @hookimpl(wrapper=True)
    def transform(self):
        from midflight import Fault
        from midflight.errors import Code

        yield
        raise InvalidConfigurationError(Fault(Code.E_VALUE, "no"))


class Breaks:
    @hookimpl(wrapper=True)
    def transform(self):
        yield
        raise RuntimeError("a plugin of a missing distribution")


def test_a_requirement_that_is_not_met_explains_what_fails_for_lack_of_it():
    """A transform that fails does not hide that something is not installed."""
    runtime = Runtime(
        MemorySource({"requires": {"capabilities": ["teleport"]}}), plugins=[Breaks()]
    )

    assert [str(fault.code) for fault in runtime.check()] == ["E_REQUIRES"]


def test_a_capability_can_be_declared_by_any_name(installed):
    """The entry-point group `midflight.capabilities` offers free words."""
    installed("shop-clock", "1", "[midflight.capabilities]\nscheduler = shop:no\n")

    assert not faults({"capabilities": ["scheduler"]})
    assert "shop" not in sys.modules


def test_a_misspelt_capability_gets_a_hint():
    """The nearest name is offered."""
    (fault,) = faults({"capabilities": ["module:htp"]})

    assert fault.code == "E_REQUIRES"
    assert fault.hint == "did you mean `module:http`?"


@pytest.mark.parametrize(
    ("requires", "code", "path"),
    [
        (["http"], "E_TYPE", ()),
        ("http", "E_TYPE", ()),
        ({"plugins": "shop"}, "E_TYPE", ("plugins",)),
        ({"plugins": {"shop": "1"}}, "E_TYPE", ("plugins",)),
        ({"plugins": [5]}, "E_TYPE", ("plugins", 0)),
        ({"plugins": [{"name": 5}]}, "E_TYPE", ("plugins", 0)),
        ({"plugins": [{"version": "1"}]}, "E_REQUIRED", ("plugins", 0)),
        (
            {"plugins": [{"name": "attrs", "version": 1.2}]},
            "E_TYPE",
            ("plugins", 0, "version"),
        ),
        (
            {"plugins": [{"name": "attrs", "version": "new"}]},
            "E_VALUE",
            ("plugins", 0, "version"),
        ),
        ({"plugins": [{"name": "a; rm -rf /"}]}, "E_VALUE", ("plugins", 0, "name")),
        (
            {"plugins": [{"name": "attrs", "versoin": "1"}]},
            "E_UNKNOWN",
            ("plugins", 0, "versoin"),
        ),
        ({"capabilities": "http"}, "E_TYPE", ("capabilities",)),
        ({"capabilities": [5]}, "E_TYPE", ("capabilities", 0)),
        ({"capabilites": ["http"]}, "E_UNKNOWN", ("capabilites",)),
    ],
)
def test_a_wrong_form_is_told_where_it_stands(requires, code, path):
    """Nothing in the section is ignored because of its form."""
    (fault,) = faults(requires)

    assert (str(fault.code), fault.path) == (code, ("requires", *path))


@pytest.mark.parametrize("requires", [None, {}, {"plugins": None}])
def test_what_asks_for_nothing_is_met(requires):
    """An empty section is none."""
    assert not faults(requires)


@pytest.mark.parametrize(
    ("requires", "hint"),
    [
        ({"plugin": ["attrs"]}, "did you mean `plugins`?"),
        ({"plugins": [], "plugin": ["attrs"]}, "did you mean `plugins`?"),
        ({"team": "blue"}, "known: `capabilities`, `plugins`"),
        ({"plugins": [{"name": "attrs", "ver": "1"}]}, "did you mean `version`?"),
        ({"plugins": [{"name": "attrs", "os": "any"}]}, "known: `name`, `version`"),
    ],
)
def test_a_key_that_is_not_known_is_refused(requires, hint):
    """What it was to ask for would not be looked at; the hint says what is known."""
    (fault,) = faults(requires)

    assert (fault.code, fault.hint) == ("E_UNKNOWN", hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("attrs>=2", "write {name: attrs, version: '>=2'}"),
        ("attrs >= 2", "write {name: attrs, version: '>=2'}"),
        ("attrs[all]>=2", ""),
        ("two words", ""),
    ],
)
def test_a_name_with_its_version_in_one_text_gets_a_hint(text, hint):
    """As `pip` takes it; the hint says how it is written here."""
    (fault,) = faults({"plugins": [text]})

    assert (fault.code, fault.hint) == ("E_VALUE", hint)


@pytest.mark.parametrize(
    ("requires", "found"),
    [
        (["http"], "a list"),
        ({"plugins": {"attrs": "1"}}, "a mapping"),
        ({"plugins": [["attrs"]]}, "a list"),
        ({"plugins": [{"name": ["attrs"]}]}, "a list"),
        ({"capabilities": [{"http": 1}]}, "a mapping"),
        ({"capabilities": [5]}, "5"),
    ],
)
def test_what_was_found_is_told_in_words(requires, found):
    """A list or a mapping is named, and not shown as Python writes it."""
    (fault,) = faults(requires)

    assert fault.found == found


def test_nothing_is_touched_when_it_is_not_met():
    """A change that needs more is refused before any module is made; and back again."""
    source = MemorySource({"modules": [{"name": "a", "type": "server"}]})
    with Runtime(source, modules={"server": Server}) as runtime:
        before = Server.started
        more = {
            "requires": {"capabilities": ["teleport"]},
            "modules": [
                {"name": "a", "type": "server"},
                {"name": "b", "type": "server"},
            ],
        }
        source.set(more)
        outcome = runtime.reload()

        assert (outcome.name, outcome.generation) == ("rejected", 1)
        assert [str(fault.code) for fault in outcome.faults] == ["E_REQUIRES"]
        assert Server.started == before
        source.set({"modules": more["modules"]})
        assert runtime.reload().ok


def test_the_section_stays_in_the_document():
    """A change of it is a change of a section, for the strategies."""
    content = {"requires": {"capabilities": ["http"]}}
    document, _ = Runtime(MemorySource(content)).read()

    assert document == Document.from_mapping(content)


def test_an_unmet_requirement_hides_no_other_fault():
    """What is wrong with the modules is told beside it, each once."""
    raw = {
        "requires": {"plugins": [{"name": "no-such-thing"}]},
        "modules": [{"name": "m", "type": "nowhere"}],
    }
    faults = Runtime(MemorySource(raw)).check()

    assert sorted(str(fault.code) for fault in faults) == ["E_MODULETYPE", "E_REQUIRES"]
