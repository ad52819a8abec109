"""D8: five of about twenty sections were compared; a change of the rest was lost."""

from __future__ import annotations

import pytest

from midflight import Applied, Diff, Document, Runtime
from midflight.testing import FakeModule, FakeSource

COMPARED = ("workflows", "triggers", "pipelines", "platform", "requires")
SECTIONS = (
    *COMPARED,
    "name",
    "version",
    "description",
    "application",
    "engine",
    "features",
    "infrastructure",
    "integrations",
    "logging",
    "metrics",
    "plugins",
    "security",
    "sidecars",
    "storage",
    "x-anything-else",
)


def content(section, value):
    """Return a section; what `requires` says has to be true."""
    if section == "requires":
        return {"plugins": [{"name": "pluggy", "version": f">=0.{value!r}"}]}
    return {"v": value}


def document(section, value):
    """Return what the source holds."""
    return {
        "modules": [{"name": "m", "type": "fake"}],
        **{name: content(name, 1) for name in SECTIONS},
        section: content(section, value),
    }


def compare(old, new):
    """Return the sections that differ, as `Diff` sees them."""
    sides = (Document.from_mapping(raw) for raw in (old, new))
    return Diff.between(*sides).sections


def compare_five(old, new):
    """Return the sections that differ, as the original saw them."""
    return tuple(name for name in COMPARED if old[name] != new[name])


def assert_sees(comparison, section, value):
    """Hold a comparison against one changed section."""
    assert comparison(document(section, 1), document(section, value)) == (section,)


@pytest.mark.parametrize("value", [2, 1.0, True, "1", None])
@pytest.mark.parametrize("section", SECTIONS)
def test_a_change_of_any_section_is_seen(section, value):
    """No section is left out, and types count."""
    assert_sees(compare, section, value)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_change_of_any_section_comes_into_force(section):
    """A section that no module declares is a reason to restart them all."""
    source = FakeSource(document(section, 1))
    with Runtime(source, modules={"fake": FakeModule}) as runtime:
        before = runtime.module("m")
        source.set(document(section, 2))

        assert isinstance(runtime.reload(), Applied)
        loaded = Document.from_mapping({section: content(section, 2)})
        assert runtime.snapshot.document.sections[section] == loaded.sections[section]
        assert runtime.module("m") is not before


def test_the_oracle_sees_a_list_of_five():
    """The original's fixed list misses sections, and would not go unseen."""
    missed = []
    for section in SECTIONS:
        try:
            assert_sees(compare_five, section, 2)
        except AssertionError:
            missed.append(section)

    assert missed == [name for name in SECTIONS if name not in COMPARED]
