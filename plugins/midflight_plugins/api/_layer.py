"""The layer that holds what operators change, as the routes write to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight.errors import Code, InvalidConfigurationError, StoppedError, did_you_mean
from midflight_plugins.api._http import Answer, Problem, Request
from midflight_plugins.api._problems import problem_of, public_fault, refused
from midflight_plugins.api._stores import overrides_layer

if TYPE_CHECKING:
    from midflight.hookspecs import Layer
    from midflight_plugins.api._api import Api

Tree = Mapping[str, Any]
Change = Callable[[Tree, str | int | None], Tree]
_NONE = (
    "no layer of this process can be written: add one on top, such as "
    "`overrides:file:overrides.yaml`"
)


def writable(api: Api) -> Layer:
    """Return the topmost layer in which values can be set.

    Raises:
        StoppedError: if the runtime is not running.
        Problem: 409 if there is none.
    """
    if not api.runtime.running:
        msg = "the process is not running a configuration"
        raise StoppedError(msg)
    layer = overrides_layer(api.runtime.snapshot)
    if layer is None or not hasattr(layer.participant.target, "rewrite"):
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
            "faults": [public_fault(each) for each in written.standing],
        }
        status = 200 if self.status == "ok" else 202
        return Answer(content, status, {"ETag": tag} if tag else {})


def change(
    api: Api, request: Request, act: Change, message: str, *, approves: bool = False
) -> Result:
    """Look, store and apply, as one; what is refused is not kept.

    Args:
        api: whose runtime.
        request: who asks.
        act: makes the tree of the layer that is wanted of the one that is stored; it
            may be asked more than once, and raises what ends the change.
        message: why, for the history.
        approves: whether a plan that is held is carried out.

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
    return refused(error.faults, status=status, notes=notes, outcome=ended)


def done(api: Api, result: Result) -> Answer:
    """Return the answer to a change of more than one value."""
    written, content = result.written, {"status": result.status}
    faults = [public_fault(each) for each in written.standing]
    digest = api.runtime.snapshot.digest
    more = {"generation": written.generation, "digest": digest, "faults": faults}
    return Answer({**content, **more}, 200 if result.status == "ok" else 202)
