"""What the configuration would be, and what that would do; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Diff, Document, Loaded, Plan, hookimpl
from midflight.errors import Code, InvalidConfigurationError
from midflight_plugins.api._data import diff_data, plan_data
from midflight_plugins.api._etags import raw_document
from midflight_plugins.api._http import Problem
from midflight_plugins.api._stores import overrides_layer

if TYPE_CHECKING:
    from midflight import Runtime
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
        base = runtime.snapshot.document
        document = _newest(runtime) if tree is None else _transformed(runtime, tree)
        return cls(base, document, runtime.plan(document))

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


def _newest(runtime: Runtime) -> Document:
    return runtime.read()[0]


def _transformed(runtime: Runtime, tree: Mapping[str, Any]) -> Document:
    loaded = laid(runtime, tree)
    document = raw_document_of(loaded)
    transform = runtime.hook.transform
    if not transform.get_hookimpls():
        return document
    try:
        made: Document = transform.call_extra(
            [_identity], {"document": document, "runtime": runtime}
        )
    except InvalidConfigurationError as exc:
        positions = loaded.positions
        faults = [fault.under((), positions) for fault in exc.faults]
        raise InvalidConfigurationError(faults) from exc
    return made


def laid(runtime: Runtime, tree: Mapping[str, Any]) -> Loaded:
    """Lay the layers in force over each other, with another one of overrides.

    Args:
        runtime: whose layers.
        tree: what the overrides layer would hold.

    Raises:
        InvalidConfigurationError: if they do not fit.
        Problem: 409 if the configuration is not made of layers.
    """
    snapshot = runtime.snapshot
    top = overrides_layer(snapshot)
    if top is None or snapshot.loaded is None:
        detail = "no layer of this process can be written"
        raise Problem(409, Code.E_PLUGIN, detail)
    sources: list[Any] = []
    for layer in snapshot.loaded.layers:
        if layer is top:
            sources.append(_Layer(layer.name, Loaded(Document.from_mapping(tree))))
        elif layer.loaded is not None:
            sources.append(_Layer(layer.name, layer.loaded))
    loaded: Loaded = runtime.source(sources).invoke("load")
    return loaded


def raw_document_of(loaded: Loaded) -> Document:
    """Return what was loaded as a document."""
    found = loaded.document
    return found if isinstance(found, Document) else Document.from_mapping(found)


def entry_of(snapshot: Any, name: str) -> dict[str, Any]:
    """Return a module's entry in force before any `transform`, empty if it is new."""
    entry = raw_document(snapshot).modules.get(name)
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
