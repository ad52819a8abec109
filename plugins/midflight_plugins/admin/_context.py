"""What the page is given by the server, and what it gives back: its routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

import attrs

from midflight.errors import Code
from midflight_plugins.api import Api, Caller

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

Endpoint = Callable[["Request"], Awaitable["Response"]]


class Recorder(Protocol):
    """Writes what was refused to the journal, at a bounded rate."""

    def __call__(self, code: Code, text: str, *, actor: str = "") -> None:
        """Write it down.

        Args:
            code: what kind of refusal, such as `E_AUTH`.
            text: what was refused, without secrets.
            actor: who it was, as far as that is known.
        """
        ...


@attrs.frozen
class Context:
    """What the page is given.

    Args:
        api: answers; shared with every other server of the process.
        identify: who has a token, or `None` if nobody has it (any more). Counts
            nothing, so it can be asked with every request: a session of which it says
            `None` has ended.
        login: the same for whoever types a token, from which address (that of
            `request.client`). Raises `Problem`, 401 or 429: failures are counted.
        secure: whether a request came by TLS, here or at the proxy in front; cookies
            then say so.
        record: writes refusals to the journal.
        stream: answers with the events as SSE until the runtime stops or `is_valid`,
            asked every few seconds, says no.
    """

    api: Api
    identify: Callable[[str], Caller | None]
    login: Callable[[str, str], Caller]
    secure: Callable[[Request], bool]
    record: Recorder
    stream: Callable[[Request, Callable[[], bool]], Response]


@attrs.frozen
class PageRoute:
    """One path of the page.

    Args:
        method: of HTTP; `HEAD` goes with `GET`.
        path: as Starlette writes it, such as `/modules/{name}`; below `root_path`.
        scope: what its session needs: `open` (none: only for logging in and static
            files), or `read`, `write`, `rollback`, `admin`.
        endpoint: checks that, and answers.
    """

    method: str
    path: str
    scope: str
    endpoint: Endpoint
