"""Finds plugins one by one, lazily by name, and calls participants."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from midflight import errors, hookspecs
from midflight._bridge import GRACE, Bridge
from midflight._driver import Call, Owner
from midflight._entries import OURS, PluginEntry, barred, identity, installed, is_block
from midflight.errors import PluginApiError, PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from midflight._runtime import Runtime

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


class PluginRegistry:
    """Every installed plugin; imports only what is named.

    Args:
        points: entry points to use instead of those of the environment.
        allow: what of others may be imported, by name, `role:name` or distribution,
            spelt as an installer takes them; by default all, if empty nothing.
        block: what may not be imported, be it ours, in the same words.
    """

    def __init__(
        self,
        points: EntryPoints | None = None,
        allow: Iterable[str] | None = None,
        block: Iterable[str] = (),
    ) -> None:
        self._points, self._block = points, frozenset(block)
        self._allow = None if allow is None else frozenset(allow)

    def without(self, plugins: Iterable[str | object]) -> PluginRegistry:
        """Return itself, or one that blocks each `no:WORD` of `plugins` as well."""
        block = {str(each)[3:] for each in plugins if is_block(each)} | self._block
        return (
            self
            if block == self._block
            else PluginRegistry(self._points, self._allow, block)
        )

    def entries(self) -> tuple[PluginEntry, ...]:
        """Return all entries, by role and name; none is imported for that."""
        return tuple(
            sorted(
                (each for rivals in self._claims.values() for each in rivals),
                key=lambda e: (e.role, e.name, e.distribution),
            )
        )

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
            raise PluginError.unknown(
                "no " + role + " is called", name, self.names(role)
            )
        return self._claims[role, name][0].load()

    @functools.cached_property
    def _claims(self) -> dict[tuple[str, str], list[PluginEntry]]:
        """Who claims each name, the one that has it first.

        One that two others claim is nobody's, unless all but one are kept away.
        """
        found: dict[tuple[str, str], dict[str, PluginEntry]] = {}
        for entry in sorted(
            self._scan(), key=lambda e: (e.distribution != OURS, e.distribution)
        ):
            found.setdefault((entry.role, entry.name), {}).setdefault(
                entry.distribution, entry
            )
        for rivals in found.values():
            ours = rivals.get(OURS)
            others = [
                each
                for each in rivals.values()
                if each is not ours and each.state == "available"
            ]
            amiss = (
                ("reserved", f"the name is reserved by {OURS}")
                if ours
                else (
                    "conflict",
                    f"{' and '.join(e.distribution for e in others)} claim the name",
                )
            )
            for each in others if ours or len(others) > 1 else ():
                each.state, each.reason = amiss
        return {
            claim: sorted(rivals.values(), key=lambda e: e.state != "available")
            for claim, rivals in found.items()
        }

    def _scan(self) -> Iterator[PluginEntry]:
        from importlib.metadata import EntryPoints

        points = EntryPoints(installed()) if self._points is None else self._points
        known = functools.cache(identity)
        for role, group in GROUPS.items():
            for point in points.select(group=group):
                name, version, amiss = (
                    known(point.dist)
                    if point.dist
                    else ("(unknown)", "", ("available", ""))
                )
                yield PluginEntry(
                    role,
                    point.name,
                    name,
                    version,
                    point.value,
                    *(
                        barred(role, point.name, name, self._allow, self._block)
                        or amiss
                    ),
                    point,
                )


@attrs.frozen(eq=False)
class _Impl:
    """A hookimpl of an object or of its class: checked, and not bound."""

    name: str
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
    _methods: dict[str, _Impl] = attrs.field(kw_only=True, repr=False)

    def has(self, hook: str) -> bool:
        """Tell whether the object has that hook."""
        return hook in self._methods

    def invoke(self, hook: str, **arguments: Any) -> Any:
        """Call one hook on the calling thread, wrapped by the registered plugins."""
        arguments |= {"runtime": self._hooks.runtime, "participant": self.label}
        caller, impl = getattr(self._hooks.hook, hook), self._methods[hook]
        method, adapt = getattr(self.target, impl.name), self._hooks.bridge.adapt
        if impl.is_async:
            method = adapt(method, self.label, hook, self.deadline)
        if caller.get_hookimpls():
            return caller.call_extra([method], arguments)
        # Nobody wraps it: the same result without a new HookImpl for each call.
        return method(**{name: arguments[name] for name in impl.takes})

    def call(self, hook: str, limit: float | None = None, **arguments: Any) -> Call:
        """Return the call of one hook, for the driver to make."""
        limit = self.deadline if limit is None else limit
        grace = GRACE if self._methods[hook].is_async else 0
        return Call(lambda: self.invoke(hook, **arguments), self, hook, limit + grace)


class Hooks:
    """The plugin manager: registered plugins, and participants made to fit it."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        self.bridge, self.runtime = bridge, runtime
        self._manager = pluggy.PluginManager("midflight")
        self._manager.add_hookspecs(hookspecs)
        self.hook: Any = self._manager.hook
        # Of each class, the places of its hookimpls and slots; see `_implementations`.
        self._classes: dict[type, tuple[dict[str, _Impl | None], list[str]]] = {}
        self._fitted: dict[type, dict[str, _Impl]] = {}

    def register(self, plugin: object, name: str | None = None) -> None:
        """Register a cross-cutting plugin.

        Raises:
            PluginApiError: if it has an unknown hook, a wrong argument, a coroutine
                function, a wrapper without `yield`, or a hook of a participant that
                is not a wrapper.
        """
        name = name or getattr(
            plugin, "__name__", f"{type(plugin).__name__}-{id(plugin):x}"
        )
        label = f"plugin `{name}`"
        for impl, method in self._implementations(label, plugin):
            hook, msg = impl.hook, ""
            if hook in _WRAPPED and not impl.wraps:
                msg = f"{label} may only wrap `{hook}`: @hookimpl(wrapper=True)"
            elif hook in hookspecs.OBSERVER_HOOKS and impl.wraps:
                msg = f"{label} cannot wrap `{hook}`: each is called by itself"
            elif impl.is_async:
                msg = f"{label}: `{hook}` is async; only a participant's hook may be"
            elif impl.wraps and not inspect.isgeneratorfunction(method):
                msg = f"{label} cannot wrap `{hook}`: a wrapper has one `yield`"
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
        for impl, _ in self._implementations(label, target):
            if impl.hook not in allowed or impl.wraps:
                raise PluginApiError.unknown(
                    label + f": a {role} has no hook", impl.hook, allowed
                )
            methods[impl.hook] = impl
        if required not in methods:
            msg = f"{label}: a {role} needs the hook `{required}`, with @hookimpl"
            raise PluginApiError(msg)
        known = self._fitted.setdefault(type(target), methods)
        methods = known if known == methods else methods  # thousands share one
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
            if name in own:
                impl = self._implementation(label, target, name)
            else:
                impl = shared[name] = shared[name] or self._implementation(
                    label, target, name
                )
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
        return _Impl(
            name,
            hook,
            takes=self._check(label, hook, method),
            wraps=bool(opts["wrapper"]),
            is_async=inspect.iscoroutinefunction(method),
        )

    def _check(
        self, label: str, hook: str, method: Callable[..., Any]
    ) -> tuple[str, ...]:
        """Return the names of a method's arguments, all known to its hook's spec."""
        caller = getattr(self.hook, hook, None)
        if caller is None or caller.spec is None:
            raise PluginApiError.unknown(
                label + ": there is no hook", hook, vars(self.hook)
            )
        # As pluggy does: what has a default is never given.
        names = tuple(
            each.name
            for each in inspect.signature(method).parameters.values()
            if each.default is each.empty
        )
        for name in names:
            if name not in caller.spec.argnames:
                raise PluginApiError.unknown(
                    label + f": `{hook}` has no argument", name, caller.spec.argnames
                )
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
