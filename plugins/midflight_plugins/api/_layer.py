"""The layer that holds what operators change, as the routes write to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Document, Loaded
from midflight.errors import Code, InvalidConfigurationError, StoppedError, did_you_mean
from midflight_plugins.api._api import forbidden
from midflight_plugins.api._data import fault_data
from midflight_plugins.api._http import Answer, Caller, Problem, Request
from midflight_plugins.api._loaded import overrides_layer
from midflight_plugins.api._preview import document_with
from midflight_plugins.api._problems import problem_of, refused

if TYPE_CHECKING:
    from midflight.hookspecs import Layer
    from midflight_plugins.api._api import Api

Tree = Mapping[str, Any]
Change = Callable[[Tree, str | int | None], Tree]
_NONE = (
    "no layer of this process can be written: add one on top, such as "
    "`overrides:file:overrides.yaml`"
)
_GUARDED = "admin"  # the type of module that says who may do what


def writable(api: Api) -> Layer:
    """Return the topmost layer in which values can be set.

    Raises:
        StoppedError: if the runtime is not running.
        Problem: 409 if there is none.
    """
    if not (api.runtime.running and api.runtime.snapshot.generation):
        msg = "the process is not running a configuration (yet); try again"
        raise StoppedError(msg)
    layer = overrides_layer(api.runtime.snapshot)
    if layer is None:
        raise Problem(409, Code.E_PLUGIN, _NONE)
    return layer


def existing(api: Api, name: str) -> Any:
    """Return a module that runs.

    Raises:
        Problem: 404 if there is none.
    """
    running = api.runtime.snapshot.running
    if name not in running:
        hint = did_you_mean(name, list(running)[:1_000])
        detail = f"there is no module `{name[:63]}`" + (f"; {hint}" if hint else "")
        raise Problem(404, Code.E_UNKNOWN, detail)
    return running[name]


def allow(api: Api, caller: Caller, names: Iterable[str]) -> None:
    """Refuse who may not write to each of some modules.

    Args:
        api: whose runtime.
        caller: who asks.
        names: the modules, with `*` for what is more than modules.

    Raises:
        Problem: 403, naming the scope.
    """
    running = api.runtime.snapshot.running
    for name in sorted(names):
        if not caller.may("write", name):
            problem = forbidden("write", name)
            raise problem
        if name in running and running[name].kind.name == _GUARDED:
            _allow_admin(caller)


def allow_entries(api: Api, caller: Caller, tree: Tree) -> None:
    """Refuse who may not write whole entries of modules, such as their types.

    Args:
        api: whose runtime.
        caller: who asks; he may write to every module.
        tree: what the overrides layer would hold.

    Raises:
        Problem: 403, if a module that says who may do what would be another one.
        MidflightError: if it would be refused.
    """
    if caller.may("admin"):
        return
    runtime, held = api.runtime, Loaded(Document.from_mapping(tree))
    before = runtime.snapshot.document.modules
    after = document_with(runtime, writable(api), held).modules
    for modules in (before, after):
        for name, entry in modules.items():
            if entry.type == _GUARDED and before.get(name) != after.get(name):
                _allow_admin(caller)


def _allow_admin(caller: Caller) -> None:
    if not caller.may("admin"):
        problem = forbidden("admin")
        raise problem


def check_restart(api: Api, request: Request, names: Iterable[str]) -> None:
    """Refuse to restart a module, unless that is allowed.

    Raises:
        Problem: 501 if one cannot do without.
    """
    if request.query.get("restart") == "allow":
        return
    running = api.runtime.snapshot.running
    for name in names:
        if name in running and not running[name].participant.has("reconfigure"):
            detail = (
                f"module `{name}` cannot be reconfigured while it runs; "
                "`?restart=allow` lets it be restarted"
            )
            raise Problem(501, Code.E_RESTART, detail)


def message_of(request: Request) -> str:
    """Return why a change is made, for the history."""
    return request.query.get("message", "")[:500]


@attrs.frozen
class Result:
    """What became of a change of the layer.

    Args:
        status: `ok`, `held` or `stored`.
        written: what the layer says of it.
    """

    status: str
    written: Any

    @classmethod
    def of(cls, written: Any) -> Result:
        """Read it out of what the layer says."""
        return cls("ok" if written.state == "applied" else written.state, written)

    def answer(self, tag: str = "", **more: Any) -> Answer:
        """Return the answer: 200 if it is in force, 202 if it will be."""
        written = self.written
        content = {
            "status": self.status,
            **more,
            "generation": written.generation,
            **({"etag": tag} if tag else {}),
            "changed": written.changed,
            "version": written.version,
            "faults": [fault_data(each) for each in written.standing],
        }
        status = 200 if self.status == "ok" else 202
        return Answer(content, status, {"ETag": tag} if tag else {})


def change(
    api: Api, request: Request, act: Change, message: str, *, approves: str = ""
) -> Result:
    """Look, store and apply, as one; what is refused is not kept.

    Args:
        api: whose runtime.
        request: who asks.
        act: makes the tree of the layer that is wanted of the one that is stored; it
            may be asked more than once, and raises what ends the change.
        message: why, for the history.
        approves: the digest that was looked at: if it is held, it is carried out.

    Raises:
        Problem: what ends it.
    """
    layer = writable(api)
    try:
        written = layer.participant.target.rewrite(
            act, author=request.caller.name, message=message, approves=approves
        )
    except InvalidConfigurationError as exc:
        raise refusal(exc) from exc
    return Result.of(written)


def refusal(error: InvalidConfigurationError) -> Problem:
    """Return the answer to a change that was taken back."""
    ended = getattr(error, "ended", "")
    if not ended:
        return problem_of(error)
    status = 500 if ended == "failed" else 422
    notes = getattr(error, "__notes__", ())
    told = refused(error.faults, status=status, notes=notes, outcome=ended)
    if getattr(error, "is_standing", False):
        detail = f"the configuration is refused already because of: {told.detail}"
        return Problem(409, Code.E_CONFLICT, detail, faults=told.faults, more=told.more)
    return told


def done(api: Api, result: Result) -> Answer:
    """Return the answer to a change of more than one value."""
    written, content = result.written, {"status": result.status}
    faults = [fault_data(each) for each in written.standing]
    digest = api.runtime.snapshot.digest
    more = {"generation": written.generation, "digest": digest, "faults": faults}
    return Answer({**content, **more}, 200 if result.status == "ok" else 202)
