"""The running modules, the snapshot in force, and what a new document would need."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from types import MappingProxyType
from typing import Any

import attrs

from midflight._change import Change, Kinds, ModuleType, settle
from midflight._diff import Diff
from midflight._document import Document, ModuleConfig
from midflight._driver import Call, Owner, Steps, is_applying
from midflight._hookdata import Loaded
from midflight._live import Live
from midflight._plan import Plan
from midflight._plugins import Hooks, Participant, create
from midflight._secret import hidden_in, revealed
from midflight._values import FrozenDict
from midflight.errors import (
    Code,
    Fault,
    InvalidConfigurationError,
    MidflightError,
    Path,
    PluginError,
    Positions,
    StepTimeoutError,
    did_you_mean,
)


@attrs.define(eq=False)
class Running:
    """A live module and the configuration it runs on."""

    entry: ModuleConfig
    typed: Any = attrs.field(repr=False)  # with secrets in clear
    kind: ModuleType
    participant: Participant
    generation: int
    state: str = "running"


@attrs.frozen(eq=False)
class Snapshot:
    """What readers see: one complete validated generation.

    Args:
        document: the configuration in force.
        generation: the engine's count of applied snapshots, from 1.
        source: the source it came from.
        version: the source's own mark of it, if it has any.
        at: when it was applied, in seconds since 1970.
        running: the live modules by name.
        degraded: those that an earlier failure left out of step.
        loaded: what was read last that is this document, before any `transform`: with
            references in the place of secrets, and with the places of all values.
    """

    document: Document
    generation: int = 0
    source: str = ""
    version: str | int | None = None
    at: float = 0.0
    # Its `copy` is one of C, where `dict` would ask it for each module by name.
    running: MappingProxyType[str, Running] = attrs.field(
        default=MappingProxyType({}), repr=False
    )
    degraded: tuple[str, ...] = ()
    loaded: Loaded | None = attrs.field(default=None, repr=False)

    @property
    def digest(self) -> str:
        """The document's digest."""
        return self.document.digest


_NOTHING = FrozenDict()  # a section that is not there: every default applies
Typed = dict[str, tuple[ModuleType, Any]]
Views = list[tuple[Live[Any], object, Any]]


@attrs.define(eq=False, repr=False)
class Engine:
    """Holds what runs; makes modules; asks the strategy. One change at a time."""

    hooks: Hooks
    kinds: dict[str, ModuleType]
    strategy: Participant
    deadline: float
    snapshot: Snapshot = attrs.field(factory=lambda: Snapshot(Document()))
    working: dict[str, Running] = attrs.field(factory=dict)
    views: dict[tuple[str, Any], Live[Any]] = attrs.field(factory=dict)
    wanted: Document | None = None  # that of the change under way
    # Looked at last: its secrets may still be about. One alone: more of them would
    # grow old together, and each full garbage collection would pay for them.
    recent: Document = attrs.field(factory=Document)
    _owners: dict[str, Owner] = attrs.field(factory=dict)

    def foreign(
        self, label: str, hook: str, function: Callable[..., Any], **named: Any
    ) -> Call:
        """Return the call of code that no participant owns, known by its label."""
        owner, call = self._owner(label), functools.partial(function, **named)
        return Call(call, owner, hook, self.deadline)

    def _owner(self, label: str) -> Owner:
        return self._owners.setdefault(label, Owner(label, hides=self.hidden))

    def hidden(self) -> set[str]:
        """Return the secrets that no error may show; sought only when there is one."""
        known = (self.snapshot.document, self.recent, self.wanted or self.recent)
        return {text for each in known for text in hidden_in(each.as_mapping())}

    def each(
        self, hook: str, limit: float | None = None, **arguments: Any
    ) -> Iterator[Call]:
        """Yield the call of each plugin's implementation of a hook, by itself."""
        arguments["runtime"] = self.hooks.runtime
        for impl in getattr(self.hooks.hook, hook).get_hookimpls():
            owner = self._owner(f"plugin `{impl.plugin_name}`")
            named = {name: arguments[name] for name in impl.argnames}
            call = functools.partial(impl.function, **named)
            yield Call(call, owner, hook, limit or self.deadline)

    # -- modules -----------------------------------------------------------------

    def kind(self, name: str) -> Steps[ModuleType]:
        """Return a module type by name, importing it at its first use.

        Raises:
            PluginError: if there is none, or its import fails.
        """
        if name not in self.kinds:
            label, load = f"module type `{name}`", self.hooks.runtime.registry.load
            call = self.foreign(label, "import", load, role="module", name=name)
            factory = yield call
            self.kinds[name] = ModuleType(name, factory)
        return self.kinds[name]

    def made(self, entry: ModuleConfig, kind: ModuleType) -> Steps[Participant]:
        """Make a module object, not started.

        Raises:
            MidflightError: if its class raises, hangs or has wrong hooks.
        """
        label = f"module `{entry.name}` ({kind.name})"
        deadline = self.deadline if kind.deadline is None else kind.deadline
        call = functools.partial(create, kind.factory, label, entry.name)
        target = yield Call(call, Owner(label), "__init__", deadline)
        module = self.hooks.participant("module", target, label, deadline)
        module.hides = self.hidden
        kind.reconfigurable = module.has("reconfigure")
        return module

    # -- what a document means ---------------------------------------------------

    def resolve(
        self,
        document: Document,
        names: Iterable[str],
        positions: Positions | None,
        *,
        ordered: bool = True,
    ) -> Steps[Typed]:
        """Find the types of modules and structure their configuration.

        Args:
            document: what they stand in.
            names: which modules.
            positions: finds places, for errors.
            ordered: check what the modules depend on, too.

        Raises:
            InvalidConfigurationError: with every fault of all of them.
        """
        self.recent = document
        faults: list[Fault] = []
        typed: Typed = {}
        try:
            _ = document.build_order if ordered else ()
        except InvalidConfigurationError as exc:
            faults += exc.faults
        for name in names:
            entry, path = document.modules[name], ("modules", name)
            try:
                kind = self.kinds.get(entry.type) or (yield from self.kind(entry.type))
                value = entry.config if kind.config else revealed(entry.config)
                if kind.config is not None:  # else nothing that steps are needed for
                    value = yield from self.structured(value, kind.config)
                typed[name] = kind, value
            except InvalidConfigurationError as exc:
                faults += [fault.under((*path, "config")) for fault in exc.faults]
            except MidflightError as exc:
                faults.append(self._untyped(entry, exc).under(path))
        if faults:
            raise InvalidConfigurationError(
                [fault.under((), positions) for fault in faults]
            )
        return typed

    def _untyped(self, entry: ModuleConfig, error: MidflightError) -> Fault:
        if not entry.type:
            return Fault(
                Code.E_REQUIRED, "module entry has no `type`", expected="a `type`"
            )
        installed = self.hooks.runtime.registry.names("module")
        known = sorted({*self.kinds, *installed})
        if entry.type in known:
            own = {Code.E_PLUGIN_API, Code.E_DUPLUGIN}
            code = error.code if error.code in own else Code.E_MODULETYPE
            return Fault(code, str(error), ("type",))
        near = did_you_mean(entry.type, known)
        return Fault(
            Code.E_MODULETYPE,
            f"no installed plugin has the module type `{entry.type}`",
            ("type",),
            expected=", ".join(known),
            hint=near
            if near.startswith("did")
            else "install the plugin that provides it, or pass its class (`--module`)",
        )

    def structured(self, config: Any, kind: Any) -> Steps[Any]:
        """Turn configuration into what its reader gets; `kind` `None` keeps its form.

        Secrets are plain text from here on; no fault shows them.
        """
        config = revealed(config)
        if kind is None:
            return config
        try:
            value = yield self.foreign(
                f"configuration type `{getattr(kind, '__name__', 'schema')}`",
                "structure",
                self.hooks.hook.structure,
                config=config,
                type=kind,
                runtime=self.hooks.runtime,
            )
        except InvalidConfigurationError:
            raise
        except MidflightError as exc:
            code = exc.code if isinstance(exc, StepTimeoutError) else Code.E_VALUE
            raise InvalidConfigurationError(Fault(code, str(exc))) from exc
        if value is None:
            raise InvalidConfigurationError(
                Fault(
                    Code.E_TYPE,
                    f"no plugin can structure {kind!r}",
                    hint="attrs, dataclass, TypedDict, pydantic, msgspec, JSON Schema",
                )
            )
        return value

    def views_of(
        self,
        document: Document,
        positions: Positions | None = None,
        new: Live[Any] | None = None,
    ) -> Steps[Views]:
        """Structure what the live views, or a new one, shall show of a document.

        Apart from the modules' own values: a module may change what it was given.
        """
        values: Views = []
        faults: list[Fault] = []
        for view in [new] if new else list(self.views.values()):
            seen, path = viewed(document, view.name)
            try:
                if view.seen is not seen:
                    value = yield from self.structured(seen, view.type)
                    values.append((view, seen, value))
            except InvalidConfigurationError as exc:
                if seen is _NOTHING and view.seen is not None:
                    text = f"live settings read `{view.name}`, which is not there"
                    faults.append(Fault(Code.E_REQUIRED, text, hint="keep it"))
                else:
                    faults += [fault.under(path, positions) for fault in exc.faults]
        if faults:
            raise InvalidConfigurationError(faults)
        return values

    def bind(self, view: Live[Any]) -> Steps[None]:
        """Structure what a new live view shows, until that is what is in force."""
        while True:
            document = (is_applying(self) and self.wanted) or self.snapshot.document
            values = yield from self.views_of(document, new=view)
            if not values:
                return
            show(values)
            # From here on each change sees it; one that ended meanwhile did not.
            self.views.setdefault((view.name, view.type), view)

    # -- what a document needs ---------------------------------------------------

    def diff_to(self, document: Document) -> Diff:
        """Compare the document in force with another, which may share its parts."""
        diff = Diff.between(self.snapshot.document, document)
        if not (diff.added or diff.removed):
            document.resemble(diff.old, diff.modified)
        return diff

    def change(self, diff: Diff) -> Change:
        """Describe the way from the document in force to another.

        Raises:
            InvalidConfigurationError: if its modules cannot be put in order.
        """
        snapshot = self.snapshot
        _ = diff.new.build_order
        read = {name for name, _ in list(self.views)}.difference(diff.new.modules)
        kinds = Kinds(snapshot.running)
        return Change(diff, kinds, snapshot.degraded, frozenset(read))

    def plan(self, change: Change) -> Steps[Plan]:
        """Ask the strategy what a change needs, and settle its plan.

        Raises:
            PlanError: if the plan does not fit.
            MidflightError: if the strategy raises.
        """
        if not self.snapshot.generation:
            plan = Plan.full(change.diff, "first start")
        elif not change.diff:
            plan = Plan(reason="repair")
        else:
            plan = yield self.strategy.call("on_change", change=change)
        if not isinstance(plan, Plan):
            msg = f"{self.strategy.label} returned {type(plan).__name__}, not a Plan"
            raise PluginError(msg)
        return plan if plan.verdict == "refuse" else settle(plan, change)


def show(views: Views) -> None:
    """Let live views show what was structured for them."""
    for view, seen, value in views:
        view.current, view.seen = value, seen


def viewed(document: Document, name: str) -> tuple[Any, Path]:
    """Return what a live view of that name sees: a module's config, or a section."""
    entry = document.modules.get(name)
    if entry is not None:
        return entry.config, ("modules", name, "config")
    section = document.sections.get(name)
    return _NOTHING if section is None else section, (name,)
