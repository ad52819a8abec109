"""Contract suites, fakes and faults for those who write plugins, and for our own tests.

Needs pytest, which `midflight` itself does not: import this from tests alone.
"""

import importlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from midflight.testing._later import (
        FakeModule,
        FakeSource,
        FakeSystem,
        Faulty,
        ModuleContract,
        Server,
        SourceContract,
        StrategyContract,
        TcpProxy,
        WritableSourceContract,
        faulty,
        free_port,
        lacking,
        wait_until,
    )

_SUITES = (
    *("source_content", "source_outages", "source_reading", "source_running"),
    *("source_watching", "source_writing", "modules", "strategies", "calls"),
)
pytest.register_assert_rewrite(*(f"midflight.testing._{each}" for each in _SUITES))

__all__ = [
    "FakeModule",
    "FakeSource",
    "FakeSystem",
    "Faulty",
    "ModuleContract",
    "Server",
    "SourceContract",
    "StrategyContract",
    "TcpProxy",
    "WritableSourceContract",
    "faulty",
    "free_port",
    "lacking",
    "wait_until",
]


def __getattr__(name: str) -> object:
    """Import the rest when it is asked for: pytest loads `_plugin` at each start."""
    if name not in __all__:
        msg = f"module `midflight.testing` has no attribute `{name}`"
        raise AttributeError(msg)
    return getattr(importlib.import_module("midflight.testing._later"), name)
