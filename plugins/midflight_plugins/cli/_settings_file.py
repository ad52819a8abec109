"""Finds the settings file, and tells where in it something stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from midflight import Fault, Place
from midflight.errors import Code, InvalidConfigurationError
from midflight.errors import Path as Keys

NAME = "midflight.toml"
_PROJECT = "pyproject.toml"
_TABLE = ("tool", "midflight")
_LARGEST = 2**20  # bytes
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADER = re.compile(r"\s*(\[\[?)([^\[\]=]+)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*'|\s*\.\s*)+?)\s*=\s*")
_PART = re.compile(r"[\w-]+|\"[^\"]*\"|'[^']*'")


class SettingsError(InvalidConfigurationError):
    """The settings of the command line itself are wrong."""


class File(NamedTuple):
    """A settings file that was read.

    Args:
        name: how errors call it.
        folder: where its relative paths begin.
        table: what it says.
        places: where each key stands.
        aside: another file with settings that is not read, if there is one.
    """

    name: str
    folder: str
    table: Mapping[str, Any]
    places: Mapping[Keys, tuple[int, int]]
    aside: str = ""

    def place(self, keys: Keys) -> Place:
        """Return the place of a key, or of the nearest table around it."""
        while keys and keys not in self.places:
            keys = keys[:-1]
        return Place(self.name, *self.places.get(keys, ()))


def find(asked: str | None) -> File | None:
    """Read the settings file that was asked for, or that of this directory.

    Raises:
        SettingsError: if it is not there, cannot be read or is no TOML.
    """
    if asked:
        return _read(asked)
    project = _of_project()
    if not Path(NAME).exists() and not Path(NAME).is_symlink():
        return project
    return _read(NAME)._replace(aside=_PROJECT if project else "")


def _of_project() -> File | None:
    """Read `pyproject.toml`, if it has a table for us."""
    file = Path(_PROJECT)
    if not file.is_file() or b"midflight" not in file.read_bytes():
        return None
    found = _read(_PROJECT)
    return found if found.places.get(()) != (0, 0) else None


def _read(name: str) -> File:
    import tomllib

    text = _text(name)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        raise SettingsError(_syntax(exc, text, name)) from exc
    places = {(): (1, 1), **dict(_places(text))}
    if Path(name).name == _PROJECT:
        tool = table.get("tool", {})
        table = tool.get("midflight", {}) if isinstance(tool, dict) else {}
        depth = len(_TABLE)
        within = {
            keys[depth:]: at for keys, at in places.items() if keys[:depth] == _TABLE
        }
        places = {(): (1, 1) if table else (0, 0), **within}
    return File(name, _folder(name), table, places)


def _folder(name: str) -> str:
    folder = str(Path(name).parent)
    return "" if folder == "." else folder


def _text(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as exc:
        msg = f"the settings cannot be read: {exc.strerror or exc}"
        raise SettingsError(Fault(Code.E_SOURCE, msg, place=Place(name))) from exc
    if len(data) > _LARGEST:
        msg = f"a settings file has at most {_LARGEST} bytes"
        raise SettingsError(Fault(Code.E_SIZE, msg, place=Place(name)))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        place = Place(name, line)
        msg = "the settings are not UTF-8"
        raise SettingsError(Fault(Code.E_ENCODING, msg, place=place)) from exc


def _syntax(error: Exception, text: str, name: str) -> Fault:
    if isinstance(error, RecursionError):
        return Fault(Code.E_DEPTH, "nested too deep", place=Place(name))
    found = _AT.search(str(error))
    spot = (int(found[1]), int(found[2])) if found and found[1] else None
    message = str(error)[: found.start() if found else None]
    place = Place(name, *(spot or (text.count("\n") + 1,)))
    return Fault(Code.E_SYNTAX, f"{message[:1].lower()}{message[1:]}", place=place)


def _places(text: str) -> Iterator[tuple[Keys, tuple[int, int]]]:
    """Yield where each table and each key that begins a line stands."""
    table: Keys = ()
    counts: dict[Keys, int] = {}
    for row, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            table = _counted(_parts(header[2]), counts)
            if header[1] == "[[":
                if table not in counts:
                    yield table, (row, header.start(1) + 1)
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield table, (row, header.start(1) + 1)
        elif found := _KEY.match(line):
            keys = (*table, *_parts(found[1]))
            yield keys, (row, found.end() + 1)


def _parts(text: str) -> Keys:
    return tuple(part.strip("\"'") for part in _PART.findall(text))


def _counted(names: Keys, counts: Mapping[Keys, int]) -> Keys:
    """Put its number after the name of each list of tables on the way."""
    keys: Keys = ()
    for name in names[:-1]:
        keys = (*keys, name)
        keys = (*keys, counts[keys]) if keys in counts else keys
    return (*keys, *names[-1:])
