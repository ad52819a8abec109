"""What layers mean together, case by case."""

from __future__ import annotations

import pytest

from midflight import Document, Runtime
from midflight.errors import Code, InvalidConfigurationError
from midflight_plugins.composite import CompositeSource
from midflight_plugins.memory import MemorySource

BASE = {
    "modules": [
        {
            "name": "web",
            "type": "http",
            "config": {
                "port": 1,
                "tls": {"cert": "a", "key": "b"},
                "hosts": ["x", "y"],
            },
            "dependsOn": ["log"],
            "owner": "ada",
        },
        {"name": "log", "type": "logging"},
    ],
    "app": {"name": "shop", "limits": {"a": 1, "b": 2}},
}


def layer(name, raw):
    """Return a layer in memory."""
    return {"source": MemorySource(raw), "name": name}


def whole(*raws, **options):
    """Return what layers mean together, as plain data, modules by name."""
    names = ("base", "prod", "local", "more")
    layers = [layer(n, raw) for n, raw in zip(names, raws, strict=False)]
    document, _ = Runtime(CompositeSource(layers, **options)).read()
    modules = {name: dict(m.as_mapping()) for name, m in document.modules.items()}
    return {"modules": modules, **document.sections}


def web(**entry):
    """Return a layer that says something of the module `web`."""
    return {"modules": {"web": entry}}


def fault(*raws):
    """Return the one fault of some layers."""
    with pytest.raises(InvalidConfigurationError) as caught:
        whole(*raws)
    [found] = caught.value.faults
    return found


def test_mappings_are_merged_and_all_else_is_replaced():
    """Keys are merged at every depth; lists and single values are replaced whole."""
    found = whole(
        BASE, web(config={"port": 2, "tls": {"cert": "c"}, "hosts": ["z"]}, owner="bob")
    )

    assert found["modules"]["web"] == {
        "name": "web",
        "type": "http",
        "config": {"port": 2, "tls": {"cert": "c", "key": "b"}, "hosts": ("z",)},
        "dependsOn": ["log"],
        "owner": "bob",
    }
    assert found["app"] == BASE["app"]


def test_a_later_type_and_later_dependencies_replace():
    """`type` and `dependsOn` are values of the entry like any other."""
    found = whole(BASE, web(type="asgi", dependsOn=["db"]))["modules"]["web"]

    assert (found["type"], found["dependsOn"]) == ("asgi", ["db"])


def test_delete_removes_a_key_a_mapping_a_module_and_a_section():
    """`$patch: delete` removes what lower layers set."""
    gone = {"$patch": "delete"}
    entry = {"config": {"tls": {"key": gone}, "hosts": gone}, "owner": gone}
    found = whole(BASE, {"modules": {"web": entry, "log": gone}, "app": gone})

    assert set(found["modules"]) == {"web"}
    assert found["modules"]["web"]["config"] == {"port": 1, "tls": {"cert": "a"}}
    assert "owner" not in found["modules"]["web"]
    assert "app" not in found


def test_replace_takes_nothing_from_below():
    """`$patch: replace` puts a mapping in the place of the lower one."""
    replaced = {"$patch": "replace"}
    tls = {"tls": {**replaced, "ca": "d"}}
    by_key = whole(BASE, web(config=tls))["modules"]["web"]["config"]
    by_entry = whole(BASE, web(**replaced, type="asgi"))["modules"]["web"]
    everything = whole(BASE, {**replaced, "app": {"name": "other"}})

    assert by_key == {"port": 1, "tls": {"ca": "d"}, "hosts": ("x", "y")}
    assert by_entry == {"name": "web", "type": "asgi", "config": {}}
    assert everything == {"modules": {}, "app": {"name": "other"}}


def test_replace_with_a_value_may_change_the_shape():
    """`$value` puts a list or a single value where a mapping was."""
    found = whole(BASE, {"app": {"limits": {"$patch": "replace", "$value": [1]}}})

    assert found["app"] == {"name": "shop", "limits": (1,)}


def test_what_reaches_nothing_is_harmless():
    """A removal of what is not there is no fault, and leaves no trace."""
    gone = {"$patch": "delete"}
    upper = {"modules": {"web": {"config": {"a": {"b": gone}}}, "x": gone}, "y": gone}
    found = whole({"modules": {}}, upper)

    assert found == {"modules": {"web": {"name": "web", "config": {"a": {}}}}}


def test_what_was_removed_may_come_back():
    """A layer above a removal starts anew."""
    gone = {"modules": {"web": {"$patch": "delete"}}}
    found = whole(BASE, gone, web(type="asgi"))["modules"]["web"]

    assert found == {"name": "web", "type": "asgi", "config": {}}


@pytest.mark.parametrize(
    ("lower", "upper", "over", "under"),
    [
        ({"a": 1}, [1], "a list", "a mapping"),
        ({"a": 1}, 5, "a single value", "a mapping"),
        ({"a": 1}, None, "null", "a mapping"),
        ([1], 5, "a single value", "a list"),
        (5, [1], "a list", "a single value"),
        (5, {"a": 1}, "a mapping", "a single value"),
        ([1], {"a": 1}, "a mapping", "a list"),
    ],
)
def test_a_shape_over_another_is_refused_with_both_layers(lower, upper, over, under):
    """The fault names both layers, both places, and what to write instead."""
    found = fault({"app": {"v": lower}}, {"app": {"v": upper}})

    assert found.code is Code.E_MERGE_CONFLICT
    assert found.path == ("app", "v")
    assert found.message == (
        f"`app.v` is {over} in layer `prod`, but {under} in layer `base`"
    )
    assert str(found.place) == "memory (prod)"
    assert "at memory (base)" in found.found
    assert "$patch: replace" in found.hint


@pytest.mark.parametrize("pair", [(None, [1]), ([1], None), (None, 5), (5, None)])
def test_null_fits_over_and_under_lists_and_single_values(pair):
    """Null is a value like any other, and no shape of its own."""
    lower, upper = ({"app": {"v": value}} for value in pair)
    wanted = tuple(pair[1]) if isinstance(pair[1], list) else pair[1]

    assert whole(lower, upper)["app"]["v"] == wanted


@pytest.mark.parametrize(
    ("upper", "code", "path"),
    [
        (web(**{"$patch": "remove"}), Code.E_ENUM, ("modules", "web", "$patch")),
        (web(**{"$patch": "delete"}, type="x"), Code.E_VALUE, ("modules", "web")),
        ({"app": {"$patch": "delete", "a": 1}}, Code.E_VALUE, ("app",)),
        (
            {"app": {"a": {"$patch": "replace", "$value": 1, "b": 2}}},
            Code.E_VALUE,
            ("app", "a"),
        ),
        ({"app": {"$patch": "replace", "$value": {}}}, Code.E_VALUE, ("app",)),
        ({"$patch": "delete", "app": 1}, Code.E_VALUE, ()),
    ],
)
def test_a_mark_that_would_lose_something_is_refused(upper, code, path):
    """Misspelt marks and keys that a mark would lose are faults of their layer."""
    found = fault(BASE, upper)

    assert (found.code, found.path) == (code, path)
    assert found.place is not None
    assert found.place.layer == "prod"


def test_replace_is_the_rule_of_the_original():
    """A module replaces the whole module, a key of a section the whole key."""
    upper = {
        "modules": {
            "web": {"type": "asgi", "config": {"port": 2}},
            "new": {"type": "x"},
        },
        "app": {"limits": {"c": 3}, "v": [1]},
        "more": 5,
    }
    found = whole(BASE, upper, merge="replace")

    assert list(found["modules"]) == ["web", "log", "new"]
    assert found["modules"]["web"] == {
        "name": "web",
        "type": "asgi",
        "config": {"port": 2},
    }
    assert found["app"] == {"name": "shop", "limits": {"c": 3}, "v": (1,)}
    assert found["more"] == 5


def test_modules_keep_the_order_in_which_layers_name_them():
    """Lower layers first; a removal and an addition move no other module."""
    upper = {"modules": {"new": {"type": "x"}, "log": {"type": "y"}}}

    assert list(whole(BASE, upper)["modules"]) == ["web", "log", "new"]


def test_an_entry_without_a_type_in_any_layer_is_refused_in_place():
    """A partial entry is whole only if some layer says its type."""
    runtime = Runtime([layer("base", BASE), layer("prod", {"modules": {"x": {}}})])
    [found] = [each for each in runtime.check() if each.path[:2] == ("modules", "x")]

    assert found.code is Code.E_REQUIRED
    assert found.place is not None
    assert found.place.layer == "prod"


def test_what_only_one_layer_has_is_that_very_object():
    """Nothing is copied that need not be: the diff is by identity."""
    lower = Document.from_mapping(BASE)
    upper = Document.from_mapping(web(config={"port": 2}))
    source = CompositeSource([MemorySource(lower), MemorySource(upper)])
    document, _ = Runtime(source).read()

    assert document.modules["log"] is lower.modules["log"]
    assert document.sections["app"] is lower.sections["app"]
