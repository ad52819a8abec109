"""RFC 7396: what is in force after a PATCH is what the RFC's own algorithm gives."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from midflight import Runtime, hookimpl
from midflight_plugins.memory import MemorySource
from midflight_plugins.overrides import OverridesSource

from .conftest import CONFIG, Client, entry

KEYS = st.sampled_from("abc")
LEAVES = st.one_of(st.booleans(), st.integers(0, 3), st.just([1, {"a": 2}]))


def values(leaves):
    """Return what can be a configuration of few keys and many shapes."""
    return st.recursive(leaves, lambda each: st.dictionaries(KEYS, each), max_leaves=6)


CONFIGS = st.dictionaries(KEYS, values(LEAVES | st.just("x")))
PATCHES = st.dictionaries(KEYS, values(LEAVES | st.none()))


class Quiet:
    """A module that takes everything."""

    def __init__(self, name):
        self.name = name

    @hookimpl
    def start(self, config):
        pass


def merged(target, patch):
    """Return what the pseudo code of RFC 7396, section 2, gives."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def thawed(value):
    """Return a frozen value as JSON has it."""
    if isinstance(value, Mapping):
        return {key: thawed(each) for key, each in value.items()}
    return [thawed(each) for each in value] if isinstance(value, tuple) else value


CHANGES = st.lists(st.tuples(st.sampled_from(["PATCH", "PUT", "DELETE"]), PATCHES))


@settings(max_examples=80)
@given(CONFIGS, CHANGES)
def test_whatever_was_there_and_whatever_was_done_before(config, changes):
    """Patches, replacements and removals one after the other; then all the way back."""
    base = MemorySource({"modules": [entry("api", "quiet", **config)]})
    overrides = OverridesSource()
    with Runtime([base, overrides], modules={"quiet": Quiet}) as runtime:
        ask, wanted = Client(runtime), config
        for method, patch in changes[:5]:
            body = merged({}, patch) if method == "PUT" else patch
            if method == "PUT":
                wanted = body
            elif method == "PATCH":
                wanted = merged(wanted, body)
            elif overrides.head().tree:
                wanted = config
            else:
                continue
            answer = ask(
                method,
                f"{CONFIG}?restart=allow",
                None if method == "DELETE" else body,
                if_match="*",
            )

            assert answer.status == 200, answer.content
            assert thawed(runtime.snapshot.document.modules["api"].config) == wanted
        first = ask("POST", "rollback", {"generation": 1})
        assert first.status == 200
        assert thawed(runtime.snapshot.document.modules["api"].config) == config
