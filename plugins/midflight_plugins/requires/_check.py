"""Compares a section `requires` with what is installed; nothing is imported for it."""

from __future__ import annotations

import contextlib
import difflib
import importlib.metadata
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from midflight import Fault
from midflight.errors import Code, Path, did_you_mean, shown

GROUP = "midflight.capabilities"
_USABLE = frozenset({"available", "loaded"})
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_TOP: Path = ("requires",)
_ENTRY = "{name: DISTRIBUTION, version: '>=1.2'}"


def unmet(section: Any, entries: Iterable[Any]) -> tuple[Fault, ...]:
    """Return what a section asks for that is not there, and what is wrong with it.

    Args:
        section: what stands under `requires`.
        entries: the entry points that the runtime knows.
    """
    if section is None:
        return ()
    if not isinstance(section, Mapping):
        return (_type(_TOP, section, "a mapping with `plugins` and `capabilities`"),)
    faults = _unknown(section, ("plugins", "capabilities"), _TOP)
    for at, wanted in _listed(section, "plugins", _ENTRY, faults):
        faults += _plugin(wanted, (*_TOP, "plugins", at))
    named = list(_listed(section, "capabilities", "a name", faults))
    offered = _offered(entries) if named else {}
    for at, wanted in named:
        faults += _capability(wanted, offered, (*_TOP, "capabilities", at))
    return tuple(faults)


def _listed(
    section: Mapping[str, Any], key: str, what: str, faults: list[Fault]
) -> Iterable[tuple[int, Any]]:
    value = section.get(key)
    if isinstance(value, list | tuple):
        return enumerate(value)
    if value is not None:
        faults.append(_type((*_TOP, key), value, f"a list, each {what}"))
    return ()


def _type(path: Path, found: Any, expected: str, hint: str = "") -> Fault:
    msg = f"`{path[-1]}` has a wrong form"
    if isinstance(path[-1], int):
        msg = "requirement has a wrong form"
    return Fault(
        Code.E_TYPE, msg, path, found=_words(found), expected=expected, hint=hint
    )


def _words(found: Any) -> str:
    """Name a mapping or a list, and show anything else."""
    if isinstance(found, Mapping):
        return "a mapping"
    return "a list" if isinstance(found, list | tuple) else shown(found)


def _unknown(raw: Mapping[str, Any], known: Sequence[str], path: Path) -> list[Fault]:
    """Note keys that mean nothing: what they were to ask for would not be looked at."""
    return [
        Fault(
            Code.E_UNKNOWN,
            f"`{key}` is not known",
            (*path, key),
            hint=did_you_mean(str(key), known),
        )
        for key in raw
        if key not in known
    ]


# -- distributions -------------------------------------------------------------------


def _plugin(wanted: Any, path: Path) -> list[Fault]:
    """Check one distribution: installed, and of a version that will do."""
    if isinstance(wanted, str):
        wanted = {"name": wanted}
    if not isinstance(wanted, Mapping):
        return [_type(path, wanted, _ENTRY)]
    faults = _unknown(wanted, ("name", "version"), path)
    name, version = wanted.get("name"), wanted.get("version")
    if not isinstance(name, str):
        code = Code.E_REQUIRED if name is None else Code.E_TYPE
        msg = "a required plugin has no `name`"
        found = "" if name is None else _words(name)
        return [*faults, Fault(code, msg, path, found=found, expected=_ENTRY)]
    if not _NAME.fullmatch(name):
        msg, expected = "no name of a distribution", "letters, digits, `.`, `_`, `-`"
        where = (*path, "name")
        return [
            *faults,
            Fault(Code.E_VALUE, msg, where, None, shown(name), expected, _apart(name)),
        ]
    if not isinstance(version, str | None):
        hint = f'quote it: "{version}"'
        return [*faults, _type((*path, "version"), version, "a string", hint)]
    return [*faults, *_installed(name, version or "", path)]


def _apart(text: str) -> str:
    """Return the hint for a name that stands in one text with its version."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        found = Requirement(text)
    except InvalidRequirement:
        return ""
    if found.url or found.extras or found.marker or not found.specifier:
        return ""
    return f"write {{name: {found.name}, version: '{found.specifier}'}}"


def _installed(name: str, version: str, path: Path) -> list[Fault]:
    """Compare an installed version with a specifier; a bare version is the least."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    bare = version.strip()
    text = f">={bare}" if bare[:1].isdigit() else bare
    try:
        specifier = SpecifierSet(text)
    except InvalidSpecifier:
        msg, rule = "no version specifier", "one such as `>=1.2,<2`"
        where = (*path, "version")
        return [Fault(Code.E_VALUE, msg, where, found=shown(version), expected=rule)]
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = ""
    try:
        # What is installed counts, also a pre-release, as for an installer.
        fits = bool(found) and specifier.contains(found, prereleases=True)
    except InvalidVersion:
        fits = False
    if fits:
        return []
    wanted = f"{name}{specifier}"
    msg = f"plugin `{name}` is not installed"
    if found:
        msg = f"plugin `{name}` is installed in a version that will not do"
    return [
        Fault(
            Code.E_REQUIRES,
            msg,
            path,
            found=found or "no such distribution",
            expected=str(specifier) or "any version",
            hint=f"run: pip install {shlex.quote(wanted)}",
        )
    ]


# -- capabilities --------------------------------------------------------------------


def _offered(entries: Iterable[Any]) -> dict[str, str]:
    """Return what is offered, as `module:http` and `http`, with what is amiss with it.

    A distribution offers the names of its plugins, and any other by an entry point of
    the group `midflight.capabilities`.
    """
    offered: dict[str, str] = {}
    for entry in entries:
        amiss = "" if entry.state in _USABLE else entry.reason or entry.state
        for name in (f"{entry.role}:{entry.name}", entry.name):
            if offered.get(name) != "":
                offered[name] = amiss
    for each in importlib.metadata.distributions():
        with contextlib.suppress(Exception):  # what one has spoilt is its own
            for point in each.entry_points.select(group=GROUP):
                offered[point.name] = ""
    return offered


def _capability(wanted: Any, offered: Mapping[str, str], path: Path) -> list[Fault]:
    if not isinstance(wanted, str):
        return [_type(path, wanted, "a name, such as `module:http`")]
    amiss = offered.get(wanted)
    if amiss == "":
        return []
    near = difflib.get_close_matches(wanted, offered, n=1, cutoff=0.8)
    hint = "install the distribution that offers it, and name it under `plugins`"
    if near:
        hint = f"did you mean `{near[0]}`?"
    elif amiss:
        hint = "install it again"
    return [
        Fault(
            Code.E_REQUIRES,
            f"nothing installed offers the capability `{wanted}`",
            path,
            found=f"it cannot be used: {amiss}" if amiss else "nothing of that name",
            expected=f"a plugin of that name, or an entry point of `{GROUP}`",
            hint=hint,
        )
    ]
