"""Documents and the module entries in them."""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs

from midflight._values import FrozenDict, digest_of, fixed, freeze
from midflight.errors import (
    Code,
    Fault,
    Faults,
    InvalidConfigurationError,
    Path,
    Positions,
    shown,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_BLOCK = 64  # modules: of a document in which one changed, one block is hashed again
_Block = tuple[list[str], str]
_ENTRY = ("name", "type", "config", "dependsOn")
_WORDS = frozenset({"modules", *_ENTRY})


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
    # By hand: `cached_property` and slots took longer than the digest itself.
    _digest: str = attrs.field(default="", init=False, repr=False)

    @property
    def digest(self) -> str:
        """The sha256 of this entry's typed canonical form."""
        if not self._digest:
            form = [self.type, self.config, self.depends_on, self.extra]
            object.__setattr__(self, "_digest", digest_of(form))
        return self._digest

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ModuleConfig):
            return NotImplemented
        return self is other or (
            self.name == other.name
            and self.config == other.config  # all in C; types are left to the digest
            and self.digest == other.digest
        )

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

    modules: Mapping[str, ModuleConfig] = attrs.field(
        factory=FrozenDict, converter=fixed
    )
    sections: Mapping[str, Any] = attrs.field(factory=FrozenDict, converter=fixed)

    @classmethod
    def from_mapping(
        cls, raw: Mapping[str, Any], positions: Positions | None = None
    ) -> Document:
        """Build a document from parsed configuration; the input is copied.

        Args:
            raw: the top level; `modules` is a list of entries, or a mapping by name.
            positions: finds the place of a path, for errors.

        Raises:
            InvalidConfigurationError: with every fault found, each with its place.
        """
        faults, modules, sections = Faults(), FrozenDict(), FrozenDict()
        if not isinstance(raw, Mapping):
            faults.add(
                Code.E_TOPLEVEL,
                "the top level is not a mapping",
                found=type(raw).__name__,
                expected="`modules:` and sections",
            )
        else:
            _misspelt(raw, {"modules"} - raw.keys(), (), faults)
            rest = {key: value for key, value in raw.items() if key != "modules"}
            sections = freeze(rest, (), faults)
            modules = FrozenDict(_modules(raw.get("modules", ()), faults))
        document = cls(modules, sections)
        if faults:
            raise InvalidConfigurationError(
                [fault.under((), positions) for fault in faults], document, positions
            )
        return document

    @functools.cached_property
    def digest(self) -> str:
        """The sha256 of the typed canonical form, made of the parts' digests."""
        parts = {name: digest_of(value) for name, value in self.sections.items()}
        return digest_of([[digest for _, digest in self._blocks], parts])

    @functools.cached_property
    def _blocks(self) -> list[_Block]:
        """Names in their order, cut into blocks, with the digest of each block."""
        names = sorted(self.modules)
        return [
            self._block(names[at : at + _BLOCK]) for at in range(0, len(names), _BLOCK)
        ]

    def _block(self, names: list[str]) -> _Block:
        return names, digest_of([[name, self.modules[name].digest] for name in names])

    @functools.cached_property
    def build_order(self) -> tuple[str, ...]:
        """Module names, each after those it depends on, else in document order.

        Raises:
            InvalidConfigurationError: `E_DEP` for one not there, `E_CYCLE` for a ring.
        """
        needs = {name: m.depends_on for name, m in self.modules.items() if m.depends_on}
        if not needs:
            return tuple(self.modules)
        faults = [
            Fault(
                Code.E_DEP,
                f"module `{name}` depends on `{other}`, which is not there",
                ("modules", name, "dependsOn", at),
                hint="add the module or remove the dependency",
            )
            for name, others in needs.items()
            for at, other in enumerate(others)
            if other not in self.modules
        ]
        if faults:
            raise InvalidConfigurationError(faults)
        import graphlib

        graph = dict.fromkeys(self.modules, ()) | needs
        try:
            return tuple(graphlib.TopologicalSorter(graph).static_order())
        except graphlib.CycleError as exc:
            ring = exc.args[1]
            waits, path = " -> ".join(reversed(ring)), ("modules", ring[0], "dependsOn")
            raise InvalidConfigurationError(
                Fault(Code.E_CYCLE, f"modules wait for each other: {waits}", path)
            ) from None

    def resemble(self, other: Document, changed: Collection[str]) -> None:
        """Take what is known of a document with the same names and still true here.

        Args:
            other: that document.
            changed: the names of the modules that differ.
        """
        new, old = self.modules, other.modules
        if [*new] == [*old] and all(
            new[name].depends_on == old[name].depends_on for name in changed
        ):
            object.__setattr__(self, "build_order", other.build_order)
        self.share_digests(other, changed)

    def share_digests(self, other: Document, changed: Collection[str]) -> None:
        """Take no more than the digests; both have the same names, as in `resemble`."""
        blocks = other._blocks.copy()
        first = [names[0] for names, _ in blocks]
        for at in {bisect.bisect(first, name) - 1 for name in changed}:
            blocks[at] = self._block(blocks[at][0])
        object.__setattr__(self, "_blocks", blocks)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Document):
            return NotImplemented
        return self is other or self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def as_mapping(self) -> dict[str, Any]:
        """Return the document as it would stand in a file, modules as a list."""
        return {
            "modules": [module.as_mapping() for module in self.modules.values()],
            **self.sections,
        }


def _modules(raw: Any, faults: Faults) -> dict[str, ModuleConfig]:
    """Read `modules:`, a list of entries or a mapping of entries by name."""
    entries: Iterable[tuple[str | int, Any]] = ()
    if isinstance(raw, Mapping):
        entries = [(str(key), entry) for key, entry in raw.items()]
        freeze(dict.fromkeys(raw), ("modules",), faults)
    elif isinstance(raw, list | tuple):
        entries = enumerate(raw)
    elif raw is None:
        faults.add(
            Code.E_NULL,
            "`modules` is null",
            ("modules",),
            expected="a list",
            hint="write `modules: []` if there are none",
        )
    else:
        faults.add(
            Code.E_TYPE,
            "`modules` is not a list",
            ("modules",),
            found=shown(raw),
            expected="a list, or a mapping by name",
        )
    modules: dict[str, ModuleConfig] = {}
    first: dict[str, str | int] = {}
    for key, entry in entries:
        path: Path = ("modules", key)
        module = _module(key, entry, path, faults)
        if module is None:
            continue
        if first.setdefault(module.name, key) != key:
            faults.add(
                Code.E_DUPMODULE,
                f"module `{module.name}` is defined twice",
                path,
                found=f"the first at modules[{first[module.name]}]",
                hint="rename one of them",
            )
        modules[module.name] = module
    return modules


def _module(
    key: str | int, entry: Any, path: Path, faults: Faults
) -> ModuleConfig | None:
    """Read one entry; note its faults and return `None` if it has any."""
    before = len(faults)
    if not isinstance(entry, Mapping):
        faults.add(
            Code.E_TYPE,
            "module entry is not a mapping",
            path,
            found=shown(entry),
            expected="`name`, `type` and `config`",
        )
        return None
    listed = isinstance(key, int)
    absent = {"name": None if listed else key, "config": None, "dependsOn": None}
    rest: dict[str, Any] = absent | freeze(entry, path, faults, depth=1)
    empty = [word for word in _ENTRY if rest.get(word) in (None, "", ())]
    _misspelt(entry, empty, path, faults)
    name = _string(entry, "name", path, faults) if listed else str(key)
    kind = _string(entry, "type", path, faults)
    if listed and entry.get("name") in (None, ""):
        faults.add(
            Code.E_REQUIRED, "module entry has no `name`", path, expected="a `name`"
        )
    if name and not _NAME.fullmatch(name):
        faults.add(
            Code.E_NAME,
            "module name is not allowed",
            (*path, "name") if listed else path,
            found=shown(name),
            expected="a letter or digit, then up to 62 of A-Z a-z 0-9 . _ -",
        )
    if not listed and rest["name"] != name:
        faults.add(
            Code.E_NAME,
            "`name` is not the key of the entry",
            (*path, "name"),
            expected=shown(name),
            hint="remove it",
        )
    config = FrozenDict() if rest["config"] is None else rest["config"]
    needs = () if rest["dependsOn"] is None else rest["dependsOn"]
    if not isinstance(config, FrozenDict):
        msg = "`config` is not a mapping"
        faults.add(Code.E_TYPE, msg, (*path, "config"), found=shown(config))
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
    extra = {word: rest[word] for word in rest if word not in _ENTRY}
    return ModuleConfig(name, kind, config, needs, FrozenDict(extra))


def _misspelt(
    raw: Mapping[Any, Any], empty: Collection[str], path: Path, faults: Faults
) -> None:
    """Note keys that look like a word of ours without a value; keep all others."""
    odd = [key for key in raw if isinstance(key, str) and key not in _WORDS]
    for key in odd if empty else ():
        import difflib

        for near in difflib.get_close_matches(key, empty, n=1, cutoff=0.8):
            faults.add(
                Code.E_UNKNOWN,
                f"`{key}` is not known",
                (*path, key),
                hint=f"did you mean `{near}`?",
            )


def _string(entry: Mapping[Any, Any], key: str, path: Path, faults: Faults) -> str:
    """Return a string of an entry; it is empty if there is none."""
    value = entry.get(key)
    if isinstance(value, str | None):
        return str(value or "")
    faults.add(
        Code.E_TYPE,
        f"`{key}` is not a string",
        (*path, key),
        found=shown(value),
        hint="quote it",
    )
    return ""
