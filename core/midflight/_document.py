"""Documents and the module entries in them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from midflight._values import FrozenDict, digest_of, freeze
from midflight.errors import (
    Code,
    Faults,
    InvalidConfigurationError,
    Path,
    Positions,
    shown,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ENTRY = ("name", "type", "config", "dependsOn")
_NAME_RULE = "a letter or digit, then up to 62 of A-Z a-z 0-9 . _ -"


@attrs.frozen(eq=False)
class ModuleConfig:
    """One entry of `modules:`; its identity is (name, type).

    Args:
        name: unique in its document.
        type: the entry-point name, or a key of `Runtime(modules=…)`; empty if it is
            left to another layer. What runs has one.
        config: the module's own settings, frozen.
        depends_on: names of the modules that must start before it.
        extra: every other key of the entry, kept as it stood.
    """

    name: str
    type: str
    config: Mapping[str, Any] = attrs.field(factory=FrozenDict)
    depends_on: tuple[str, ...] = ()
    extra: Mapping[str, Any] = attrs.field(factory=FrozenDict)

    @functools.cached_property
    def digest(self) -> str:
        """The sha256 of this entry's typed canonical form."""
        return digest_of([self.type, self.config, self.depends_on, self.extra])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ModuleConfig):
            return NotImplemented
        return self is other or (self.name, self.digest) == (other.name, other.digest)

    def __hash__(self) -> int:
        return hash((self.name, self.type))

    def as_mapping(self) -> dict[str, Any]:
        """Return the entry as it would stand in a file."""
        entry: dict[str, Any] = {"name": self.name}
        entry |= {"type": self.type} if self.type else {}
        entry["config"] = self.config
        entry |= {"dependsOn": list(self.depends_on)} if self.depends_on else {}
        return entry | dict(self.extra)


@attrs.frozen(eq=False)
class Document:
    """One immutable configuration: modules by name, and every other section.

    Args:
        modules: the entries of `modules:` by name, in document order.
        sections: every other top-level key, frozen.
    """

    modules: Mapping[str, ModuleConfig] = attrs.field(factory=FrozenDict)
    sections: Mapping[str, Any] = attrs.field(factory=FrozenDict)

    @classmethod
    def from_mapping(
        cls, raw: Mapping[str, Any], positions: Positions | None = None
    ) -> Document:
        """Build a document from parsed configuration; the input is copied.

        Args:
            raw: the top-level mapping; `modules` is a list of entries with `name`,
                or a mapping of entries by name.
            positions: finds the place of a path, for errors.

        Raises:
            InvalidConfigurationError: with every fault found, each with its place.
        """
        faults, modules, sections = Faults(), FrozenDict(), FrozenDict()
        if not isinstance(raw, Mapping):
            msg, wanted = "the top level is not a mapping", "`modules:` and sections"
            found = type(raw).__name__
            faults.add(Code.E_TOPLEVEL, msg, found=found, expected=wanted)
        else:
            _misspelt(raw, ("modules",), (), faults)
            rest = {key: value for key, value in raw.items() if key != "modules"}
            sections = freeze(rest, (), faults)
            modules = FrozenDict(_modules(raw.get("modules", ()), faults))
        document = cls(modules, sections)
        if faults:
            placed = [fault.under((), positions) for fault in faults]
            raise InvalidConfigurationError(placed, document, positions)
        return document

    @functools.cached_property
    def digest(self) -> str:
        """The sha256 of the typed canonical form, made of the parts' digests."""
        import hashlib

        modules = self.modules
        text = "".join([f"{name}:{modules[name].digest};" for name in sorted(modules)])
        parts = {name: digest_of(value) for name, value in self.sections.items()}
        return hashlib.sha256(f"{text}\n{digest_of(parts)}".encode()).hexdigest()

    @functools.cached_property
    def build_order(self) -> tuple[str, ...]:
        """Module names, each after those it depends on, else in document order.

        Raises:
            InvalidConfigurationError: `E_DEP` for a dependency that is not there,
                `E_CYCLE` for modules that wait for each other.
        """
        needs = {name: m.depends_on for name, m in self.modules.items() if m.depends_on}
        if not needs:
            return tuple(self.modules)
        faults, hint = Faults(), "add the module or remove the dependency"
        for name, others in needs.items():
            for at, other in enumerate(others):
                if other not in self.modules:
                    msg = f"module `{name}` depends on `{other}`, which is not there"
                    path = ("modules", name, "dependsOn", at)
                    faults.add(Code.E_DEP, msg, path, hint=hint)
        import graphlib

        graph = dict.fromkeys(self.modules, ()) | needs
        try:
            if not faults:
                return tuple(graphlib.TopologicalSorter(graph).static_order())
        except graphlib.CycleError as exc:
            ring = exc.args[1]
            msg = f"modules wait for each other: {' -> '.join(reversed(ring))}"
            faults.add(Code.E_CYCLE, msg, ("modules", ring[0], "dependsOn"))
        raise InvalidConfigurationError(faults)

    def order_as(self, other: Document) -> None:
        """Take the build order of a document with the same names and dependencies."""
        object.__setattr__(self, "build_order", other.build_order)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Document):
            return NotImplemented
        return self is other or self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def as_mapping(self) -> dict[str, Any]:
        """Return the document as it would stand in a file, modules as a list."""
        modules = [module.as_mapping() for module in self.modules.values()]
        return {"modules": modules, **self.sections}


def _modules(raw: Any, faults: Faults) -> dict[str, ModuleConfig]:
    """Read `modules:`, a list of entries or a mapping of entries by name."""
    entries: Iterable[tuple[str | int, Any]] = ()
    if isinstance(raw, Mapping):
        entries = [(str(key), entry) for key, entry in raw.items()]
        freeze(dict.fromkeys(raw), ("modules",), faults)
    elif isinstance(raw, list | tuple):
        entries = enumerate(raw)
    elif raw is None:
        msg, hint = "`modules` is null", "write `modules: []` if there are none"
        faults.add(Code.E_NULL, msg, ("modules",), expected="a list", hint=hint)
    else:
        msg, wanted = "`modules` is not a list", "a list, or a mapping by name"
        faults.add(Code.E_TYPE, msg, ("modules",), found=shown(raw), expected=wanted)
    modules: dict[str, ModuleConfig] = {}
    first: dict[str, str | int] = {}
    for key, entry in entries:
        path: Path = ("modules", key)
        module = _module(key, entry, path, faults)
        if module is None:
            continue
        if module.name in first:
            msg, hint = f"module `{module.name}` is defined twice", "rename one of them"
            found = f"the first at modules[{first[module.name]}]"
            faults.add(Code.E_DUPMODULE, msg, path, found=found, hint=hint)
        first.setdefault(module.name, key)
        modules[module.name] = module
    return modules


def _module(
    key: str | int, entry: Any, path: Path, faults: Faults
) -> ModuleConfig | None:
    """Read one entry; note its faults and return `None` if it has any."""
    before = len(faults)
    if not isinstance(entry, Mapping):
        msg, wanted = "module entry is not a mapping", "`name`, `type` and `config`"
        faults.add(Code.E_TYPE, msg, path, found=shown(entry), expected=wanted)
        return None
    listed = isinstance(key, int)
    _misspelt(entry, _ENTRY if listed else _ENTRY[1:], path, faults)
    name = _string(entry, "name", path, faults) if listed else str(key)
    typed = entry.get("type") not in (None, "")
    kind = _string(entry, "type", path, faults) if typed else ""
    if name and not _NAME.fullmatch(name):
        msg, where = "module name is not allowed", (*path, "name") if listed else path
        faults.add(Code.E_NAME, msg, where, found=shown(name), expected=_NAME_RULE)
    rest = dict(freeze(entry, path, faults, depth=1))
    if rest.pop("name", name) != name and not listed:
        msg, where = "`name` is not the key of the entry", (*path, "name")
        faults.add(Code.E_NAME, msg, where, expected=shown(name), hint="remove it")
    rest.pop("type", None)
    config = rest.pop("config", None)
    if not isinstance(config, FrozenDict | None):
        faults.add(
            Code.E_TYPE,
            "`config` is not a mapping",
            (*path, "config"),
            found=shown(config),
        )
    needs = () if (found := rest.pop("dependsOn", None)) is None else found
    if not isinstance(needs, tuple) or not all(isinstance(n, str) for n in needs):
        faults.add(
            Code.E_TYPE,
            "`dependsOn` is not a list of names",
            (*path, "dependsOn"),
            found=shown(needs),
            expected="a list of strings",
        )
    if len(faults) > before:
        return None
    return ModuleConfig(name, kind, config or FrozenDict(), needs, FrozenDict(rest))


def _misspelt(
    raw: Mapping[Any, Any], words: tuple[str, ...], path: Path, faults: Faults
) -> None:
    """Note keys that look like one of ours that is not there; keep all others."""
    missing = [word for word in words if word not in raw]
    odd = [key for key in raw if isinstance(key, str) and key not in words]
    for key in odd if missing else ():
        import difflib

        for near in difflib.get_close_matches(key, missing, n=1, cutoff=0.8):
            msg, hint = f"`{key}` is not known", f"did you mean `{near}`?"
            faults.add(Code.E_UNKNOWN, msg, (*path, key), hint=hint)


def _string(entry: Mapping[Any, Any], key: str, path: Path, faults: Faults) -> str:
    """Return a required string of an entry, or note why it is not there."""
    value = entry.get(key)
    if isinstance(value, str) and value:
        return str(value)
    if value is None or value == "":
        msg = f"module entry has no `{key}`"
        faults.add(Code.E_REQUIRED, msg, path, expected=f"a `{key}`")
    else:
        msg, where = f"`{key}` is not a string", (*path, key)
        faults.add(Code.E_TYPE, msg, where, found=shown(value), hint="quote it")
    return ""
