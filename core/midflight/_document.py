"""Documents and the module entries in them."""

from __future__ import annotations

import functools
import graphlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from midflight._values import FrozenDict, digest_of, freeze
from midflight.errors import (
    Code,
    Fault,
    InvalidConfigurationError,
    Path,
    Positions,
    shown,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ENTRY = frozenset({"name", "type", "config", "dependsOn"})


@attrs.frozen(eq=False)
class ModuleConfig:
    """One entry of `modules:`; its identity is (name, type).

    Args:
        name: unique in its document.
        type: the entry-point name, or a key of `Runtime(modules=…)`.
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
        return self is other or (
            self.name == other.name and self.digest == other.digest
        )

    def __hash__(self) -> int:
        return hash((self.name, self.type))

    def as_mapping(self) -> dict[str, Any]:
        """Return the entry as it would stand in a file."""
        entry: dict[str, Any] = {"name": self.name, "type": self.type}
        if self.config:
            entry["config"] = self.config
        if self.depends_on:
            entry["dependsOn"] = list(self.depends_on)
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
        faults: list[Fault] = []
        if not isinstance(raw, Mapping):
            fault = Fault(
                Code.E_TOPLEVEL,
                "the top level is not a mapping",
                found=type(raw).__name__,
                expected="a mapping with `modules:` and other sections",
            )
            raise InvalidConfigurationError(fault.under((), positions))
        rest = {key: value for key, value in raw.items() if key != "modules"}
        sections = freeze(rest, (), faults)
        modules = _modules(raw.get("modules"), faults)
        if faults:
            raise InvalidConfigurationError(
                [fault.under((), positions) for fault in faults]
            )
        return cls(FrozenDict(modules), sections)

    @functools.cached_property
    def digest(self) -> str:
        """The sha256 of the typed canonical form, made of the parts' digests."""
        return digest_of(
            [
                {name: module.digest for name, module in self.modules.items()},
                {name: digest_of(value) for name, value in self.sections.items()},
            ]
        )

    @functools.cached_property
    def build_order(self) -> tuple[str, ...]:
        """Module names, each after those it depends on, else in document order.

        Raises:
            InvalidConfigurationError: `E_DEP` for a dependency that is not there,
                `E_CYCLE` for modules that wait for each other.
        """
        faults = [
            Fault(
                Code.E_DEP,
                f"module `{module.name}` depends on `{name}`, which is not there",
                ("modules", module.name, "dependsOn", at),
                hint="add the module or remove the dependency",
            )
            for module in self.modules.values()
            for at, name in enumerate(module.depends_on)
            if name not in self.modules
        ]
        if faults:
            raise InvalidConfigurationError(faults)
        graph = {name: module.depends_on for name, module in self.modules.items()}
        try:
            return tuple(graphlib.TopologicalSorter(graph).static_order())
        except graphlib.CycleError as exc:
            ring = exc.args[1]
            msg = f"modules wait for each other: {' -> '.join(reversed(ring))}"
            fault = Fault(Code.E_CYCLE, msg, ("modules", ring[0], "dependsOn"))
            raise InvalidConfigurationError(fault) from None

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


def _modules(raw: Any, faults: list[Fault]) -> dict[str, ModuleConfig]:
    """Read `modules:`, a list of entries or a mapping of entries by name."""
    entries: Iterator[tuple[str | int, Any]]
    if raw is None:
        return {}
    if isinstance(raw, Mapping):
        entries = iter(raw.items())
    elif isinstance(raw, Sequence) and not isinstance(raw, str):
        entries = iter(enumerate(raw))
    else:
        faults.append(
            Fault(
                Code.E_TYPE,
                "`modules` is not a list",
                ("modules",),
                found=type(raw).__name__,
                expected="a list of modules, or a mapping of modules by name",
            )
        )
        return {}
    modules: dict[str, ModuleConfig] = {}
    first: dict[str, str | int] = {}
    for key, entry in entries:
        module = _module(key, entry, ("modules", key), faults)
        if module is None:
            continue
        if module.name in first:
            faults.append(
                Fault(
                    Code.E_DUPMODULE,
                    f"module `{module.name}` is defined twice",
                    ("modules", key),
                    found=f"first at modules[{first[module.name]}]",
                    hint="rename one of them or remove it",
                )
            )
        first.setdefault(module.name, key)
        modules[module.name] = module
    return modules


def _module(
    key: str | int, entry: Any, path: Path, faults: list[Fault]
) -> ModuleConfig | None:
    """Read one entry; note its faults and return `None` if it has any."""
    before = len(faults)
    if not isinstance(entry, Mapping):
        faults.append(
            Fault(
                Code.E_TYPE,
                "module entry is not a mapping",
                path,
                found=shown(entry),
                expected="a mapping with `name`, `type` and `config`",
            )
        )
        return None
    name = key if isinstance(key, str) else _string(entry, "name", path, faults)
    kind = _string(entry, "type", path, faults)
    if name and not _NAME.fullmatch(name):
        faults.append(
            Fault(
                Code.E_NAME,
                "module name is not allowed",
                (*path, "name") if isinstance(key, int) else path,
                found=ascii(name)[:60],
                expected="a letter or digit, then up to 62 of A-Z a-z 0-9 . _ -",
            )
        )
    frozen = freeze(entry, path, faults, depth=1)
    config = frozen.get("config")
    if not isinstance(config, FrozenDict | None):
        faults.append(
            Fault(
                Code.E_TYPE,
                "`config` is not a mapping",
                (*path, "config"),
                found=shown(config),
                expected="a mapping",
            )
        )
    needs = _needs(frozen.get("dependsOn"), path, faults)
    if len(faults) > before:
        return None
    own = _ENTRY if isinstance(key, int) else _ENTRY - {"name"}
    extra = {word: value for word, value in frozen.items() if word not in own}
    return ModuleConfig(name, kind, config or FrozenDict(), needs, FrozenDict(extra))


def _string(
    entry: Mapping[Any, Any], key: str, path: Path, faults: list[Fault]
) -> str:
    """Return a required string of an entry, or note why it is not there."""
    value = entry.get(key)
    if isinstance(value, str) and value:
        return str(value)
    if value is None or value == "":
        msg = f"module entry has no `{key}`"
        faults.append(Fault(Code.E_REQUIRED, msg, path, expected=f"a `{key}`"))
        return ""
    faults.append(
        Fault(
            Code.E_TYPE,
            f"`{key}` is not a string",
            (*path, key),
            found=shown(value),
            expected="a string",
            hint="quote it",
        )
    )
    return ""


def _needs(value: Any, path: Path, faults: list[Fault]) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        return value
    faults.append(
        Fault(
            Code.E_TYPE,
            "`dependsOn` is not a list of module names",
            (*path, "dependsOn"),
            found=shown(value),
            expected="a list of strings",
        )
    )
    return ()
