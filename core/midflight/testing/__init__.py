"""Contract suites and fakes for those who write plugins, and for our own tests.

Needs pytest, which `midflight` itself does not: import this from tests alone.
"""

import pytest

pytest.register_assert_rewrite(
    "midflight.testing._calls",
    "midflight.testing._modules",
    "midflight.testing._sources",
    "midflight.testing._strategies",
)

from midflight.testing._fakes import FakeModule, FakeSource  # noqa: E402  # after the line above, so that asserts speak
from midflight.testing._modules import ModuleContract  # noqa: E402  # as above
from midflight.testing._servers import Server, free_port, lacking  # noqa: E402  # as above
from midflight.testing._sources import SourceContract  # noqa: E402  # as above
from midflight.testing._strategies import StrategyContract  # noqa: E402  # as above
from midflight.testing._system import FakeSystem, wait_until  # noqa: E402  # as above

__all__ = [
    "FakeModule",
    "FakeSource",
    "FakeSystem",
    "ModuleContract",
    "Server",
    "SourceContract",
    "StrategyContract",
    "free_port",
    "lacking",
    "wait_until",
]
