from __future__ import annotations

import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from midflight_plugins.file import _events, _yaml
from midflight_plugins.file._builder import Builder
from midflight_plugins.file._limits import Limits

FUZZ = runpy.run_path(str(Path(__file__).with_name("fuzz_c_parser.py")))
LIMITS = Limits()
needs_c = pytest.mark.skipif(
    _events.c_parser() is None, reason="the extra `fast` is not installed"
)
ORDINARY = {
    "block": "a: 1\nmodules:\n  - name: x\n    type: t\n    config:\n      rate: 1.5\n",
    "comments": "# c\n\na: 1 # c\n# c: d\nb:\n  # c\n  c: true\n\n",
    "start": "# c\n---\na: 1\n",
    "flow": "a: {b: [1, 2], c: {}}\nd: [http://h:80/?q=1, a:b, 'x', \"y\"]\n",
    "json": '{"a":{"b":[1,2.5,null]},"c":"d"}\n',
    "quoted": "a: 'b'' c'\nd: \"\\u00e9 \\n\"\ne: 'f\n  g'\n",
    "blocks": "a: |\n  b\n\n    c\n  d\ne: >-\n  f\n  g\nh:\n  - |+\n    i\n\n",
    "anchors": "a: &a {b: 1}\nc:\n  <<: *a\n  d: &d [2]\ne: *d\nf: &f\n  g: *a\n",
    "windows": "a: 1\r\nb: |\r\n  c\r\n  d\r\n",
    "letters": "größe: 名前 😀\n名: [é, 'ü']\n",
    "nothing": "a:\nb:\n  - \n  - c:\nd: {e: , f: }\n",
    "no last line end": "a: 1\nb: c",
}
DIFFERENT = {  # were it not for the gate
    "tab": "a: 'b'\t\n",
    "line separator": "- \u2028\n\n c\n",
    "byte order mark": "a: b\n\ufeff\n",
    "begins empty": "a: |\n \n  b\n",
    "begins with a comment": "a: |#b\n c\n",
    "anchor with a colon": "a: &b:c d\n",
}
DOUBTFUL = {
    **DIFFERENT,
    "directive": "%YAML 1.2\n---\na: 1\n",
    "end of the document": "a: 1\n...\n",
    "second document": "a: 1\n---\nb: 1\n",
    "carriage return": "a: 1\rb: 1\n",
    "alias with a colon": "- &a 1\n- *a:\n",
    "pair in a list": 'a: ["b":c]\n',
    "text at the margin": ">\n# c\n",
}


@needs_c
@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_documents_are_read_by_the_c_parser(text: str) -> None:
    """What people write is read quickly, and says the same, places included."""
    quick = FUZZ["by_c"](text)

    assert quick is not None
    assert FUZZ["told"](quick) == FUZZ["told"](FUZZ["by_python"](text))


@needs_c
@pytest.mark.parametrize("odd", ["\ue000", "\ue001"])
@pytest.mark.parametrize("form", ["{}", '"{}"', '"\\u{:04x}"', '"\\U{:08X}"'])
def test_a_character_for_private_use_stays_what_it_is(odd: str, form: str) -> None:
    """A text may hold, or give by an escape, what stands for a colon on the way."""
    word = form.format(odd if "{}" in form else ord(odd))
    for text in (f"a: [{word}, h:80]\n", f"a: [{word}]\nb: [c, /d?e]\n"):
        assert not FUZZ["look"](text, Counter())
        assert parsed(text).value["a"][0] == odd


@needs_c
@pytest.mark.parametrize("text", DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_the_parsers_read_differently_is_left_to_the_other(text: str) -> None:
    """A text of which the two are known to differ is not for the C parser."""
    assert FUZZ["by_c"](text) is None


@needs_c
@pytest.mark.parametrize(
    "text",
    ["a: !!str 1\n", "a: !x 1\n", "a: NO\n", "a: 1\na: 2\n", "a: [1\n", "1: a\n", ""],
)
def test_faults_and_tags_are_left_to_the_other(text: str) -> None:
    """Whatever has to be worded, is worded in one place."""
    assert FUZZ["by_c"](text) is None


@pytest.mark.timeout(300)
def test_made_up_documents_are_read_alike() -> None:
    """Thousands of documents, sound, odd and broken, say the same to both parsers."""
    counts: list[str] = []

    assert not FUZZ["fuzz"](5_000, 7, counts.append)
    assert counts


@settings(max_examples=300, deadline=None)
@given(st.text("ab1é \n\n:-?,[]{}#&*!|>'\"%\\<=.0", max_size=30))
@example("a: |\n\n  b\n")
@example("a: [b#c, {d: 'e'}]\n")
def test_heaps_of_signs_are_read_alike(text: str) -> None:
    """Short texts that are little but YAML's own signs say the same to both."""
    assert not FUZZ["look"](text, Counter())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stand in for the C parser, and list what it is asked."""
    cyaml: Any = pytest.importorskip("ruamel.yaml.cyaml", exc_type=ImportError)
    texts: list[str] = []
    real = cyaml.CParser

    def noted(text: str) -> Any:
        texts.append(text)
        return real(text)

    noted.__module__ = real.__module__
    monkeypatch.setattr(cyaml, "CParser", noted)
    _events.c_parser.cache_clear()
    yield texts
    _events.c_parser.cache_clear()


def parsed(text: str) -> Any:
    """Parse a text, with whatever parser."""
    return _yaml.parse(text, "a.yaml", LIMITS)


def test_the_c_parser_is_asked_unless_it_is_switched_off(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With MIDFLIGHT_YAML=pure the C parser is left alone."""
    monkeypatch.delenv("MIDFLIGHT_YAML", raising=False)
    first = parsed("a: 1\n")
    monkeypatch.setenv("MIDFLIGHT_YAML", "pure")
    second = parsed("a: 1\n")

    assert asked == ["a: 1\n"]
    assert first == second


def test_another_build_of_the_c_parser_is_not_asked(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the build that was compared is trusted."""
    monkeypatch.setattr(_events.c_parser(), "__module__", "ruamel.yaml.clibz")
    _events.c_parser.cache_clear()

    assert parsed("a: 1\n").value == {"a": 1}
    assert not asked


def test_a_release_of_ruamel_yaml_without_a_c_parser_is_read_all_the_same(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the C parser was, there may be nothing in the next release."""
    monkeypatch.delattr("ruamel.yaml.cyaml.CParser")
    _events.c_parser.cache_clear()

    assert parsed("a: 1\n").value == {"a": 1}
    assert not asked


def test_without_the_extra_everything_is_read_as_ever() -> None:
    """The default installation has no C parser, and needs none."""
    code = """
import sys
sys.modules["_ruamel_yaml"] = sys.modules["_ruamel_yaml_clibz"] = None
from midflight_plugins.file import _events, _yaml
from midflight_plugins.file._limits import Limits
print(_events.c_parser(), _yaml.parse("a: [1]", "", Limits()).value)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert done.stdout == "None {'a': [1]}\n"


@pytest.mark.parametrize("pure", ["pure", ""])
def test_equal_words_of_a_text_are_one_object(
    pure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys and small values that repeat are kept once, whoever reads them."""
    monkeypatch.setenv("MIDFLIGHT_YAML", pure)
    one, two = parsed("- {rate: 1000, b: 'c d', e: 2.5}\n" * 2).value

    for key, other in zip(one, two, strict=True):
        assert key is other
        assert one[key] is two[other]


def test_equal_words_of_different_kinds_are_not() -> None:
    """A quoted number stays a text."""
    assert parsed("[1, '1', 1.0e+0, true, 'true']\n").value == [
        1,
        "1",
        1.0,
        True,
        "true",
    ]


@pytest.mark.parametrize("pure", ["pure", ""])
def test_a_value_that_is_left_out_is_where_its_key_is(
    pure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty value has a place, too: not that of the next key."""
    monkeypatch.setenv("MIDFLIGHT_YAML", pure)
    found = _yaml.parse("a: 1\nb:\n\nc: {d: , e: 1}\n", "a.yaml", LIMITS, record=True)

    assert found.spots["b",] == (2, 1)
    assert found.spots["c", "d"] == (4, 5)


def test_another_release_of_ruamel_yaml_is_asked_as_it_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is private there may be otherwise in the next patch release."""
    text = "a: [1, {b: 'c'}]\nd: &d |\n  e\nf: *d\n"
    known = FUZZ["by_python"](text)
    monkeypatch.setattr("ruamel.yaml.version_info", (0, 19, 99))
    _events._classes.cache_clear()
    other = FUZZ["by_python"](text)

    assert _events._classes.cache_info().currsize == 0
    assert FUZZ["told"](other) == FUZZ["told"](known)


@pytest.mark.parametrize("before", ["", "\r", "\n", "\r\n", "\ufeff", "# c\r"])
def test_a_directive_is_seen_after_every_end_of_a_line(before: str) -> None:
    """What is made of a directive does not depend on what stands before it."""
    text = f"{before}%YAML 1.1\n---\na: 1\n"

    assert not FUZZ["look"](text, Counter())
    assert [str(each.code) for each in parsed(text).faults] == ["E_FORMAT"]


def test_limits_hold_for_the_c_parser() -> None:
    """Depth is counted while events come in; the fault is the same."""
    texts = ["a: " + "[" * 500_000, "[" * 500_000, "{a: " * 100_000]
    faults = [parsed(text).faults for text in texts]

    assert [str(each[0].code) for each in faults] == ["E_DEPTH"] * 3


@needs_c
@pytest.mark.parametrize("text", DIFFERENT.values(), ids=DIFFERENT)
def test_the_gate_is_needed(text: str) -> None:
    """Without it the C parser would be believed where it reads something else."""
    quick = _yaml._from_c(Builder("a.yaml", LIMITS, record=True), text)

    assert quick is not None
    assert FUZZ["told"](quick) != FUZZ["told"](FUZZ["by_python"](text))
