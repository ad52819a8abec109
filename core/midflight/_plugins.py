"""Finds plugins one by one, lazily by name, and calls participants."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from midflight import errors, hookspecs
from midflight._bridge import GRACE, Bridge
from midflight._driver import Call, Owner
from midflight.errors import PluginApiError, PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

    from midflight._runtime import Runtime

OURS = "midflight"
GROUPS = {
    "source": "midflight.sources",
    "module": "midflight.modules",
    "strategy": "midflight.strategies",
    "plugin": "midflight.plugins",
    "command": "midflight.commands",
    "secret": "midflight.secrets",
}
ROLES = {
    "source": (hookspecs.SOURCE_HOOKS, "load"),
    "module": (hookspecs.MODULE_HOOKS, "start"),
    "strategy": (hookspecs.STRATEGY_HOOKS, "on_change"),
}
_WRAPPED = hookspecs.SOURCE_HOOKS | hookspecs.MODULE_HOOKS | {"transform"}


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
    _loaded: Any = attrs.field(default=None, repr=False)  # or why it cannot be

    def load(self) -> Any:
        """Import the target once; remember a failure, and raise it each time.

        Raises:
            PluginError: if it cannot be imported or its name is in dispute.
        """
        if self.state == "available" and self._point is not None:
            try:
                self._loaded, self.state = self._point.load(), "loaded"
            except (Exception, SystemExit) as exc:  # noqa: BLE001  # it stops no other
                self.state, self.reason = "failed", f"{type(exc).__name__}: {exc}"
                self._loaded = exc
        if self.state == "loaded":
            return self._loaded
        owner = f"{self.role} `{self.name}` of {self.distribution} {self.version}"
        msg = f"{owner} cannot be used: {self.reason}"
        kind = errors.DuplicatePluginError if self.state == "conflict" else PluginError
        raise kind(msg) from self._loaded


class PluginRegistry:
    """Every installed plugin; imports only what is named.

    Args:
        points: entry points to use instead of those of the environment.
    """

    def __init__(self, points: EntryPoints | None = None) -> None:
        self._points = points

    def entries(self) -> tuple[PluginEntry, ...]:
        """Return all entries, by role and name; none is imported for that."""
        entries = [each for rivals in self._claims.values() for each in rivals]
        return tuple(sorted(entries, key=lambda e: (e.role, e.name, e.distribution)))

    def names(self, role: str) -> list[str]:
        """Return the names that a role has, sorted."""
        return sorted(name for kind, name in self._claims if kind == role)

    def load(self, role: str, name: str) -> Any:
        """Import and return the target of a role and name.

        Raises:
            PluginError: if there is none, or it cannot be imported.
            DuplicatePluginError: if two distributions claim the name.
        """
        if (role, name) not in self._claims:
            what = f"no {role} is called"
            raise PluginError.unknown(what, name, self.names(role))
        return self._claims[role, name][0].load()

    @functools.cached_property
    def _claims(self) -> dict[tuple[str, str], list[PluginEntry]]:
        """Who claims each name, ours first; one that two others claim is nobody's."""
        found: dict[tuple[str, str], dict[str, PluginEntry]] = {}
        for entry in sorted(self._scan(), key=lambda e: e.distribution != OURS):
            rivals = found.setdefault((entry.role, entry.name), {})
            rivals.setdefault(entry.distribution, entry)
        for rivals in found.values():
            first, *others = rivals.values()
            state, reason = "conflict", f"{' and '.join(rivals)} claim the name"
            if first.distribution == OURS:
                state, reason = "reserved", f"the name is reserved by {OURS}"
            elif others:
                others.append(first)
            for each in others:
                each.state, each.reason = state, reason
        return {claim: list(rivals.values()) for claim, rivals in found.items()}

    def _scan(self) -> Iterator[PluginEntry]:
        from importlib.metadata import entry_points

        points = entry_points() if self._points is None else self._points
        for role, group in GROUPS.items():
            for point in points.select(group=group):
                name = point.dist.name if point.dist else "(unknown)"
                version = point.dist.version if point.dist else ""
                yield PluginEntry(
                    role, point.name, name, version, point.value, point=point
                )


@attrs.frozen(eq=False)
class _Impl:
    """A hookimpl of an object or of its class: checked, and not bound."""

    hook: str
    takes: tuple[str, ...]
    wraps: bool
    is_async: bool


@attrs.define(eq=False)
class Participant(Owner):
    """A live object whose methods are hookimpls, checked against the specs.

    Args:
        label: how errors name it.
        target: the object.
        deadline: seconds that any of its hooks may take.
    """

    target: Any = attrs.field(kw_only=True)
    deadline: float = attrs.field(kw_only=True)
    _hooks: Hooks = attrs.field(kw_only=True, repr=False)
    _methods: dict[str, tuple[_Impl, Callable[..., Any]]] = attrs.field(
        kw_only=True, repr=False
    )

    def has(self, hook: str) -> bool:
        """Tell whether the object has that hook."""
        return hook in self._methods

    def invoke(self, hook: str, **arguments: Any) -> Any:
        """Call one hook on the calling thread, wrapped by the registered plugins."""
        arguments |= {"runtime": self._hooks.runtime, "participant": self.label}
        caller, (impl, method) = getattr(self._hooks.hook, hook), self._methods[hook]
        if caller.get_hookimpls():
            return caller.call_extra([method], arguments)
        # Nobody wraps it: the same result without a new HookImpl for each call.
        return method(**{name: arguments[name] for name in impl.takes})

    def call(self, hook: str, limit: float | None = None, **arguments: Any) -> Call:
        """Return the call of one hook, for the driver to make."""
        seconds = self.deadline if limit is None else limit
        if self._methods[hook][0].is_async:
            seconds += GRACE
        return Call(lambda: self.invoke(hook, **arguments), self, hook, seconds)


class Hooks:
    """The plugin manager: registered plugins, and participants made to fit it."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        self.bridge, self.runtime = bridge, runtime
        self._manager = pluggy.PluginManager("midflight")
        self._manager.add_hookspecs(hookspecs)
        self.hook: Any = self._manager.hook
        # Of each class, the places of its hookimpls and slots; see `_implementations`.
        self._classes: dict[type, tuple[dict[str, _Impl | None], list[str]]] = {}

    def register(self, plugin: object, name: str | None = None) -> None:
        """Register a cross-cutting plugin.

        Raises:
            PluginApiError: if it has an unknown hook, a wrong argument, a coroutine
                function, or a hook of a participant that is not a wrapper.
        """
        anonymous = f"{type(plugin).__name__}-{id(plugin):x}"
        name = name or getattr(plugin, "__name__", anonymous)
        label = f"plugin `{name}`"
        for impl, _ in self._implementations(label, plugin):
            hook, msg = impl.hook, ""
            if hook in _WRAPPED and not impl.wraps:
                msg = f"{label} may only wrap `{hook}`: @hookimpl(wrapper=True)"
            elif hook in hookspecs.OBSERVER_HOOKS and impl.wraps:
                msg = f"{label} cannot wrap `{hook}`: each is called by itself"
            elif impl.is_async:
                msg = f"{label}: `{hook}` is async; only a participant's hook may be"
            if msg:
                raise PluginApiError(msg)
        try:
            self._manager.register(plugin, name)
        except ValueError as exc:  # pluggy compares plugins with ==
            msg = f"{label} is registered already, or equals one that is"
            raise PluginError(msg) from exc

    def participant(
        self, role: str, target: object, label: str, deadline: float
    ) -> Participant:
        """Check an object against the specs of its role and make it callable.

        Raises:
            PluginApiError: naming the hook that is unknown, misplaced or missing.
        """
        allowed, required = ROLES[role]
        methods = {}
        for impl, method in self._implementations(label, target):
            hook = impl.hook
            if hook not in allowed or impl.wraps:
                what = f"{label}: a {role} has no hook"
                raise PluginApiError.unknown(what, hook, allowed)
            methods[hook] = impl, method
            if impl.is_async:
                adapted = self.bridge.adapt(method, label, hook, deadline)
                methods[hook] = impl, adapted
        if required not in methods:
            msg = f"{label}: a {role} needs the hook `{required}`, with @hookimpl"
            raise PluginApiError(msg)
        return Participant(
            label, target=target, deadline=deadline, hooks=self, methods=methods
        )

    def _implementations(
        self, label: str, target: object
    ) -> Iterator[tuple[_Impl, Callable[..., Any]]]:
        """Yield each hookimpl of an object, and its bound method.

        What stands on a class is looked at once: a start of thousands of modules spent
        most of its time in looking through `dir` of each, and in signatures.
        """
        kind = target if inspect.isclass(target) else type(target)
        if kind not in self._classes:
            self._classes[kind] = self._places(kind)
        shared, slots = self._classes[kind]
        own = {*slots, *getattr(target, "__dict__", ())}
        for name in sorted({*shared, *own}):
            impl = None if name in own else shared[name]
            impl = impl or self._implementation(label, target, name)
            if name not in own:
                shared[name] = impl
            if impl is not None:
                yield impl, getattr(target, name)

    def _places(self, kind: type) -> tuple[dict[str, _Impl | None], list[str]]:
        """Return the names of a class's hookimpls, not looked at yet, and its slots."""
        parse, static = self._manager.parse_hookimpl_opts, inspect.getattr_static
        names = dir(kind)
        slots = [n for n in names if inspect.ismemberdescriptor(static(kind, n, None))]
        return {name: None for name in names if parse(kind, name)}, slots

    def _implementation(self, label: str, target: object, name: str) -> _Impl | None:
        """Return the hookimpl that an object has under a name, checked."""
        opts = self._manager.parse_hookimpl_opts(target, name)
        if opts is None:
            return None
        hook, method = opts.get("specname") or name, getattr(target, name)
        takes = self._check(label, hook, method)
        is_async = inspect.iscoroutinefunction(method)
        return _Impl(hook, takes, bool(opts["wrapper"]), is_async)

    def _check(
        self, label: str, hook: str, method: Callable[..., Any]
    ) -> tuple[str, ...]:
        """Return the names of a method's arguments, all known to its hook's spec."""
        caller = getattr(self.hook, hook, None)
        if caller is None or caller.spec is None:
            what = f"{label}: there is no hook"
            raise PluginApiError.unknown(what, hook, vars(self.hook))
        # As pluggy does: what has a default is never given.
        names = tuple(
            each.name
            for each in inspect.signature(method).parameters.values()
            if each.default is each.empty
        )
        for name in names:
            if name not in caller.spec.argnames:
                what = f"{label}: `{hook}` has no argument"
                raise PluginApiError.unknown(what, name, caller.spec.argnames)
        return names


def create(factory: Callable[..., Any], label: str, *args: Any, **kwargs: Any) -> Any:
    """Call a plugin's factory.

    Raises:
        PluginError: if it raises anything but an error of ours.
    """
    try:
        return factory(*args, **kwargs)
    except errors.MidflightError:
        raise
    except (Exception, SystemExit) as exc:
        msg = f"{label} cannot be made: {type(exc).__name__}: {exc}"
        raise PluginError(msg) from exc
