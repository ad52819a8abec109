"""The route that lets a runtime look at its sources now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midflight.errors import plain
from midflight_plugins.api import _changes as shapes
from midflight_plugins.api._bodies import body_of, check_keys, text_in
from midflight_plugins.api._data import outcome_data
from midflight_plugins.api._http import Answer, Request
from midflight_plugins.api._params import KEY
from midflight_plugins.api._routes import Route

if TYPE_CHECKING:
    from midflight_plugins.api._api import Api


def _reload(api: Api, request: Request) -> Answer:
    body = body_of(request, optional=True)
    check_keys(body, ("actor",))
    caller, told = request.caller, plain(text_in(body, "actor"))
    actor = (told if caller.names_others else "") or caller.name
    return Answer(outcome_data(api.runtime.reload(actor=actor)))


RELOAD: tuple[Route, ...] = (
    Route(
        "POST",
        "/api/v1/reload",
        "write",
        _reload,
        "reload",
        "Look at the sources now, also at content that was refused before.",
        takes=shapes.Reload,
        gives=shapes.Outcome,
        params=(KEY,),
        statuses=(200, 400, 413, 415, 422, 503),
        wordless=True,
    ),
)
