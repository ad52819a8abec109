"""Which store the command line works on, if it is not told."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from midflight import Fault, Place
from midflight.errors import Code, InvalidConfigurationError

VARIABLE = "MIDFLIGHT_OVERRIDES"
_FILES = (("midflight.toml", ()), ("pyproject.toml", ("tool", "midflight")))


def store_uri() -> str | None:
    """Return the store that the environment or a settings file here names.

    Raises:
        InvalidConfigurationError: a settings file is wrong.
    """
    if given := os.environ.get(VARIABLE):
        return given
    for name, above in _FILES:
        if Path(name).is_file() and (found := _in_file(name, above)) is not None:
            return found
    return None


def _in_file(name: str, above: tuple[str, ...]) -> str | None:
    try:
        found: Any = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        fault = Fault(Code.E_SYNTAX, f"not TOML: {exc}", place=Place(name))
        raise InvalidConfigurationError(fault) from exc
    path = (*above, "overrides", "store")
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    if found is None or isinstance(found, str):
        return found
    msg = "`store` is no URI"
    example = "a string such as `file:overrides.yaml`"
    fault = Fault(Code.E_TYPE, msg, path, Place(name), repr(found), example)
    raise InvalidConfigurationError(fault)
