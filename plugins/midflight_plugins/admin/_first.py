"""The tokens of a server: found, or made at the first start."""

from __future__ import annotations

import logging
from pathlib import Path

from midflight.errors import (
    Code,
    Fault,
    InvalidConfigurationError,
    MidflightError,
    plain,
)
from midflight_plugins.admin._tokens import NAME, Tokens, write

FIRST = "admin.token"
_log = logging.getLogger("midflight.admin")


def tokens_of(given: str | None, state_dir: Path | None) -> Tokens:
    """Return the tokens; the first ones are made, of an administrator.

    Args:
        given: the file that the settings name.
        state_dir: where the runtime keeps its state.

    Raises:
        InvalidConfigurationError: there are none and none can be made.
    """
    if given is None and state_dir is None:
        msg = "there is nowhere to keep tokens, and nobody is served without one"
        hint = "give the runtime a state directory, or set `token_file` to a file"
        raise _refused(msg, hint)
    path = Path(given) if given is not None else Path(str(state_dir)) / NAME
    tokens = Tokens(path)
    try:
        if not path.exists():
            _make(tokens, state_dir)
        tokens.list()
    except (OSError, MidflightError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else str(exc)
        msg = f"the tokens cannot be used: {plain(why or str(exc))}"
        hint = "`midflight token create NAME` writes the file"
        raise _refused(msg, hint, str(path)) from exc
    return tokens


def _make(tokens: Tokens, state_dir: Path | None) -> None:
    if state_dir is None:
        msg = "the file is not there"
        raise ValueError(msg)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = state_dir / FIRST
    write(file, tokens.create("first", ("admin",)) + "\n")
    _log.warning("the token of an administrator is in %s", file)


def _refused(message: str, hint: str, found: str = "") -> InvalidConfigurationError:
    fault = Fault(Code.E_AUTH, message, ("token_file",), found=found, hint=hint)
    return InvalidConfigurationError(fault)
