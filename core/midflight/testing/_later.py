"""What `midflight.testing` offers, imported when the first name of it is asked for."""

from __future__ import annotations

from midflight.testing._fakes import FakeModule, FakeSource
from midflight.testing._faults import Faulty, faulty
from midflight.testing._modules import ModuleContract
from midflight.testing._proxy import TcpProxy
from midflight.testing._servers import Server, free_port, lacking
from midflight.testing._sources import SourceContract, WritableSourceContract
from midflight.testing._strategies import StrategyContract
from midflight.testing._system import FakeSystem, wait_until

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
