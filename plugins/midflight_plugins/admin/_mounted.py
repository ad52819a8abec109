"""The application inside one of the user's own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from midflight_plugins.admin._config import AdminConfig
from midflight_plugins.admin._module import require

if TYPE_CHECKING:
    from midflight import Runtime
    from midflight_plugins.http import App, Receive, Scope, Send


def asgi(
    runtime: Runtime,
    *,
    tokens: str | os.PathLike[str] | None = None,
    hosts: Iterable[str] = (),
    behind_proxy: bool = False,
) -> App:
    """Return the API and the page as an ASGI application to mount in another.

    It has its own tokens and never asks the application around it who somebody is.
    Sessions of the page, plans and idempotency keys are kept in the memory of one
    process: where a server has several, a client has to come back to the same.

    Args:
        runtime: whom it is about.
        tokens: the file of tokens; by default that of the runtime's state directory.
        hosts: names under which it is reached, beside `localhost` and the like.
        behind_proxy: believe `X-Forwarded-For` and `X-Forwarded-Proto`.

    Raises:
        InvalidConfigurationError: there are no tokens and none can be made.
        MissingDependencyError: a library is not installed.
    """
    require()
    from midflight_plugins.admin._first import begin, tokens_of

    file = None if tokens is None else os.fspath(tokens)
    config = AdminConfig(hosts=tuple(hosts), behind_proxy=behind_proxy, token_file=file)
    found = tokens_of(file, runtime.state_dir, starts=True)
    begin(file, found)
    return _Mounted(runtime, config, found.path)


class _Mounted:
    """The application of a process; a forked child has one of its own.

    Args:
        runtime: whom it is about.
        config: what is allowed.
        tokens: the file of tokens.
    """

    def __init__(self, runtime: Runtime, config: AdminConfig, tokens: Path) -> None:
        self._runtime, self._config, self._tokens = runtime, config, tokens
        self._made = os.getpid(), self._make()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        process, app = self._made
        if process != os.getpid():  # whose threads may have held any of its locks
            app = self._make()
            self._made = os.getpid(), app
        await app(scope, receive, send)

    def _make(self) -> App:
        from midflight_plugins.admin._policy import Policy
        from midflight_plugins.admin._site import Site
        from midflight_plugins.admin._tokens import Tokens

        policy = Policy(self._config, Tokens(self._tokens))
        return Site(self._runtime, lambda: policy, policy).app
