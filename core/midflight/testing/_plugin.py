"""What pytest gets from an installed Midflight: three fixtures, and the verdict.

It is loaded at each start of pytest, whatever is tested: nothing of the core may be
imported here, but by a fixture that is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from midflight.testing._verdict import Verdict

if TYPE_CHECKING:
    from midflight._runtime import Runtime
    from midflight.testing._proxy import TcpProxy
    from midflight.testing._system import FakeSystem


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the verdict."""
    group = parser.getgroup("midflight", "contracts of Midflight")
    group.addoption(
        "--midflight-verdict",
        action="store_true",
        help="say of each clause of each contract whether it is kept",
    )
    group.addoption(
        "--midflight-verdict-file",
        metavar="FILE",
        help="write the same to a file, as a table in Markdown",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to listen for clauses."""
    config.pluginmanager.register(Verdict(config), "midflight-verdict")


@pytest.fixture
def midflight_system() -> FakeSystem:
    """A machine whose time a test decides, for `Runtime(system=…)`."""
    from midflight.testing._system import FakeSystem

    return FakeSystem()


@pytest.fixture
def midflight_runtime() -> Iterator[Callable[..., Runtime]]:
    """Makes and starts runtimes: `midflight_runtime(source, …)`, as `Runtime`.

    All are stopped after the test, the newest first.
    """
    from midflight._runtime import Runtime

    with contextlib.ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Runtime(*args, **options))


@pytest.fixture
def midflight_proxy() -> Iterator[Callable[[int], TcpProxy]]:
    """Makes proxies before a port of this machine: `midflight_proxy(port)`.

    All are closed after the test.
    """
    from midflight.testing._proxy import TcpProxy

    with contextlib.ExitStack() as stack:
        yield lambda target: stack.enter_context(TcpProxy(target))
