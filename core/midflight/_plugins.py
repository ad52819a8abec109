"""Finds plugins one by one, lazily by name, and calls participants."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from midflight import hookspecs
from midflight._bridge import Bridge
from midflight._driver import Call, Owner
from midflight.errors import (
    DuplicatePluginError,
    MissingDependencyError,
    PluginApiError,
    PluginError,
    did_you_mean,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

_log = logging.getLogger("midflight")

ROLES = {
    "source": ("midflight.sources", hookspecs.SOURCE_HOOKS, "load"),
    "module": ("midflight.modules", hookspecs.MODULE_HOOKS, "start"),
    "strategy": ("midflight.strategies", hookspecs.STRATEGY_HOOKS, "on_change"),
}
_GROUPS = {group: role for role, (group, _, _) in ROLES.items()} | {
    "midflight.plugins": "plugin"
}
_TARGETED = hookspecs.SOURCE_HOOKS | hookspecs.MODULE_HOOKS
_ASYNC_GRACE = 1.0  # s, so that a coroutine's own deadline comes before the monitor's


@attrs.define(eq=False)
class PluginEntry:
    """One entry point, and what became of it.

    Args:
        role: `source`, `module`, `strategy` or `plugin`.
        name: the entry point's name, which is the type name.
        distribution: the distribution that declares it.
        version: that distribution's version.
        target: `package.module:attribute`.
        state: `available`, `loaded`, `failed`, `conflict` or `reserved`.
        reason: why it cannot be used.
    """

    role: str
    name: str
    distribution: str
    version: str
    target: str
    state: str = "available"
    reason: str = ""
    _point: EntryPoint | None = attrs.field(default=None, repr=False)
    _loaded: Any = attrs.field(default=None, repr=False)

    def load(self) -> Any:
        """Import the target once; remember a failure, and raise it each time.

        Raises:
            PluginError: if it cannot be imported or its name is in dispute.
        """
        if self.state == "available" and self._point is not None:
            try:
                self._loaded = self._point.load()
                self.state = "loaded"
            except Exception as exc:  # noqa: BLE001  # a broken plugin stops no other
                self.state, self.reason = "failed", f"{type(exc).__name__}: {exc}"
                _log.warning("%s", self._message())
                raise PluginError(self._message()) from exc
        if self.state == "conflict":
            raise DuplicatePluginError(self._message())
        if self.state != "loaded":
            raise PluginError(self._message())
        return self._loaded

    def _message(self) -> str:
        return (
            f"{self.role} `{self.name}` of {self.distribution} {self.version} "
            f"cannot be used: {self.reason}"
        )


class PluginRegistry:
    """Every installed plugin; imports only what is named.

    Args:
        points: entry points to use instead of those of the environment.
    """

    def __init__(self, points: EntryPoints | None = None) -> None:
        self._points = points
        self._index: dict[tuple[str, str], PluginEntry] | None = None
        self._refused: list[PluginEntry] = []

    def entries(self) -> tuple[PluginEntry, ...]:
        """Return all entries, by role and name; none is imported for that."""
        entries = [*self._entries().values(), *self._refused]
        return tuple(sorted(entries, key=lambda e: (e.role, e.name, e.distribution)))

    def names(self, role: str) -> list[str]:
        """Return the names that a role has, sorted."""
        return sorted(name for kind, name in self._entries() if kind == role)

    def find(self, role: str, name: str) -> PluginEntry | None:
        """Return the entry of a role and name, without importing it."""
        return self._entries().get((role, name))

    def load(self, role: str, name: str) -> Any:
        """Import and return the target of a role and name.

        Raises:
            PluginError: if there is none, or it cannot be imported.
            DuplicatePluginError: if two distributions claim the name.
        """
        entry = self.find(role, name)
        if entry is None:
            msg = f"no {role} is called `{name}`; {did_you_mean(name, self.names(role))}"
            raise PluginError(msg)
        return entry.load()

    def own(self) -> Iterator[str]:
        """Yield the names of our own distribution's cross-cutting plugins."""
        for (role, name), entry in self._entries().items():
            if role == "plugin" and entry.distribution == "midflight":
                yield name

    def _entries(self) -> dict[tuple[str, str], PluginEntry]:
        if self._index is None:
            self._index = {}
            for entry in sorted(
                self._scan(), key=lambda e: (e.distribution != "midflight", e.name)
            ):
                self._add(self._index, entry)
        return self._index

    def _scan(self) -> Iterator[PluginEntry]:
        from importlib.metadata import entry_points  # noqa: PLC0415  # slow to import

        points = entry_points() if self._points is None else self._points
        for group, role in _GROUPS.items():
            for point in points.select(group=group):
                name = point.dist.name if point.dist else "(unknown)"
                version = point.dist.version if point.dist else ""
                yield PluginEntry(
                    role, point.name, name, version, point.value, point=point
                )

    def _add(
        self, index: dict[tuple[str, str], PluginEntry], entry: PluginEntry
    ) -> None:
        """Take an entry in; a name that two distributions claim is nobody's."""
        other = index.setdefault((entry.role, entry.name), entry)
        if other is entry or other.distribution == entry.distribution:
            return
        self._refused.append(entry)
        if other.distribution == "midflight":
            entry.state, entry.reason = "reserved", "the name is reserved by midflight"
            return
        reason = f"both {other.distribution} and {entry.distribution} claim the name"
        for each in (other, entry):
            each.state, each.reason = "conflict", reason


@attrs.define(eq=False)
class Participant(Owner):
    """A live object whose methods are hookimpls, checked against the specs.

    Args:
        label: how errors name it.
        target: the object.
        hooks: the hooks it has.
        deadline: seconds that any of them may take.
    """

    target: Any = attrs.field(kw_only=True)
    deadline: float = attrs.field(kw_only=True)
    _hook: Any = attrs.field(kw_only=True, repr=False)
    _methods: Mapping[str, Callable[..., Any]] = attrs.field(kw_only=True, repr=False)
    _grace: frozenset[str] = attrs.field(kw_only=True, repr=False)

    def has(self, hook: str) -> bool:
        """Tell whether the object has that hook."""
        return hook in self._methods

    def invoke(self, hook: str, **kwargs: Any) -> Any:
        """Call one hook on the calling thread, wrapped by the registered plugins."""
        caller = getattr(self._hook, hook)
        return caller.call_extra([self._methods[hook]], kwargs)

    def call(self, hook: str, limit: float | None = None, **kwargs: Any) -> Call:
        """Return the call of one hook, for the driver to make."""
        seconds = self.deadline if limit is None else limit
        if hook in self._grace:
            seconds += _ASYNC_GRACE
        return Call(lambda: self.invoke(hook, **kwargs), self, hook, seconds)


class Hooks:
    """The plugin manager: registered plugins, and participants made to fit it."""

    def __init__(self, bridge: Bridge) -> None:
        self._manager = pluggy.PluginManager("midflight")
        self._manager.add_hookspecs(hookspecs)
        self._bridge = bridge
        self.hook: Any = self._manager.hook

    def register(self, plugin: object, name: str | None = None) -> None:
        """Register a cross-cutting plugin.

        Raises:
            PluginApiError: if it has an unknown hook, a wrong argument, or a hook of a
                participant that is not a wrapper.
        """
        label = f"plugin `{name or getattr(plugin, '__name__', type(plugin).__name__)}`"
        for hook, opts, method in self._implementations(plugin):
            self._check(label, hook, method)
            if hook in _TARGETED and not opts["wrapper"]:
                msg = f"{label}: `{hook}` belongs to a participant; a plugin may only wrap it: @hookimpl(wrapper=True)"
                raise PluginApiError(msg)
        self._manager.register(plugin, name)

    def participant(
        self, role: str, target: object, label: str, deadline: float
    ) -> Participant:
        """Check an object against the specs of its role and make it callable.

        Raises:
            PluginApiError: naming the hook that is unknown, misplaced or missing.
        """
        _, allowed, required = ROLES[role]
        methods: dict[str, Callable[..., Any]] = {}
        grace = set()
        for hook, opts, method in self._implementations(target):
            self._check(label, hook, method)
            if hook not in allowed or opts["wrapper"]:
                msg = f"{label}: a {role} has no hook `{hook}`; {did_you_mean(hook, allowed)}"
                raise PluginApiError(msg)
            if inspect.iscoroutinefunction(method):
                method = self._bridge.adapt(method, label, hook, deadline)  # noqa: PLW2901  # the adapted one takes its place
                grace.add(hook)
            methods[hook] = method
        if required not in methods:
            msg = f"{label}: a {role} needs the hook `{required}`; mark the method with @hookimpl"
            raise PluginApiError(msg)
        return Participant(
            label,
            target=target,
            deadline=deadline,
            hook=self.hook,
            methods=methods,
            grace=frozenset(grace),
        )

    def _implementations(
        self, target: object
    ) -> Iterator[tuple[str, Any, Callable[..., Any]]]:
        for name in dir(target):
            opts = self._manager.parse_hookimpl_opts(target, name)
            if opts is not None:
                yield opts.get("specname") or name, opts, getattr(target, name)

    def _check(self, label: str, hook: str, method: Callable[..., Any]) -> None:
        caller = getattr(self.hook, hook, None)
        if caller is None or caller.spec is None:
            known = [name for name in vars(self.hook) if not name.startswith("_")]
            msg = f"{label}: there is no hook `{hook}`; {did_you_mean(hook, known)}"
            raise PluginApiError(msg)
        for name in inspect.signature(method).parameters:
            if name not in caller.spec.argnames:
                hint = did_you_mean(name, caller.spec.argnames)
                msg = f"{label}: `{hook}` has no argument `{name}`; {hint}"
                raise PluginApiError(msg)


def create(factory: Callable[..., Any], label: str, *args: Any, **kwargs: Any) -> Any:
    """Call a plugin's factory.

    Raises:
        PluginError: if it raises anything but a dependency that is not installed.
    """
    try:
        return factory(*args, **kwargs)
    except MissingDependencyError:
        raise
    except Exception as exc:
        msg = f"{label} cannot be made: {type(exc).__name__}: {exc}"
        raise PluginError(msg) from exc
