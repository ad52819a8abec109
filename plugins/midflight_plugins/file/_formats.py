"""The formats of files, for sources that fetch their bytes from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from midflight import Fault, Loaded, hookimpl
from midflight.errors import Code, InvalidConfigurationError, shown
from midflight_plugins.file._limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from midflight import Runtime
    from midflight_plugins.file._cache import Cache
    from midflight_plugins.file._unit import Unit

_FORMATS = frozenset({"yaml", "yml", "json", "toml"})
_LIMITS = Limits()
_MOST_KEPT = 16  # texts that are remembered: each holds its bytes and its document

# What each source gave last, oldest first. It serves every runtime of the process, and
# needs no lock, which a fork could leave closed: a lost entry costs one full parse.
_kept: dict[str, Unit] = {}
_caches: dict[Path | None, Cache] = {}


@hookimpl
def parse(data: bytes, format: str, name: str, runtime: Runtime) -> Loaded | None:  # noqa: A002  # the hook's name
    """Read YAML, JSON or TOML as it would be read from a file of its own.

    Of a text that was read before under the same name, only the modules that changed
    are read again.

    Raises:
        InvalidConfigurationError: with every fault, each with its place.
    """
    if format not in _FORMATS:
        return None
    unit = _unit(data, f".{format}", name, _cache(runtime))
    faults = [*map(_worded, unit.faults), *_leads_away(unit)]
    if faults or unit.document is None:
        raise InvalidConfigurationError(faults, unit.document, unit.place)
    _keep(unit)
    return Loaded(unit.document, positions=unit.place, text=unit.text)


def _cache(runtime: Runtime) -> Cache:
    state_dir = getattr(runtime, "state_dir", None)
    found = _caches.get(state_dir)
    if found is None:
        from midflight_plugins.file._cache import Cache

        found = _caches.setdefault(state_dir, Cache(state_dir))
    return found


def _unit(data: bytes, form: str, name: str, cache: Cache) -> Unit:
    """Parse bytes, unless they or most of them were parsed before."""
    from midflight_plugins.file._unit import Unit, build, rebuild

    limits, before = _LIMITS, _kept.get(name)
    if len(data) > limits.max_size:
        fault = limits.too_large(name, f"{len(data)} bytes")
        fault = attrs.evolve(fault, hint="split it")
        return Unit(name, data, name, limits, faults=[fault])
    if before is None or before.form != form:
        before = cache.read(name, len(data), limits, form)
    if before is not None and before.data == data:
        return before
    unit = before and rebuild(before, data, name)
    if unit is None:
        unit = build(name, data, name, limits, before, form=form)
        cache.write(unit)
    return unit


def _worded(fault: Fault) -> Fault:
    """Say what is wrong with a text that is no file."""
    message = fault.message.replace("the file", "the text", 1)
    hint = "keep one of them" if fault.code is Code.E_MULTIDOC else fault.hint
    return attrs.evolve(fault, message=message, hint=hint.replace("the file", "it"))


def _leads_away(unit: Unit) -> list[Fault]:
    """Refuse what names other files: there is no directory to find them in."""
    return [
        Fault(
            Code.E_IMPORT_PATH,
            "a stored text cannot name other files",
            reference.path,
            unit.place(reference.path),
            found=shown(reference.file, 120),
            hint="store what they hold as one document",
        )
        for reference in (*unit.imports, *unit.workflows)
    ]


def _keep(unit: Unit) -> None:
    _kept.pop(unit.name, None)
    _kept[unit.name] = unit
    for name in list(_kept)[:-_MOST_KEPT]:
        _kept.pop(name, None)
