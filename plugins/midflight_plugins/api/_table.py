"""All routes, of which each has a scope."""

from __future__ import annotations

from midflight_plugins.api._reads import READS
from midflight_plugins.api._writes import WRITES

ROUTES = (*READS, *WRITES)
