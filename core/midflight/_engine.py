"""The running modules, the snapshot in force, and what a new document would need."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight._diff import Diff
from midflight._document import Document, ModuleConfig
from midflight._driver import Call, Owner
from midflight._live import Live
from midflight._plan import Change, ModuleInfo, Plan, settle
from midflight._plugins import Hooks, Participant, PluginRegistry, create
from midflight.errors import (
    Code,
    Fault,
    InvalidConfigurationError,
    MidflightError,
    Path,
    PluginError,
    Positions,
    did_you_mean,
)

if TYPE_CHECKING:
    from midflight._runtime import Runtime


@attrs.frozen
class ModuleType:
    """What a module's class says of itself.

    Args:
        name: the type name.
        factory: the class, called with a module's name.
        config: the class's `Config`, or `None` for a frozen mapping.
        sections: the class's `sections`, the other sections it reads.
        overlap: the class's `overlap`: old and new object may live side by side.
        deadline: the class's `deadline`, in seconds, or `None` for the runtime's.
    """

    name: str
    factory: Callable[..., Any]

    @property
    def config(self) -> Any:
        return getattr(self.factory, "Config", None)

    @property
    def sections(self) -> frozenset[str]:
        return frozenset(getattr(self.factory, "sections", ()))

    @property
    def overlap(self) -> bool:
        return bool(getattr(self.factory, "overlap", False))

    @property
    def deadline(self) -> float | None:
        return getattr(self.factory, "deadline", None)


@attrs.define(eq=False)
class Running:
    """A live module and the configuration it runs on."""

    entry: ModuleConfig
    typed: Any
    kind: ModuleType
    participant: Participant
    generation: int
    state: str = "running"

    def info(self) -> ModuleInfo:
        """Return what a strategy may know of it."""
        can = self.participant.has("reconfigure")
        return ModuleInfo(self.kind.name, can, self.kind.sections, self.state)


@attrs.frozen(eq=False)
class Snapshot:
    """What readers see: one complete validated generation.

    Args:
        document: the configuration in force.
        generation: the engine's count of applied snapshots, from 1.
        source: the source it came from.
        version: the source's own mark of it, if it has any.
        at: when it was applied, in seconds since 1970.
    """

    document: Document
    generation: int = 0
    source: str = ""
    version: str | int | None = None
    at: float = 0.0
    running: Mapping[str, Running] = attrs.field(factory=dict, repr=False)

    @property
    def digest(self) -> str:
        """The document's digest."""
        return self.document.digest


Typed = dict[str, tuple[ModuleType, Any]]


class Engine:
    """Holds what runs; makes modules; asks the strategy. One change at a time."""

    def __init__(
        self,
        runtime: Runtime,
        hooks: Hooks,
        registry: PluginRegistry,
        modules: Mapping[str, Callable[..., Any]],
        deadline: float,
    ) -> None:
        self.runtime = runtime
        self.hooks = hooks
        self.deadline = deadline
        self.snapshot = Snapshot(Document())
        self.working: dict[str, Running] = {}
        self.views: list[Live[Any]] = []
        self.strategy: Participant | None = None
        self._registry = registry
        self.modules = modules
        self._plugins = Owner("plugins")

    # -- modules -----------------------------------------------------------------

    def module_type(self, name: str) -> ModuleType:
        """Return a module type by name.

        Raises:
            PluginError: if there is none, or its import fails.
        """
        factory = self.modules.get(name) or self._registry.load("module", name)
        return ModuleType(name, factory)

    def type_names(self) -> list[str]:
        """Return the names of all module types, sorted."""
        return sorted({*self.modules, *self._registry.names("module")})

    def make(self, entry: ModuleConfig, kind: ModuleType) -> Participant:
        """Make a module object, not started."""
        label = f"module `{entry.name}` ({kind.name})"
        target = create(kind.factory, label, entry.name)
        deadline = self.deadline if kind.deadline is None else kind.deadline
        return self.hooks.participant("module", target, label, deadline)

    @property
    def degraded(self) -> tuple[str, ...]:
        """Names of modules that an earlier failure left out of step."""
        running = self.snapshot.running
        return tuple(name for name, module in running.items() if module.state != "running")

    # -- what a document means ---------------------------------------------------

    def plugin_call(self, hook: str, call: Callable[[], Any]) -> Call:
        """Return the call of a hook of the registered plugins."""
        return Call(call, self._plugins, hook, self.deadline)

    def resolve(
        self, document: Document, names: Iterable[str], positions: Positions | None
    ) -> Generator[Call, Any, Typed]:
        """Find the types of modules and structure their configuration.

        Raises:
            InvalidConfigurationError: with every fault of all of them.
        """
        faults: list[Fault] = []
        typed: Typed = {}
        try:
            _ = document.build_order
        except InvalidConfigurationError as exc:
            faults += [fault.under((), positions) for fault in exc.faults]
        for name in names:
            entry = document.modules[name]
            path: Path = ("modules", name)
            try:
                kind = self.module_type(entry.type)
            except PluginError as exc:
                faults.append(self._untyped(entry, exc).under(path, positions))
                continue
            try:
                value = yield from self.structured(entry.config, kind.config)
                typed[name] = kind, value
            except InvalidConfigurationError as exc:
                path = (*path, "config")
                faults += [fault.under(path, positions) for fault in exc.faults]
        if faults:
            raise InvalidConfigurationError(faults)
        return typed

    def _untyped(self, entry: ModuleConfig, error: PluginError) -> Fault:
        known = self.type_names()
        if entry.type in known:
            return Fault(Code.E_MODULETYPE, str(error), ("type",), hint="reinstall it")
        return Fault(
            Code.E_MODULETYPE,
            f"no installed plugin has the module type `{entry.type}`",
            ("type",),
            expected=f"one of {', '.join(known)}",
            hint=f"{did_you_mean(entry.type, known)} else install the distribution "
            "that provides it",
        )

    def structured(self, config: Any, kind: Any) -> Generator[Call, Any, Any]:
        """Turn configuration into a typed value; `kind` `None` leaves it as it is."""
        if kind is None:
            return config
        ask = functools.partial(
            self.hooks.hook.structure, config=config, type=kind, runtime=self.runtime
        )
        try:
            value = yield self.plugin_call("structure", ask)
        except InvalidConfigurationError:
            raise
        except MidflightError as exc:
            fault = Fault(Code.E_VALUE, str(exc))
            raise InvalidConfigurationError(fault) from exc
        if value is None:
            msg = f"no plugin can structure {kind!r}"
            fault = Fault(Code.E_TYPE, msg, hint="use an attrs class or a dataclass")
            raise InvalidConfigurationError(fault)
        return value

    def view_values(
        self, document: Document, typed: Typed, positions: Positions | None
    ) -> Generator[Call, Any, list[tuple[Live[Any], Any]]]:
        """Structure what the live views shall show of a document."""
        values: list[tuple[Live[Any], Any]] = []
        faults: list[Fault] = []
        for view in self.views:
            old, path = self.viewed(self.snapshot.document, view.name)
            new, path = self.viewed(document, view.name)
            kind, value = typed.get(view.name, (None, None))
            try:
                if old is new:
                    continue
                if kind is None or kind.config is not view.type:
                    value = yield from self.structured(new, view.type)
                values.append((view, value))
            except InvalidConfigurationError as exc:
                faults += [fault.under(path, positions) for fault in exc.faults]
        if faults:
            raise InvalidConfigurationError(faults)
        return values

    @staticmethod
    def viewed(document: Document, name: str) -> tuple[Any, Path]:
        """Return what a live view of that name sees: a module's config, or a section."""
        entry = document.modules.get(name)
        if entry is not None:
            return entry.config, ("modules", name, "config")
        return document.sections.get(name), (name,)

    # -- what a document needs ---------------------------------------------------

    def change_to(
        self, document: Document, running: Mapping[str, ModuleInfo] | None = None
    ) -> Change:
        """Describe the way from the document in force to another."""
        diff = Diff.between(self.snapshot.document, document)
        if running is None:
            modules = self.snapshot.running
            running = {name: module.info() for name, module in modules.items()}
        sections = {view.name for view in self.views} - {*document.modules}
        return Change(diff, running, frozenset(sections))

    def plan(self, change: Change) -> Generator[Call, Any, Plan]:
        """Ask the strategy what a change needs, and settle its plan.

        Raises:
            PlanError: if the plan does not fit.
            HookError: if the strategy raises.
        """
        if not self.snapshot.generation:
            plan = Plan.full(change.diff, "first start")
        elif not change.diff:
            plan = Plan(reason="repair")
        else:
            assert self.strategy is not None
            plan = yield self.strategy.call(
                "on_change", change=change, runtime=self.runtime
            )
            if not isinstance(plan, Plan):
                msg = f"{self.strategy.label} returned {type(plan).__name__}, not a Plan"
                raise PluginError(msg)
        return plan if plan.verdict == "refuse" else settle(plan, change)
