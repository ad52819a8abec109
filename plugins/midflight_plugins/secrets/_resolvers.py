"""Resolvers by scheme: our own, those given from Python, and installed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from midflight import Runtime
from midflight.errors import MidflightError, PluginError, is_transient, plain
from midflight_plugins.secrets._files import FileResolver


class UnresolvedError(Exception):
    """A reference cannot be resolved; says why, and never shows a value.

    Args:
        why: for the fault.
        hint: what to do.
        transient: whether another try may succeed without any change.
    """

    def __init__(self, why: str, hint: str = "", *, transient: bool = False) -> None:
        self.hint, self.transient = hint, transient
        super().__init__(why)


@attrs.frozen(eq=False)
class Resolver:
    """One scheme's resolver, in the one form in which it is used.

    Args:
        resolve: returns the secret.
        token: returns a cheap text that differs when `resolve` would differ, or `None`
            if there is no way to tell but to resolve again.
        paths: returns the files behind a reference, to be watched.
    """

    resolve: Callable[[str], Any]
    token: Callable[[str], str] | None = None
    paths: Callable[[str], Iterable[str]] | None = None


class Resolvers:
    """The resolvers of one runtime, each made when a document first names it."""

    def __init__(self) -> None:
        self._given: dict[str, Any] = {"file": FileResolver}
        self._made: dict[str, Resolver] = {}

    def add(self, scheme: str, target: Any) -> None:
        """Take a resolver in, in the place of any other of that scheme."""
        self._given[scheme] = target
        self._made.pop(scheme, None)

    def get(self, scheme: str, runtime: Runtime) -> Resolver:
        """Return the resolver of a scheme.

        Raises:
            UnresolvedError: if there is none, or it cannot be made.
        """
        found = self._made.get(scheme)
        if found is None:
            found = self._made[scheme] = _resolver(self._find(scheme, runtime), runtime)
        return found

    def _find(self, scheme: str, runtime: Runtime) -> Any:
        if scheme in self._given:
            return self._given[scheme]
        names = {*self._given, *runtime.registry.names("secret")}
        if scheme not in names:
            known = ", ".join(f"`{name}`" for name in sorted(names))
            msg = f"no installed plugin resolves `{scheme}:`, known: {known}"
            hint = (
                f"install the plugin that has `{scheme}` in `midflight.secrets`, or "
                "write `$${` for a literal `${`"
            )
            raise UnresolvedError(msg, hint)
        try:
            return runtime.registry.load("secret", scheme)
        except PluginError as exc:
            raise UnresolvedError(str(exc), "see `midflight plugins`") from exc


def _resolver(target: Any, runtime: Runtime) -> Resolver:
    if isinstance(target, type):
        try:
            target = target()
        except (Exception, SystemExit) as exc:  # noqa: BLE001  # it may raise anything
            msg = f"its resolver cannot be made: {reason(exc)}"
            raise UnresolvedError(msg) from None
    resolve = getattr(target, "resolve", None)
    if resolve is None:
        return Resolver(lambda rest: target(rest, runtime))
    more = (getattr(target, name, None) for name in ("token", "paths"))
    return Resolver(resolve, *more)


def resolved(resolver: Resolver, rest: str) -> str:
    """Resolve one reference.

    Raises:
        UnresolvedError: if that fails, or gives something else than a text.
    """
    try:
        value = resolver.resolve(rest)
    except (Exception, SystemExit) as exc:  # noqa: BLE001  # it may raise anything
        raise UnresolvedError(reason(exc), transient=is_transient(exc)) from None
    if not isinstance(value, str):
        msg = f"its resolver returned {type(value).__name__}, not a string"
        raise UnresolvedError(msg)
    return str(value)


def reason(error: BaseException) -> str:
    """Say why a resolver failed; a stranger's text could hold what nobody shall see.

    An error of ours is written to be shown, and so is what the system calls an error.
    """
    kind = type(error).__name__
    if isinstance(error, MidflightError):
        return plain(str(error)) or kind
    if isinstance(error, OSError) and error.strerror and error.errno:
        return f"{kind}: {error.strerror}"
    return f"its resolver raised {kind}"
