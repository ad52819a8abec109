"""How the page writes times, digests, values and faults."""

from __future__ import annotations

import pytest

from midflight import Fault, Place
from midflight.errors import Code
from midflight_plugins.admin.page import _texts


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0.00412, "4.1 ms"),
        (1.24, "1.2 s"),
        (42.0, "42 s"),
        (200, "3 min"),
        (7200, "2 h"),
        (200_000, "2 d"),
    ],
)
def test_a_duration_has_two_or_three_digits(seconds, text):
    """Whatever its size, in a unit that fits."""
    assert _texts.took(seconds) == text


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("file:/etc/shop/app.yaml", "app.yaml"),
        ("app.yaml", "app.yaml"),
        ("/etc/shop/app.yaml:5:13", "app.yaml:5:13"),
        ("app.yaml:5:13", "app.yaml:5:13"),
        ("overrides:file:/var/lib/shop/overrides.yaml", "overrides"),
        ("database:postgresql+psycopg://db.example/shop#app", "shop#app"),
        ("env", "env"),
    ],
)
def test_a_source_goes_by_the_name_people_know(uri, text):
    """The file, not the way to it."""
    assert _texts.label(uri) == text


@pytest.mark.parametrize("place", [None, Place("a/app.yaml", 5, 13, "file:a/app.yaml")])
def test_a_fault_told_as_text_is_parted(place):
    """Place and code stand by themselves; no word of the rest is lost."""
    fault = Fault(Code.E_TYPE, "no: `x` is E_WRONG: so", ("a",), place, "1", "a text")
    told = _texts.told(str(fault))

    assert told["code"] == "E_TYPE"
    assert told["place"] == ("a/app.yaml:5:13" if place else "")
    assert told["text"] == "no: `x` is E_WRONG: so at `a`, found 1, expected a text"


def test_a_text_that_is_no_fault_is_left_as_it_is():
    """Nothing is made up."""
    assert _texts.told("it broke: E_") == {
        "place": "",
        "code": "",
        "text": "it broke: E_",
    }


def test_backticks_become_code_in_pairs():
    """One without a partner is only itself."""
    assert _texts.ticked("a `b` c") == [(False, "a "), (True, "b"), (False, " c")]
    assert _texts.ticked("a ` c") == [(False, "a ` c")]


def test_a_headline_names_a_few_modules():
    """And says how many more there are."""
    steps = [{"action": "start", "module": f"m{n}"} for n in range(5)]
    record = {"steps": steps, "reason": "started"}

    assert _texts.headline(record) == "Start m0, start m1, start m2, 2 more"
    assert _texts.headline({"steps": [], "reason": "plan_refused"}) == (
        "The plan was refused"
    )
    assert _texts.headline({"steps": [], "reason": "of_a_plugin"}) == "Of a plugin"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("8080", '"8080"'),
        (8080, "8080"),
        (True, "true"),
        ({"a": [1, "b"]}, "{a: [1, b]}"),
    ],
)
def test_a_value_shows_its_type(value, text):
    """A text that looks like a number is in quotes."""
    assert _texts.shown(value) == text
