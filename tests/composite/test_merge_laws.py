"""Laws of the merge, over random stacks of layers.

Each example draws four layers, and tries the law on the sixteen stacks of one to four
of them that begin with any of the four: 200 examples of 16 stacks for each law, 3,200
stacks, and more than 20,000 for all of them together.
"""

from __future__ import annotations

import copy
import itertools

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from midflight import Document
from midflight_plugins.composite._marks import frozen
from midflight_plugins.composite._overlay import Overlay

EACH = settings(max_examples=200)
DRAWN = 4
KEYS = st.sampled_from(["a", "b.c"])  # few, so that layers meet
NAMES = st.sampled_from(["web", "log"])
TYPES = st.sampled_from(["http", "logging"])
DELETE = {"$patch": "delete"}
scalars = st.one_of(st.booleans(), st.integers(0, 3), st.sampled_from(["x", "1"]))
lists = st.lists(scalars, max_size=3)


def marked(mapping):
    """Say of a mapping that it replaces what is below."""
    return {**mapping, "$patch": "replace"}


plain = st.recursive(
    st.one_of(scalars, lists), lambda inner: st.dictionaries(KEYS, inner, max_size=3)
)
patched = st.recursive(
    st.one_of(
        scalars,
        lists,
        st.just(DELETE),
        st.builds(lambda v: {"$patch": "replace", "$value": v}, scalars | lists),
    ),
    lambda inner: st.one_of(
        st.dictionaries(KEYS, inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=2).map(marked),
    ),
)


def documents(value):
    """Return layers whose values are made by a strategy."""
    mapping = st.dictionaries(KEYS, value, max_size=3)
    entry = st.fixed_dictionaries(
        {}, optional={"type": TYPES, "config": mapping, "dependsOn": st.just(["log"])}
    )
    if value is patched:
        entry = st.one_of(entry, st.just(DELETE), entry.map(marked))
    modules = st.dictionaries(NAMES, entry, max_size=3)
    sections = st.dictionaries(st.just("app"), value)
    whole = st.builds(lambda m, s: {"modules": m, **s}, modules, sections)
    if value is patched:
        whole = st.one_of(whole, whole, whole, whole.map(marked))
    return whole


def made(raws):
    """Make documents of plain mappings."""
    return [Document.from_mapping(raw) for raw in raws]


def pools(value):
    """Return four layers."""
    drawn = st.lists(documents(value), min_size=DRAWN, max_size=DRAWN)
    return drawn.map(made)


def stacks(pool):
    """Yield the stacks that are made of four layers."""
    for first in range(DRAWN):
        turned = pool[first:] + pool[:first]
        for height in range(1, DRAWN + 1):
            yield turned[:height]


def merged(layers, *, keeps_marks=False):
    """Merge from scratch, and return the document and whether it clashed."""
    document, clashes = Overlay(keeps_marks=keeps_marks).merge(layers)
    return document, clashes


def leaves(value, path=()):
    """Yield every path at whose end there is a scalar, a list or nothing."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    else:
        yield path, value


def tree(document):
    """Return a document as one mapping, modules by name."""
    entries = {name: dict(m.as_mapping()) for name, m in document.modules.items()}
    return {"modules": entries, **document.sections}


def at(value, path):
    """Return what stands at a path, or raise `KeyError`."""
    for key in path:
        if not isinstance(value, dict):
            raise KeyError(key)
        value = value[key]
    return value


def alike(one, other):
    """Tell whether two values are equal in type too."""
    wrap = [Document.from_mapping({"v": value}) for value in (one, other)]
    return wrap[0] == wrap[1]


@EACH
@given(pools(patched))
def test_no_layer_is_changed(pool):
    """A merge changes none of the documents it is made of."""
    before = copy.deepcopy([layer.as_mapping() for layer in pool])
    digests = [layer.digest for layer in pool]
    for layers in stacks(pool):
        merged(layers)

    assert [layer.as_mapping() for layer in pool] == before
    assert [layer.digest for layer in made(before)] == digests


@EACH
@given(pools(patched), st.integers(0, DRAWN - 1))
def test_without_a_layer_it_is_as_if_that_had_never_been(pool, gone):
    """A layer that is taken away leaves nothing behind, in any place of the stack."""
    overlay = Overlay()
    for layers in stacks(pool):
        rest = layers[:gone] + layers[gone + 1 :]
        overlay.merge(layers)

        assert overlay.merge(rest) == merged(rest)


@EACH
@given(pools(patched))
def test_layers_may_be_laid_together_in_any_grouping(pool):
    """Where a flat stack fits, so does every nesting of it, and means the same."""
    for layers in stacks(pool):
        flat, clashes = merged(layers)
        if clashes:
            continue
        for begin, end in itertools.combinations(range(len(layers) + 1), 2):
            inner, _ = merged(layers[begin:end], keeps_marks=True)
            nested, more = merged([*layers[:begin], inner, *layers[end:]])

            assert not more
            assert nested == flat


@EACH
@given(pools(plain))
def test_no_key_is_lost_and_none_is_invented(pool):
    """Each leaf comes from a layer, and each that no later layer sets is there."""
    for layers in stacks(pool):
        document, clashes = merged(layers)
        if clashes:
            continue
        whole, trees = tree(document), [tree(layer) for layer in layers]

        for path, value in leaves(whole):
            assert any(_holds(each, path, value) for each in trees), path
        for height, each in enumerate(trees):
            later = trees[height + 1 :]
            for path, value in leaves(each):
                if value != {} and not any(_has(other, path) for other in later):
                    assert _holds(whole, path, value), path


@EACH
@given(pools(plain))
def test_modules_stand_in_the_order_in_which_layers_name_them_first(pool):
    """A later layer adds its modules behind those of the layers below."""
    for layers in stacks(pool):
        document, _ = merged(layers)
        first_seen = dict.fromkeys(name for layer in layers for name in layer.modules)

        assert list(document.modules) == list(first_seen)


def _has(value, path):
    try:
        at(value, path)
    except KeyError:
        return False
    return True


def _holds(value, path, wanted):
    try:
        return alike(at(value, path), wanted)
    except KeyError:
        return False


@EACH
@given(pools(plain))
def test_a_layer_over_itself_says_nothing_new(pool):
    """The same layer twice is the same as once."""
    again = [Document.from_mapping(layer.as_mapping()) for layer in pool]
    for layers, twins in zip(stacks(pool), stacks(again), strict=True):
        twice = [each for pair in zip(layers, twins, strict=True) for each in pair]

        assert merged(twice)[0] == merged(layers)[0]


@EACH
@given(pools(patched))
def test_a_merge_goes_on_as_if_from_scratch(pool):
    """Whatever was merged before, the result is that of a merge from scratch."""
    overlay = Overlay()
    for layers in stacks(pool):
        for at_once in (layers, [edited(layers[0]), *layers[1:]], layers):
            document, clashes = overlay.merge(at_once)
            fresh, others = merged(at_once)

            assert (document, clashes) == (fresh, others)
            assert list(document.modules) == list(fresh.modules)


def edited(layer):
    """Return a layer with another value in its first module, the rest as it is."""
    if not layer.modules:
        return Document(layer.modules, frozen(layer.sections))
    first = next(iter(layer.modules.values()))
    new = attrs.evolve(first, config=frozen({"a": "edited"}), extra=frozen())
    return Document(frozen({**layer.modules, first.name: new}), layer.sections)


@EACH
@given(documents(plain), st.sampled_from(["web", "x"]))
def test_an_edit_of_one_module_makes_that_module_anew_alone(raw, name):
    """Entries whose parts did not change are the very same objects."""
    lower = Document.from_mapping({"modules": {n: {"type": "t"} for n in ("web", "x")}})
    upper = Document.from_mapping(raw)
    overlay = Overlay()
    first, clashes = overlay.merge([lower, upper])
    new = attrs.evolve(lower.modules[name], extra=frozen({"z": 1}))
    modules = frozen({**lower.modules, name: new})
    second, _ = overlay.merge([Document(modules, lower.sections), upper])

    if not clashes:
        same = [n for n in second.modules if second.modules[n] is first.modules[n]]
        assert set(same) == set(second.modules) - {name}
