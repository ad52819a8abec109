"""The source: the environment variables that begin with a prefix."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from typing import Any

from midflight import Fault, Loaded, Place, hookimpl
from midflight.errors import Code, InvalidConfigurationError, Path
from midflight_plugins.env._values import value_of

_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*")
_ENTRY = {"dependson": "dependsOn", "depends_on": "dependsOn"}


class EnvSource:
    """Environment variables as a document, by one rule.

    `env:APP` reads the variables that begin with `APP__`, and no other. What follows
    is the path of one value, its keys joined by `__`:

    `APP__MODULES__web__CONFIG__port=8080` is `modules.web.config.port: 8080`.

    - A key that is written all in capitals is taken in small letters (`MAX_SIZE` is
      `max_size`); any other key is taken as it stands (`maxSize`, `Web`). Below a
      module, `DEPENDSON` and `DEPENDS_ON` are `dependsOn`. A key that is itself in
      capitals is given by a JSON object at its parent.
    - A value is JSON where it looks like JSON: `true`, `false`, `null`, a number, and
      what begins with `{`, `[` or `"`. Everything else is a string. A number that
      would lose its form (`1.10`, `1e3`, `007`) is refused: quote it.
    - Two variables for one path, or for a value and something inside it, are refused.

    Every fault names its variable as the place, and never shows the value.

    Args:
        prefix: letters, digits and single underscores, as in `APP` or `MY_APP`.
        environ: the variables; by default those of this process.

    Raises:
        ValueError: if the prefix is not allowed.
    """

    def __init__(
        self, prefix: str, *, environ: Mapping[str, str] | None = None
    ) -> None:
        if not _PREFIX.fullmatch(prefix):
            msg = f"`{prefix}` is no prefix of variables; write `env:APP` for `APP__…`"
            raise ValueError(msg)
        self.name = f"env:{prefix}"
        self._prefix = prefix
        self._environ = os.environ if environ is None else environ

    @classmethod
    def from_uri(cls, rest: str) -> EnvSource:
        """Make a source of what follows `env:`, the prefix.

        Raises:
            ValueError: if the prefix is not allowed.
        """
        return cls(rest)

    @hookimpl
    def hash(self) -> str:
        """Return a digest of the variables; it gives no value away."""
        return _token(self._variables())

    @hookimpl
    def load(self) -> Loaded:
        """Read the variables; without any the document is empty.

        Raises:
            InvalidConfigurationError: with every fault; the place is the variable.
        """
        faults: list[Fault] = []
        paths: dict[Path, str] = {}
        document: dict[str, Any] = {}
        variables = self._variables()
        for name, value in variables:
            path = self._path(name, faults)
            if path and _is_free(path, name, paths, faults):
                paths[path] = name
                place = Place(f"env:{name}")
                _put(document, path, value_of(value, path, place, faults))
        if faults:
            raise InvalidConfigurationError(faults)
        token = _token(variables)
        return Loaded(document, None, lambda path: self._place(path, paths), token)

    def _variables(self) -> list[tuple[str, str]]:
        """Return the variables that count, and those that nearly do, by name."""
        mine, near = f"{self._prefix}__", f"{self._prefix}_modules__"
        return sorted(
            (name, value)
            for name, value in self._environ.items()
            if name.startswith(mine) or name.lower().startswith(near.lower())
        )

    def _path(self, name: str, faults: list[Fault]) -> tuple[str, ...]:
        """Return the path that a variable's name stands for, `()` if for none."""
        mine, place = f"{self._prefix}__", Place(f"env:{name}")
        if not name.startswith(mine):
            msg = f"variable `{name}` does not begin with `{mine}`"
            better = f"{mine}{name[len(mine) - 1 :]}"
            hint = f"write `{better}`"
            faults.append(Fault(Code.E_NAME, msg, place=place, hint=hint))
            return ()
        keys = [
            key.lower() if key.isupper() else key
            for key in name.removeprefix(mine).split("__")
        ]
        if not all(keys):
            msg = f"variable `{name}` has an empty key between its underscores"
            hint = "join keys by exactly two underscores"
            faults.append(Fault(Code.E_NAME, msg, place=place, hint=hint))
            return ()
        if len(keys) > 2 and keys[0] == "modules":  # noqa: PLR2004  # modules, name, key
            keys[2] = _ENTRY.get(keys[2], keys[2])
        return tuple(keys)

    def _place(self, path: Path, paths: Mapping[Path, str]) -> Place:
        """Return the variable of a path, of a parent, or of the first one below."""
        for end in range(len(path), 0, -1):
            if path[:end] in paths:
                return Place(f"env:{paths[path[:end]]}")
            for each, name in paths.items():
                if each[:end] == path[:end]:
                    return Place(f"env:{name}")
        return Place(self.name)


def _is_free(
    path: Path, name: str, paths: Mapping[Path, str], faults: list[Fault]
) -> bool:
    """Note a fault if another variable holds the path, a parent or a part of it."""
    for each, other in paths.items():
        short = min(len(each), len(path))
        if each[:short] == path[:short]:
            msg = f"variables `{other}` and `{name}` hold the same value"
            place, hint = Place(f"env:{name}"), "remove one of them"
            faults.append(Fault(Code.E_DUPKEY, msg, path, place, hint=hint))
            return False
    return True


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        document = document.setdefault(key, {})
    document[path[-1]] = value


def _token(variables: list[tuple[str, str]]) -> str:
    text = "\0".join(f"{name}={value}" for name, value in variables)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
