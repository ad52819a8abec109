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
    from midflight_plugins.http import App


def asgi(
    runtime: Runtime,
    *,
    tokens: str | os.PathLike[str] | None = None,
    hosts: Iterable[str] = (),
    behind_proxy: bool = False,
) -> App:
    """Return the API and the page as an ASGI application to mount in another.

    It has its own tokens and never asks the application around it who somebody is.

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
    from midflight_plugins.admin._first import tokens_of
    from midflight_plugins.admin._policy import Policy
    from midflight_plugins.admin._site import Site

    file = None if tokens is None else str(Path(tokens))
    config = AdminConfig(hosts=tuple(hosts), behind_proxy=behind_proxy, token_file=file)
    policy = Policy(config, tokens_of(file, runtime.state_dir))
    return Site(runtime, lambda: policy, policy).app
