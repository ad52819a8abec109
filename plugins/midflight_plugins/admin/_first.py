"""The tokens of a server: found, or made at its first start."""

from __future__ import annotations

import logging
import shlex
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


def tokens_of(given: str | None, state_dir: Path | None, *, starts: bool) -> Tokens:
    """Return the tokens that a server goes by; nothing is written.

    Args:
        given: the file that the settings name.
        state_dir: where the runtime keeps its state.
        starts: nothing is served yet, so that `begin` may make the first token.

    Raises:
        InvalidConfigurationError: there are none, or they cannot be used.
    """
    if given is None and state_dir is None:
        msg = "there is nowhere to keep tokens, and nobody is served without one"
        hint = "give the runtime a state directory, or set `token_file` to a file"
        raise _refused(msg, hint)
    tokens = Tokens(Path(given) if given is not None else Path(str(state_dir)) / NAME)
    may_miss = starts and given is None
    try:
        if tokens.path.exists() or not may_miss:
            tokens.list()
    except (OSError, MidflightError) as exc:
        raise _unusable(exc, given, tokens) from exc
    return tokens


def begin(given: str | None, tokens: Tokens) -> None:
    """Make the token of an administrator, if nobody has one yet.

    That is done in the state directory only: whoever may write the settings must not
    make files elsewhere.

    Args:
        given: the file that the settings name.
        tokens: what `tokens_of` returned.

    Raises:
        InvalidConfigurationError: it cannot be written.
    """
    if given is not None or tokens.path.exists():
        return
    file = tokens.path.with_name(FIRST)
    try:
        token = tokens.create("first", ("admin",))
    except ValueError:  # another process was first
        return
    except (OSError, MidflightError) as exc:
        raise _unusable(exc, given, tokens) from exc
    try:
        write(file, token + "\n")
    except OSError as exc:
        tokens.path.unlink(missing_ok=True)  # one that nobody knows lets nobody in
        raise _unusable(exc, given, tokens) from exc
    _log.warning("the token of an administrator is in %s", file)


def _unusable(
    exc: OSError | MidflightError, given: str | None, tokens: Tokens
) -> InvalidConfigurationError:
    """Return the refusal; of this host it tells no more than the settings do."""
    shown = tokens.path.name if given is None else given
    why = exc.strerror if isinstance(exc, OSError) else None
    text = (why or str(exc)).replace(str(tokens.path), shown)
    msg = f"the tokens cannot be used: {plain(text)}"
    where = "--state-dir DIR" if given is None else f"--tokens {shlex.quote(given)}"
    hint = f"`midflight token create NAME {where}` writes the file"
    return _refused(msg, hint, shown)


def _refused(message: str, hint: str, found: str = "") -> InvalidConfigurationError:
    fault = Fault(Code.E_AUTH, message, ("token_file",), found=found, hint=hint)
    return InvalidConfigurationError(fault)
