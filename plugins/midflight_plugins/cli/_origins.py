"""Reads what the command line, the environment and the settings file say."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from midflight import Fault, Place
from midflight.errors import Code, did_you_mean, dotted, plain
from midflight.errors import Path as Keys
from midflight_plugins.cli._kinds import WrongError
from midflight_plugins.cli._passwords import redacted
from midflight_plugins.cli._settings import BY_NAME, PREFIX, SETTINGS, Setting
from midflight_plugins.cli._settings_file import File

FILE = PREFIX + "SETTINGS"
_OTHERS = {FILE, *(PREFIX + each for each in ("AUTHOR", "URL", "TOKEN"))}
_LONGEST = 60  # characters of a wrong value that are shown
_MESSAGES = {
    "E_TYPE": "has the wrong type",
    "E_ENUM": "is not one of the choices",
    "E_RANGE": "is out of range",
    "E_VALUE": "is empty",
    "E_REQUIRED": "does not say where the layer comes from",
    "E_UNKNOWN": "is not known",
}


class Found(NamedTuple):
    """The value of one setting.

    Args:
        value: what it holds.
        origin: `option`, `--set`, `environment`, `file` or `default`.
        place: the option, the variable or the place in the file.
    """

    value: Any
    origin: str = "default"
    place: Place | None = None


class Origin(dict[str, Found]):
    """What one origin says of the settings.

    Args:
        name: which one it is.
        faults: takes what is wrong with it.
    """

    def __init__(self, name: str, faults: list[Fault]) -> None:
        super().__init__()
        self.name, self._faults = name, faults

    def take(
        self,
        setting: Setting,
        value: Any,
        read: Callable[[Any], Any],
        place: Callable[[Keys], Place],
    ) -> None:
        """Take a value as `read` gives it, or note why it cannot be one."""
        keys: Keys = tuple(setting.name.split("."))
        try:
            self[setting.name] = Found(read(value), self.name, place(keys))
        except WrongError as exc:
            keys += exc.keys
            was = value if exc.found is ... else exc.found
            known = re.findall("`(\\w+)`", exc.expected) or setting.kind.choices
            hint = did_you_mean(str(was), known) if isinstance(was, str) else ""
            more = {"found": _shown(was), "expected": exc.expected, "hint": hint}
            self.refuse(exc.code, _MESSAGES[exc.code], keys, place(keys), **more)

    def refuse(
        self, code: str, message: str, keys: Keys, place: Place, **more: str
    ) -> None:
        """Note that what stands at some keys is wrong."""
        msg = f"`{dotted(keys)}` {message}"
        self._faults.append(Fault(Code(code), msg, keys, place, **more))

    def unknown(self, keys: Keys, known: Iterable[str], place: Place) -> None:
        """Note that there is no such setting."""
        hint = did_you_mean(str(keys[-1]), known)
        if keys == ("tool",):
            hint = "write its keys at the top: `[tool.…]` is for pyproject.toml"
        self.refuse("E_UNKNOWN", "is no setting", keys, place, hint=hint)


def _shown(value: Any) -> str:
    """Show a value without a password in it."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return plain(redacted(repr(value)), _LONGEST)


def of_options(options: Mapping[str, Any], faults: list[Fault]) -> Origin:
    """Take what the options said, which are checked already."""
    origin = Origin("option", faults)
    for name, value in options.items():
        origin[name] = Found(value, "option", Place(BY_NAME[name].option))
    return origin


def of_sets(words: Sequence[str], faults: list[Fault]) -> Origin:
    """Read what each `--set NAME=VALUE` says; the last one of a name wins."""
    origin, at = Origin("--set", faults), Place("--set")
    for word in words:
        name, sign, text = word.partition("=")
        name = name.strip()
        if not sign:
            origin.refuse("E_SYNTAX", "is not NAME=VALUE", (redacted(word),), at)
        elif name not in BY_NAME:
            origin.unknown((name,), BY_NAME, at)
        else:
            setting = BY_NAME[name]
            origin.take(setting, text, setting.kind.read, functools.partial(_at, at))
    return origin


def of_environment(faults: list[Fault]) -> Origin:
    """Read the variables; an empty one says nothing."""
    origin = Origin("environment", faults)
    for setting in SETTINGS:
        text, place = os.environ.get(setting.variable, ""), Place(setting.variable)
        if text.strip():
            origin.take(setting, text, setting.kind.read, functools.partial(_at, place))
    return origin


def _at(place: Place, _keys: Keys) -> Place:
    return place


def of_file(file: File, faults: list[Fault]) -> Origin:
    """Read the tables of a file, and note what is no setting."""
    origin = Origin("file", faults)
    for keys, value in _entries(origin, file, file.table, ()):
        kind = BY_NAME[".".join(map(str, keys))].kind

        def read(value: Any, kind: Any = kind) -> Any:
            return kind.rebased(kind.take(value), file.folder)

        origin.take(BY_NAME[".".join(map(str, keys))], value, read, file.place)
    return origin


def _entries(
    origin: Origin, file: File, table: Mapping[str, Any], above: Keys
) -> Iterator[tuple[Keys, Any]]:
    """Yield each setting of a table and of the tables in it."""
    prefix = "".join(f"{key}." for key in above)
    below = [n.removeprefix(prefix) for n in BY_NAME if n.startswith(prefix)]
    known = {name.partition(".")[0] for name in below}
    for key, value in table.items():
        keys = (*above, key)
        if prefix + key in BY_NAME:
            yield keys, value
        elif key not in known or "." in key:
            origin.unknown(keys, known, file.place(keys))
        elif isinstance(value, Mapping):
            yield from _entries(origin, file, value, keys)
        else:
            more = {"found": _shown(value), "expected": "a table"}
            origin.refuse("E_TYPE", _MESSAGES["E_TYPE"], keys, file.place(keys), **more)


def misspelt() -> list[str]:
    """Return a sentence for each variable that is nearly one of ours.

    Others are none of our business: Kubernetes makes some of the name of a service.
    """
    import difflib

    known = {setting.variable for setting in SETTINGS} | _OTHERS
    odd = sorted(n for n in os.environ if n.startswith(PREFIX) and n not in known)
    near = ((name, difflib.get_close_matches(name, known, 1, 0.85)) for name in odd)
    return [
        f"{name} is no setting; did you mean {hit[0]}?" for name, hit in near if hit
    ]
