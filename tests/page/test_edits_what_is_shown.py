"""The editor: what it shows reads back as the same, and only changes are sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midflight import Runtime
from midflight.errors import InvalidConfigurationError
from midflight_plugins.admin.page._edit import MASK, patch, read, same
from midflight_plugins.admin.page._yaml import written

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0")
)
LINES = st.lists(TEXTS, min_size=1).map("\n".join)
ODD = st.sampled_from(["NO", "on", "22:22", "010", "1.10", "1e3", "~", "", "<<", "- a"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    LINES,
    ODD,
)
KEYS = st.one_of(st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True), ODD)
KEYS = KEYS.filter(lambda key: key not in {"", "<<"})
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=12,
)
CONFIGS = st.dictionaries(KEYS, VALUES, max_size=4)


@pytest.fixture(scope="module")
def runtime():
    """Return a runtime, for its formats; it is not started."""
    return Runtime("memory:")


def merged(old, change):
    """Apply a merge patch, as RFC 7396 says."""
    if not isinstance(change, dict):
        return change
    made = dict(old) if isinstance(old, dict) else {}
    for key, value in change.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return made


def without_nulls(value):
    """Leave out the keys of mappings that hold `None`."""
    if not isinstance(value, dict):
        return value
    return {k: without_nulls(each) for k, each in value.items() if each is not None}


@given(config=CONFIGS)
def test_what_the_editor_shows_reads_back_as_the_same(runtime, config):
    """No text is taken for a number, a date or a boolean, and none loses a line."""
    assert same(read(runtime, written(config)), config)


@given(old=CONFIGS, new=CONFIGS)
def test_a_patch_leads_to_what_was_edited(old, new):
    """What is sent leads from what is in force to what the editor says."""
    old, new = without_nulls(old), without_nulls(new)

    assert same(merged(old, patch(old, new)), new)


def test_only_what_changed_is_sent():
    """A masked secret that is left as it is, or stands beside a change, is not sent."""
    old = {"rate": 1, "password": MASK, "db": {"url": MASK, "pool": 5}}
    new = {"rate": 1, "password": MASK, "db": {"url": MASK, "pool": 6}}

    assert patch(old, new) == {"db": {"pool": 6}}
    assert patch(old, old) == {}


@pytest.mark.parametrize("new", [1.0, True, "1"])
def test_a_value_of_another_type_is_a_change(new):
    """1, 1.0, true and "1" differ, as they do everywhere."""
    assert patch({"a": 1}, {"a": new}) == {"a": new}


def test_a_null_cannot_be_set():
    """A patch would take it for a removal; the error says what to do."""
    with pytest.raises(
        InvalidConfigurationError, match=r"b\.c.* cannot be set to null"
    ):
        patch({"b": {"c": 1}}, {"b": {"c": None}})


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}"])
def test_a_text_without_keys_is_an_empty_configuration(runtime, text):
    """Who removes every key means it."""
    assert read(runtime, text) == {}


@pytest.mark.parametrize("text", ['{"a": [1, {"b": 2}]}', "---\na:\n- 1\n- b: 2\r\n"])
def test_json_and_yaml_are_read(runtime, text):
    """Whichever somebody pastes."""
    assert same(read(runtime, text), {"a": [1, {"b": 2}]})


@pytest.mark.parametrize(
    "text", ["x", "- 1", "a: !!python/object:os.system x", "a: &b [*b]"]
)
def test_what_is_no_mapping_of_plain_values_is_refused(runtime, text):
    """Data never becomes code."""
    with pytest.raises(InvalidConfigurationError):
        read(runtime, text)


def test_places_are_those_of_the_text(runtime):
    """Lines and columns count from where the editor's text begins."""
    with pytest.raises(InvalidConfigurationError) as caught:
        read(runtime, "a: 1\nb: 2\na: 3\n")
    [fault] = caught.value.faults

    assert str(fault.place) == ":3:1"
    assert fault.found == "first at 1:1"
