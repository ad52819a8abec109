"""What an exception of Midflight means to the one who asked."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from midflight.errors import (
    Code,
    ConflictError,
    InvalidConfigurationError,
    MidflightError,
    PluginError,
    SourceUnavailableError,
    StoppedError,
    UnknownOutcomeError,
    dotted,
)
from midflight_plugins.api._data import fault_data, public
from midflight_plugins.api._http import Problem

if TYPE_CHECKING:
    from midflight import Fault

_log = logging.getLogger("midflight.api")
_MOST = 100  # faults in one answer
_SOON = {"Retry-After": "1"}


def problem_of(error: MidflightError) -> Problem:
    """Return the answer to a request that ended with an exception.

    No path of this host and nothing that its sources say of themselves is part of it.
    """
    if isinstance(error, InvalidConfigurationError):
        return refused(error.faults, notes=getattr(error, "__notes__", ()))
    if isinstance(error, StoppedError):
        return Problem(503, Code.E_STOPPED, str(error), headers=_SOON)
    if isinstance(error, ConflictError):
        detail = "somebody else was quicker; look again and repeat the request"
        return Problem(409, Code.E_CONFLICT, detail, headers=_SOON)
    _log.warning("%s", error)
    if isinstance(error, UnknownOutcomeError):
        detail = "it may or may not be stored: look again before it is repeated"
        return Problem(500, error.code, detail)
    if isinstance(error, SourceUnavailableError):
        detail = "a source does not answer; the log of the process says which"
        return Problem(503, error.code, detail, headers=_SOON)
    if isinstance(error, PluginError):
        detail = "a plugin cannot do that; the log of the process says why"
        return Problem(409, error.code, detail)
    return Problem(500, error.code, "see the log of the process")


def refused(
    faults: Sequence[Fault],
    *,
    status: int = 422,
    notes: Iterable[str] = (),
    **more: Any,
) -> Problem:
    """Return the answer to a configuration that is refused.

    Args:
        faults: what is wrong.
        status: of HTTP.
        notes: what became of it.
        **more: further members of the answer.
    """
    first = faults[0] if faults else None
    code = first.code if first else Code.E_STEP
    detail = f"{_told(first)}" if first else "the change was refused"
    if len(faults) > 1:
        detail = f"{detail}; and {len(faults) - 1} more"
    told = list(map(public, notes))
    if told:
        more["notes"] = told
    rows = list(map(fault_data, faults[:_MOST]))
    return Problem(status, code, detail, faults=rows, more=more)


def _told(fault: Fault) -> str:
    where = f" at `{dotted(fault.path)}`" if fault.path else ""
    return f"{public(fault.message)}{where}"
