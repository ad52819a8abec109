"""The routes that change something."""

from __future__ import annotations

from midflight_plugins.api._config import CONFIG
from midflight_plugins.api._plans import PLANS
from midflight_plugins.api._reload import RELOAD
from midflight_plugins.api._rollback import ROLLBACK
from midflight_plugins.api._routes import Route
from midflight_plugins.api._single import SINGLE

WRITES: tuple[Route, ...] = (*CONFIG, *SINGLE, *PLANS, *RELOAD, *ROLLBACK)
