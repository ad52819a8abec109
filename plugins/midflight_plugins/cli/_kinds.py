"""What a setting may hold: how it is checked, and read out of plain text.

Nothing is imported for that, since the options of every command are made of it.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

MOST = 366 * 86_400.0  # s that a duration may have
SPEC = re.compile(r"(?P<module>[\w.]+):(?P<attribute>[\w.]+)")
_NAME, _ONE, _CLASS = "a name", "a URI", "package.module:Class"
_LAYER = 'a table with a `source`, as in `{source = "file:a.yaml"}`, or with a `type`'
_FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SQLITE = re.compile(r"(database:sqlite:///)(?![/$:#?])(.+)", re.DOTALL)


class WrongError(ValueError):
    """A setting cannot hold a value.

    Args:
        expected: what it may hold.
        code: the name of the kind of fault.
        keys: where in the value.
        found: what stands there; by default the value itself.
    """

    def __init__(
        self,
        expected: str,
        code: str = "E_TYPE",
        keys: tuple[str | int, ...] = (),
        found: Any = ...,
    ) -> None:
        super().__init__(expected)
        self.expected, self.code, self.keys, self.found = expected, code, keys, found


class Kind:
    """What a setting may hold; this one is a text.

    Args:
        choices: the words it may be; any if there are none.
    """

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    @property
    def expected(self) -> str:
        """What may be there, in words."""
        return " or ".join(map(repr, self.choices)) or "a text"

    def take(self, value: Any) -> Any:
        """Return a value of a settings file as the setting holds it.

        Raises:
            WrongError: if it cannot be one.
        """
        if not isinstance(value, str):
            raise WrongError(self.expected)
        if not value or (self.choices and value not in self.choices):
            raise WrongError(self.expected, "E_ENUM" if self.choices else "E_VALUE")
        return value

    def read(self, text: str) -> Any:
        """Return what a text of the environment or the command line means.

        It is TOML if it begins with a quote or a bracket, else what `plain` says.

        Raises:
            WrongError: if it cannot be a value.
        """
        text = text.strip()
        return self.take(toml(text) if text[:1] in {*"\"'[{"} else self.plain(text))

    def plain(self, text: str) -> Any:
        """Return what a text without quotes and brackets means."""
        return text

    def rebased(self, value: Any, folder: str) -> Any:  # noqa: ARG002  # of some kinds only
        """Return a value of a file in `folder`: relative paths start there."""
        return value


def toml(text: str) -> Any:
    """Return one TOML value; what is none stays the text.

    An inline table or list may go over several lines of a variable.
    """
    import tomllib

    try:
        found = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return found["value"] if len(found) == 1 else text


class Flag(Kind):
    """Yes or no."""

    expected = "true or false"

    def take(self, value: Any) -> bool:
        """Return it, if it is one."""
        if not isinstance(value, bool):
            raise WrongError(self.expected)
        return value

    def plain(self, text: str) -> Any:
        """Return what a word means; `1`, `yes` and `on` do too."""
        return _FLAGS.get(text.lower(), text)


class Seconds(Kind):
    """A duration.

    Args:
        zero: whether it may be 0.
    """

    def __init__(self, *, zero: bool = False) -> None:
        super().__init__()
        self.zero = zero

    @property
    def expected(self) -> str:
        """What may be there, in words."""
        least = "0 or more" if self.zero else "more than 0"
        return f"a number of seconds, {least}, at most a year"

    def take(self, value: Any) -> float:
        """Return it, if it is one."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number:
            raise WrongError(self.expected)
        if not (0 < value <= MOST or (self.zero and value == 0)):
            raise WrongError(self.expected, "E_RANGE")
        return float(value)

    def plain(self, text: str) -> Any:
        """Return the number, if it is one."""
        try:
            number = float(text)
        except ValueError:
            return text
        return number if math.isfinite(number) else text


class Names(Kind):
    """A list of names."""

    expected = "a list of names"

    def take(self, value: Any) -> tuple[str, ...]:
        """Return them, if all are texts."""
        if not isinstance(value, list):
            raise WrongError(self.expected)
        for at, each in enumerate(value):
            if not isinstance(each, str) or not each:
                raise WrongError(_NAME, keys=(at,), found=each)
        return tuple(value)

    def plain(self, text: str) -> list[str]:
        """Return names with commas between them."""
        return [each.strip() for each in text.split(",") if each.strip()]


class Uris(Kind):
    """One source or several, lowest layer first."""

    expected = "a URI, or a list of URIs"

    def take(self, value: Any) -> tuple[str, ...]:
        """Return them; a file may be named without `file:`."""
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not found:
            raise WrongError(self.expected)
        for at, each in enumerate(found):
            if not isinstance(each, str) or not each:
                keys = (at,) if found is value else ()
                raise WrongError(_ONE, keys=keys, found=each)
        return tuple(map(uri_of, found))

    def rebased(self, value: Any, folder: str) -> tuple[str, ...]:
        """Let files begin at that folder."""
        return tuple(moved(each, folder) for each in value)


class Store(Kind):
    """A URI, or nothing."""

    expected = "a URI such as `file:overrides.yaml`"

    def take(self, value: Any) -> str:
        """Return it, if it is one."""
        return uri_of(super().take(value)) if value != "" else ""

    def rebased(self, value: Any, folder: str) -> str:
        """Let a file begin at that folder."""
        return moved(value, folder) if value else value


class Directory(Kind):
    """A directory, `false` for none, `true` for the usual one."""

    expected = "a directory, or false for none"

    def take(self, value: Any) -> str | bool:
        """Return it, if it is one."""
        if isinstance(value, bool):
            return value
        if not isinstance(value, str) or not value or "\0" in value:
            raise WrongError(self.expected)
        return str(_path(value).expanduser()) if value[0] == "~" else value

    def plain(self, text: str) -> Any:
        """Return a directory, or what `true` and `false` mean."""
        return {"true": True, "false": False}.get(text, text)

    def rebased(self, value: Any, folder: str) -> str | bool:
        """Let it begin at that folder."""
        return value if isinstance(value, bool) else joined(folder, value)


class Types(Kind):
    """Module types by name, each `package.module:Class`."""

    expected = 'a table, as in `limiter = "shop.limits:Limiter"`'

    def take(self, value: Any) -> Mapping[str, str]:
        """Return them, if each names a class."""
        if not isinstance(value, dict):
            raise WrongError(self.expected)
        for name, spec in value.items():
            if not isinstance(spec, str) or not SPEC.fullmatch(spec):
                raise WrongError(_CLASS, keys=(name,), found=spec)
        return value

    def plain(self, text: str) -> Any:
        """Return types written `name=package.module:Class`, with commas between."""
        pairs = [each.partition("=") for each in text.split(",") if each.strip()]
        if not all(sign for _, sign, _ in pairs):
            return text
        return {name.strip(): spec.strip() for name, _, spec in pairs}


class Layers(Kind):
    """Tables that describe the layers of a configuration, lowest first."""

    expected = 'a list of tables, as in `{name = "base", source = "file:base.yaml"}`'

    def take(self, value: Any) -> tuple[Mapping[str, Any], ...]:
        """Return them; options that go with a `type` are that source's to check."""
        if not isinstance(value, list):
            raise WrongError(self.expected)
        for at, each in enumerate(value):
            if not isinstance(each, dict):
                raise WrongError(_LAYER, keys=(at,), found=each)
            if ("source" in each) == ("type" in each):
                raise WrongError(_LAYER, "E_REQUIRED", (at,), each)
            odd = each.keys() - _OF_LAYER.keys() if "source" in each else ()
            for key in sorted(odd):
                raise WrongError(_words(), "E_UNKNOWN", (at, key), key)
            for key, kind in _OF_LAYER.items():
                _inside(kind, each, at, key)
        return tuple(map(_layer, value))

    def rebased(self, value: Any, folder: str) -> tuple[Mapping[str, Any], ...]:
        """Let files begin at that folder."""
        return tuple(_layer_moved(each, folder) for each in value)


_OF_LAYER = {"source": Kind(), "name": Kind(), "optional": Flag(), "timeout": Seconds()}


def _words() -> str:
    return ", ".join(f"`{key}`" for key in _OF_LAYER)


def _inside(kind: Kind, layer: dict[str, Any], at: int, key: str) -> None:
    """Check one value of a layer; a source may be a table with a `type`, too."""
    value = layer.get(key)
    if key not in layer or (key == "source" and isinstance(value, dict | list)):
        return
    try:
        kind.take(value)
    except WrongError as exc:
        raise WrongError(exc.expected, exc.code, (at, key), value) from exc


def _layer(table: dict[str, Any]) -> dict[str, Any]:
    source = table.get("source")
    return {**table, "source": uri_of(source)} if isinstance(source, str) else table


def _layer_moved(layer: Any, folder: str) -> Any:
    """Let the files of a layer, or of a source with a `type`, begin at a folder."""
    if isinstance(layer, str):
        return moved(layer, folder)
    if isinstance(layer, list):
        return [_layer_moved(each, folder) for each in layer]
    if "source" in layer:
        return {**layer, "source": _layer_moved(layer["source"], folder)}
    if layer.get("type") == "file" and isinstance(layer.get("path"), str):
        return {**layer, "path": joined(folder, layer["path"])}
    return layer


def uri_of(word: str) -> str:
    """Return the URI of a source that may be given as a plain file."""
    there = os.path.exists(word)  # noqa: PTH110  # a `Path` raises for a long document
    return word if _URI.match(word) and not there else f"file:{word}"


def moved(uri: str, folder: str) -> str:
    """Return a URI whose file, if it is a relative one, begins at a folder.

    Of other sources than files and SQLite databases, only they know what is a path.
    """
    if found := _SQLITE.fullmatch(uri):
        return found[1] + joined(folder, found[2])
    scheme, _, rest = uri.partition(":")
    known = scheme == "file" and rest and not rest.startswith("$")
    return f"file:{joined(folder, rest)}" if known else uri


def joined(folder: str, path: str) -> str:
    """Return a path that begins at a folder, unless it is absolute."""
    return str(_path(folder, path)) if folder else path


def _path(*parts: str) -> Path:
    from pathlib import Path

    return Path(*parts)
