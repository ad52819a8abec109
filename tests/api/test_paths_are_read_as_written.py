"""A path that is written is read as the same path, whatever its keys are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midflight import Fault
from midflight.errors import Code, dotted
from midflight_plugins.api import fault_data, fault_of, keys_of

KEYS = st.text('ab."\\[]0 ü\n', min_size=1, max_size=5)
POSITIONS = st.integers(min_value=0, max_value=99)


@given(KEYS, st.lists(KEYS | POSITIONS, max_size=4))
def test_a_path_is_read_as_it_was_written(first, rest):
    """Dots, quotes and brackets of a key stand in quotes."""
    path = (first, *rest)

    assert keys_of(dotted(path)) == path


def test_a_plain_path_is_written_plainly():
    """Quotes are for keys that would be read as several."""
    assert (
        dotted(("modules", "web-1", "hosts", 0, "ü b")) == "modules.web-1.hosts[0].ü b"
    )
    assert dotted(("modules", "shop.audit")) == 'modules."shop.audit"'


@pytest.mark.parametrize(
    ("key", "text"), [(1.5, 'a."1.5"'), (b"x", "a.b'x'"), (None, "a.None")]
)
def test_a_foreign_key_of_any_type_is_written(key, text):
    """To tell a fault of somebody else's must not fail."""
    assert dotted(("a", key)) == text


@pytest.mark.parametrize(
    "path", ["", "a.", ".a", "a..b", 'a"b', "a[x]", '"a"b', "a.[0]"]
)
def test_what_is_no_path_is_refused(path):
    """Nobody guesses what was meant."""
    with pytest.raises(ValueError, match="no path"):
        keys_of(path)


def test_a_fault_that_a_service_tells_has_its_path():
    """Its keys are keys again, not one text."""
    fault = Fault(Code.E_TYPE, "is wrong", ("modules", "a.b", "config", "hosts", 0))

    assert fault_of(fault_data(fault)) == fault
