"""What the configuration would be, and what that would do; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Diff, Document, Loaded, Plan, hookimpl
from midflight.errors import Code, InvalidConfigurationError
from midflight_plugins.api._data import diff_data, plan_data
from midflight_plugins.api._http import Problem
from midflight_plugins.api._loaded import overrides_layer, raw_document, raw_in_force

if TYPE_CHECKING:
    from midflight import Runtime
    from midflight.errors import Positions
    from midflight.hookspecs import Layer
    from midflight_plugins.api._api import Api


@attrs.frozen(eq=False)
class Preview:
    """A configuration that does not run, and the way to it from the one that does.

    Args:
        base: the one in force.
        document: the other one, as modules would get it.
        plan: what the strategy would do.
    """

    base: Document
    document: Document
    plan: Plan

    @classmethod
    def of(cls, api: Api, tree: Mapping[str, Any] | None) -> Preview:
        """Look at what would be.

        Args:
            api: whose runtime.
            tree: what the overrides layer would hold; `None` for what the source holds
                by now.

        Raises:
            MidflightError: if that would be refused, or cannot be read.
        """
        runtime = api.runtime
        if tree is not None:
            held = Loaded(Document.from_mapping(tree))
            return cls.with_layer(api, top_layer(runtime), held)
        document = runtime.read()[0]
        return cls(runtime.snapshot.document, document, runtime.plan(document))

    @classmethod
    def with_layer(cls, api: Api, layer: Layer, held: Loaded) -> Preview:
        """Look at what would be if a layer held something else.

        Raises:
            MidflightError: if that would be refused, or cannot be read.
        """
        runtime = api.runtime
        document = document_with(runtime, layer, held)
        return cls(runtime.snapshot.document, document, runtime.plan(document))

    @property
    def diff(self) -> Diff:
        """What differs."""
        return Diff.between(self.base, self.document)

    @property
    def names(self) -> frozenset[str]:
        """The modules that it touches, with `*` if more than modules."""
        diff = self.diff
        found = {*diff.added, *diff.removed, *diff.modified}
        found |= {step.module for step in self.plan.steps}
        return frozenset(found | ({"*"} if diff.sections else set()))

    def data(self) -> dict[str, Any]:
        """Return it as data, secrets masked."""
        return {
            **plan_data(self.plan),
            "changes": diff_data(self.diff)["changes"],
            "base": self.base.digest,
            "desired": self.document.digest,
        }


def document_with(
    runtime: Runtime, layer: Layer, held: Loaded, now: Loaded | None = None
) -> Document:
    """Return what modules would get if a layer held something else.

    Args:
        runtime: whose layers.
        layer: that one.
        held: what it would hold.
        now: what the others hold; by default what is in force.

    Raises:
        MidflightError: if that would be refused.
    """
    loaded = laid(runtime, layer, held, now)
    return transformed(runtime, raw_document(loaded), loaded.positions)


def transformed(
    runtime: Runtime, document: Document, positions: Positions | None = None
) -> Document:
    """Return what the plugins make of a document that was read.

    Args:
        runtime: whose plugins.
        document: as it was read.
        positions: finds where its values stand, for faults.

    Raises:
        MidflightError: if they refuse it.
    """
    transform = runtime.hook.transform
    if not transform.get_hookimpls():
        return document
    try:
        made: Document = transform.call_extra(
            [_identity], {"document": document, "runtime": runtime}
        )
    except InvalidConfigurationError as exc:
        faults = [fault.under((), positions) for fault in exc.faults]
        raise InvalidConfigurationError(faults) from exc
    return made


def top_layer(runtime: Runtime) -> Layer:
    """Return the layer of overrides in force.

    Raises:
        Problem: 409 if there is none.
    """
    top = overrides_layer(runtime.snapshot)
    if top is None:
        detail = "no layer of this process can be written"
        raise Problem(409, Code.E_PLUGIN, detail)
    return top


def laid(
    runtime: Runtime, layer: Layer, held: Loaded, now: Loaded | None = None
) -> Loaded:
    """Lay layers over each other, of which one would hold something else.

    Args:
        runtime: whose layers.
        layer: that one.
        held: what it would hold.
        now: what was read of the others; by default what is in force.

    Raises:
        InvalidConfigurationError: if they do not fit.
    """
    now = now or runtime.snapshot.loaded
    given = [
        (each.name, held if each.name == layer.name else each.loaded)
        for each in (now.layers if now else ())
    ]
    sources: list[Any] = [_Layer(name, each) for name, each in given if each]
    loaded: Loaded = runtime.source(sources).invoke("load")
    return loaded


def entry_of(snapshot: Any, name: str) -> dict[str, Any]:
    """Return a module's entry in force before any `transform`, empty if it is new."""
    return _entry(raw_in_force(snapshot), name)


def entry_with(
    api: Api, name: str, tree: Mapping[str, Any], version: str | int | None
) -> dict[str, Any]:
    """Return a module's entry as it is with what is stored, in force or not.

    Args:
        api: whose runtime.
        name: the module.
        tree: what the overrides layer stores.
        version: of that.

    Raises:
        InvalidConfigurationError: if that does not fit.
    """
    runtime, top = api.runtime, top_layer(api.runtime)
    if str(top.version) == str(version):
        return entry_of(runtime.snapshot, name)
    held = Loaded(Document.from_mapping(tree))
    return _entry(raw_document(laid(runtime, top, held)), name)


def _entry(document: Document, name: str) -> dict[str, Any]:
    entry = document.modules.get(name)
    return {} if entry is None else entry.as_mapping()


@attrs.frozen(eq=False)
class _Layer:
    """A source that gives what a layer gave before."""

    name: str
    loaded: Loaded

    @hookimpl
    def load(self) -> Loaded:
        """Return it."""
        return self.loaded


def _identity(document: Document) -> Document:
    return document
