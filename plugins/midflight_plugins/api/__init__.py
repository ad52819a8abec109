"""What can be asked of a running process, and done to it, whoever carries the request.

No plugin and no server: `control` answers these routes on a socket for its owner,
`admin` over HTTP for whoever has a token. One object for each runtime, so that both
see the same plans, events and writes.
"""

from __future__ import annotations

from midflight_plugins.api._api import Api
from midflight_plugins.api._client import AnswerError, Client, fault_of
from midflight_plugins.api._data import (
    diff_data,
    fault_data,
    outcome_data,
    plain_data,
    plan_data,
)
from midflight_plugins.api._events import Event, Events
from midflight_plugins.api._explain import explained
from midflight_plugins.api._http import Answer, Caller, Problem, Request
from midflight_plugins.api._options import client_options, given_client
from midflight_plugins.api._paths import AbsentError, keys_of
from midflight_plugins.api._routes import Param, Route
from midflight_plugins.api._table import ROUTES
from midflight_plugins.api._turn import Turn

__all__ = [
    "ROUTES",
    "AbsentError",
    "Answer",
    "AnswerError",
    "Api",
    "Caller",
    "Client",
    "Event",
    "Events",
    "Param",
    "Problem",
    "Request",
    "Route",
    "Turn",
    "client_options",
    "diff_data",
    "explained",
    "fault_data",
    "fault_of",
    "given_client",
    "keys_of",
    "outcome_data",
    "plain_data",
    "plan_data",
]
