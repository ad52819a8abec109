"""The route that goes back to a configuration of before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from midflight import Loaded
from midflight.errors import Code, ConflictError, MidflightError
from midflight_plugins.api import _changes as shapes
from midflight_plugins.api._asked import flag
from midflight_plugins.api._back import tree_back
from midflight_plugins.api._before import gone, of_digest, of_generation
from midflight_plugins.api._bodies import body_of, check_keys, text_in
from midflight_plugins.api._http import Answer, Problem, Request
from midflight_plugins.api._layer import change, done, writable
from midflight_plugins.api._loaded import overrides_layer, raw_document
from midflight_plugins.api._params import DRY, KEY
from midflight_plugins.api._plans import ended
from midflight_plugins.api._preview import Preview
from midflight_plugins.api._routes import Route
from midflight_plugins.api._wanted import tree_of

if TYPE_CHECKING:
    from midflight.hookspecs import Layer
    from midflight_plugins.api._api import Api

Tree = Mapping[str, Any]
_WORDS = ("generation", "digest", "layer", "version", "message")
_WAYS = '{"generation": 7}, {"digest": "…"} or {"layer": "…", "version": 7}'


def _rollback(api: Api, request: Request) -> Answer:
    body = body_of(request)
    check_keys(body, _WORDS)
    message = text_in(body, "message")
    given = tuple(sorted(body.keys() - {"message"}))
    if given == ("layer", "version"):
        return _stored(api, request, body, message or f"back to {body['version']}")
    if given == ("generation",):
        number = body["generation"]
        if not isinstance(number, int) or isinstance(number, bool):
            raise Problem(422, Code.E_TYPE, "`generation` is a number")
        wanted, why = of_generation(api, number), f"back to generation {number}"
    elif given == ("digest",):
        digest = text_in(body, "digest")
        wanted, why = of_digest(api, digest), f"back to digest {digest[:12]}"
    else:
        raise Problem(422, Code.E_REQUIRED, f"say where to go back to: {_WAYS}")

    def act(tree: Tree, _version: object) -> Tree:
        return tree_back(api.runtime, tree, wanted)

    if flag(request, "dry_run"):
        head = writable(api).participant.target.head()
        return Answer(Preview.of(api, act(head.tree, head.version)).data())
    with api.turn():
        writable(api)
        return done(api, change(api, request, act, message or why))


# -- a version that a layer stores -----------------------------------------------------


def _stored(api: Api, request: Request, body: Tree, message: str) -> Answer:
    """Make a stored version of a layer the newest one."""
    layer = _layer(api, text_in(body, "layer"))
    loaded = _read(layer, body["version"])
    if flag(request, "dry_run"):
        return Answer(Preview.with_layer(api, layer, loaded).data())
    runtime = api.runtime
    if layer is overrides_layer(runtime.snapshot):
        tree = tree_of(raw_document(loaded))
        with api.turn():
            result = change(api, request, lambda _tree, _version: tree, message)
        return done(api, result)
    with api.turn():
        head = layer.participant.invoke("load")
        head = head if isinstance(head, Loaded) else Loaded(head)
        who = {"author": request.caller.name, "message": message}
        version = _put(layer, loaded, head.version, who)
        try:
            return ended(runtime.reload(actor=request.caller.name))
        except (Problem, MidflightError):
            _put_back(layer, head, version, who)
            runtime.reload(actor=request.caller.name)
            raise


def _layer(api: Api, name: str) -> Layer:
    """Return a layer that keeps versions and can be written.

    Raises:
        Problem: 404 if there is none of that name, 409 if it cannot do that.
    """
    loaded = api.runtime.snapshot.loaded
    layers = {each.name: each for each in (loaded.layers if loaded else ())}
    if name not in layers or layers[name].participant is None:
        raise Problem(404, Code.E_UNKNOWN, f"there is no layer `{name[:80]}`")
    found = layers[name]
    if not all(map(found.participant.has, ("put", "read_version"))):
        detail = f"layer `{name}` keeps no versions, or cannot be written"
        raise Problem(409, Code.E_PLUGIN, detail)
    return found


def _read(layer: Layer, version: Any) -> Loaded:
    if not isinstance(version, int | str) or isinstance(version, bool):
        raise Problem(422, Code.E_TYPE, "`version` is a number or a text")
    try:
        found = layer.participant.invoke("read_version", version=version)
    except LookupError:
        problem = gone(f"version {str(version)[:80]} of layer `{layer.name}`")
        raise problem from None
    return found if isinstance(found, Loaded) else Loaded(found)


def _put(
    layer: Layer, loaded: Loaded, expected: str | int | None, who: Mapping[str, str]
) -> str | int:
    document = raw_document(loaded)
    made: str | int = layer.participant.invoke(
        "put", document=document, expected_version=expected, text=loaded.text, **who
    )
    return made


def _put_back(
    layer: Layer, head: Loaded, version: str | int, who: Mapping[str, str]
) -> None:
    """Store again what was there before; what others have put meanwhile stays."""
    message = f"taken back, since it was refused: {who['message']}"
    try:
        _put(layer, head, version, {**who, "message": message})
    except ConflictError:
        return


ROLLBACK: tuple[Route, ...] = (
    Route(
        "POST",
        "/api/v1/rollback",
        "rollback",
        _rollback,
        "rollback",
        "Go back to a configuration of before, as a new generation.",
        takes=shapes.Rollback,
        gives=shapes.Done,
        params=(KEY, DRY),
        statuses=(200, 202, 400, 404, 409, 410, 413, 415, 422, 503),
    ),
)
