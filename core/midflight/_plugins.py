"""Checks plugins and participants against the hookspecs, and calls participants."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from midflight import errors, hookspecs
from midflight._driver import Call, Owner
from midflight.errors import PluginApiError, PluginError

if TYPE_CHECKING:
    from midflight._runtime import Runtime

ROLES = {
    "source": (hookspecs.SOURCE_HOOKS, "load"),
    "module": (hookspecs.MODULE_HOOKS, "start"),
    "strategy": (hookspecs.STRATEGY_HOOKS, "on_change"),
}
_GRACE = 1.0  # s, so that a coroutine's own deadline comes before the monitor's
_WRAPPED = hookspecs.SOURCE_HOOKS | hookspecs.MODULE_HOOKS | {"transform"}


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
        impl = self._methods[hook]
        method = getattr(self.target, impl.name)
        if impl.is_async:
            method = self._adapted(method, hook)
        if hook in self._hooks.wrapped:
            return getattr(self._hooks.hook, hook).call_extra([method], arguments)
        # Nobody wraps it: the same result without a new HookImpl for each call.
        return method(**{name: arguments[name] for name in impl.takes})

    def _adapted(self, method: Callable[..., Any], hook: str) -> Callable[..., Any]:
        """Let a plugin make a plain function of a coroutine function."""
        adapted: Callable[..., Any] | None = self._hooks.hook.adapt(
            method=method,
            hook=hook,
            deadline=self.deadline,
            participant=self.label,
            runtime=self._hooks.runtime,
        )
        if adapted is None:
            msg = (
                f"{self.label}: `{hook}` is async, and no plugin has the hook `adapt`"
                " that would run it; allow one, or make it a plain function"
            )
            raise PluginApiError(msg)
        return adapted

    def call(self, hook: str, limit: float | None = None, **arguments: Any) -> Call:
        """Return the call of one hook, for the driver to make."""
        limit = self.deadline if limit is None else limit
        if self._methods[hook].is_async:
            limit += _GRACE
        invoked = functools.partial(self.invoke, hook, **arguments)
        return Call(invoked, self, hook, limit)


class Hooks:
    """The plugin manager: registered plugins, and participants made to fit it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._manager = pluggy.PluginManager("midflight")
        self._manager.add_hookspecs(hookspecs)
        self.hook: Any = self._manager.hook
        self._places: Callable[[type], Any] = functools.cache(
            functools.partial(_places, self._manager)
        )
        self._fitted: dict[type, dict[str, _Impl]] = {}
        self.wrapped: set[str] = set()  # the hooks that a registered plugin has

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
        self.wrapped |= {c.name for c in self._manager.get_hookcallers(plugin) or ()}

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
        shared, slots = self._places(
            target if inspect.isclass(target) else type(target)
        )
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


def _places(
    manager: pluggy.PluginManager, kind: type
) -> tuple[dict[str, _Impl | None], list[str]]:
    """Return the names of a class's hookimpls, not looked at yet, and its slots."""
    static, names = inspect.getattr_static, dir(kind)
    slots = [n for n in names if inspect.ismemberdescriptor(static(kind, n, None))]
    parse = manager.parse_hookimpl_opts
    return {name: None for name in names if parse(kind, name)}, slots


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
