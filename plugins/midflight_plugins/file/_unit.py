"""One configuration file, parsed and checked by itself."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from midflight import Document
from midflight.errors import Code, Fault, InvalidConfigurationError, Path, Place, shown
from midflight_plugins.file import _json, _toml, _yaml
from midflight_plugins.file._incremental import Chunks, cut, splice, spots
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._sample import Sampler, every
from midflight_plugins.file._text import Parsed, Spot, decode

_LARGE = 65_536
_PARSERS = {
    ".yaml": _yaml.parse,
    ".yml": _yaml.parse,
    ".json": _json.parse,
    ".toml": _toml.parse,
}
_TEXTS = frozenset({".yaml", ".yml", ".json"})

# One of the whole process: what is wrong once may be wrong with every file.
_sampler = Sampler()


@attrs.frozen
class Reference:
    """A file named by another: under `imports:`, or as a workflow."""

    file: str
    path: Path


@attrs.define(eq=False, repr=False)  # a `Loaded` shows it, by its positions
class Unit:
    """One file of a configuration.

    Args:
        name: the file as the user would write it; places carry it.
        data: its bytes, which is what it was parsed from.
        real: where the file really is.
        limits: the bounds it was parsed under.
        document: its own modules and sections; `None` if it has faults.
        imports: the files it imports, in order.
        workflows: the workflow files of its `application:`, in order.
        faults: what is wrong with it.
        layout: where its modules stand, if an edit of one can be read by itself.
        form: the suffix that says how it is read, if its name has none.
    """

    name: str
    data: bytes
    real: str
    limits: Limits
    document: Document | None = None
    imports: tuple[Reference, ...] = ()
    workflows: tuple[Reference, ...] = ()
    faults: list[Fault] = attrs.field(factory=list)
    layout: Chunks | None = None
    form: str = attrs.field(default="", kw_only=True)
    _spots: dict[Path, Spot] | None = None
    _rows: dict[str, int] = attrs.field(factory=dict)
    _modules: dict[str, dict[Path, Spot]] = attrs.field(factory=dict)

    @property
    def text(self) -> bytes | None:
        """What its author wrote: YAML or JSON that names no other file, else `None`.

        A byte order mark stays, so that it can be stored as it is.
        """
        form = self.form or suffix(self.name)
        alone = not (self.imports or self.workflows)
        return self.data if alone and form in _TEXTS else None

    def place(self, path: Path) -> Place:
        """Return the place of a path, or of its nearest parent."""
        found = self.exact(path)
        return found or Place(self.name, *self._look_up().get((), (1, 1)))

    def exact(self, path: Path, *, least: int = 0) -> Place | None:
        """Return the place of the longest known part of a path.

        Args:
            path: of a value; modules by name or by position.
            least: how many keys of the path must be known.
        """
        spots, top = self._near(path), 2
        if spots is None:
            spots, top = self._look_up(), 0
            is_named = len(path) > 1 and isinstance(path[1], str)
            if is_named and path[0] == "modules" and path not in spots:
                row = self._rows.get(str(path[1]))
                path = path if row is None else ("modules", row, *path[2:])
        rest = path[top:]
        while rest and top + len(rest) > least and rest not in spots:
            rest = rest[:-1]
        spot = spots.get(rest)
        return Place(self.name, *spot) if spot and top + len(rest) >= least else None

    def _near(self, path: Path) -> dict[Path, Spot] | None:
        """Return the places in one module, if its text can be read by itself."""
        if self.layout is None or self.document is None or self._spots is not None:
            return None
        names, name = self.document.modules, path[1] if len(path) > 1 else None
        if path[:1] != ("modules",) or not isinstance(name, str) or name not in names:
            return None
        if name not in self._modules:
            form, row = self.form or suffix(self.name), list(names).index(name)
            found = spots(self.layout, self.data, row, form, self.limits)
            self._modules[name] = found
        return self._modules[name]

    def _look_up(self) -> dict[Path, Spot]:
        """Walk the text again, noting places; done only when there is an error."""
        if self._spots is None:
            parsed = parse(
                self.data, self.name, self.limits, form=self.form, record=True
            )
            raw = parsed.value if isinstance(parsed.value, Mapping) else {}
            modules = raw.get("modules")
            for row, entry in enumerate(modules if isinstance(modules, list) else ()):
                name = entry.get("name") if isinstance(entry, Mapping) else None
                if isinstance(name, str):
                    self._rows.setdefault(name, row)
            self._spots = parsed.spots  # last: another thread may look places up
        return self._spots


def suffix(name: str) -> str:
    """Return the suffix that says what format a file has."""
    return os.path.splitext(name)[1].lower()


def parse(
    data: bytes, name: str, limits: Limits, *, form: str = "", record: bool = False
) -> Parsed:
    """Parse bytes by `form`, which by default is the suffix of their file's name."""
    parser = _PARSERS.get(form or suffix(name))
    if parser is None:
        fault = Fault(
            Code.E_FORMAT,
            "the file has no known format",
            place=Place(name),
            found=os.path.splitext(name)[1] or "no suffix",
            expected=", ".join(_PARSERS),
            hint="rename the file",
        )
        return Parsed(faults=[fault], complete=False)
    faults: list[Fault] = []
    text = decode(data, name, faults)
    if text is None:
        return Parsed(faults=faults, complete=False)
    parsed = parser(text, name, limits, record=record)
    parsed.text = text
    return parsed


def build(
    name: str,
    data: bytes,
    real: str,
    limits: Limits,
    before: Unit | None = None,
    *,
    form: str = "",
) -> Unit:
    """Parse and check one file; every fault of it ends up in the unit.

    Args:
        name: the file as the user would write it.
        data: its bytes.
        real: where it really is.
        limits: bounds on its size and depth.
        before: the file as it was; modules that are alike are shared with it.
        form: the suffix that says how it is read, if its name has none.
    """
    unit = Unit(name, data, real, limits, form=form)
    with uncollected(len(data)):
        _build(unit, before)
    return unit


def _build(unit: Unit, before: Unit | None) -> None:
    parsed = parse(unit.data, unit.name, unit.limits, form=unit.form)
    unit.faults.extend(parsed.faults)
    raw = parsed.value
    if not isinstance(raw, Mapping):
        if not unit.faults:
            unit.faults.append(_toplevel(unit, raw))
        return
    if parsed.complete:
        fill(unit, raw)
    if unit.document is None:
        return
    if before is not None and before.document is not None:
        unit.document = _shared(unit.document, before.document)
    if not unit.faults:
        count, form = len(unit.document.modules), unit.form or suffix(unit.name)
        unit.layout = cut(parsed, unit.data, count, form)


def _shared(document: Document, before: Document) -> Document:
    """Put the objects of before where modules are alike: the diff is by identity."""
    old = before.modules
    modules = {
        name: old[name] if old.get(name) == module else module
        for name, module in document.modules.items()
    }
    freeze: Any = type(document.modules)
    return Document(freeze(modules), document.sections)


@contextlib.contextmanager
def uncollected(size: int) -> Iterator[None]:
    """Switch the garbage collector off while much is built: it halves the time."""
    switch = size > _LARGE and gc.isenabled()
    if switch:
        gc.disable()
    try:
        yield
    finally:
        if switch:
            gc.enable()


def rebuild(unit: Unit, data: bytes, real: str) -> Unit | None:
    """Build a file anew from its changed bytes, reading only the modules that changed.

    Returns:
        The new unit, or `None` if the file must be parsed in full.
    """
    if unit.layout is None or unit.document is None:
        return None
    if _sampler.failed or every() == 1:
        return None
    modules, form = unit.document.modules, unit.form or suffix(unit.name)
    with uncollected(len(data)):
        new = splice(unit.layout, unit.data, data, modules, form, unit.limits)
    spliced = None if new is None else new.onto(modules)
    if new is None or spliced is None:
        return None
    document = unit.document
    if spliced is not modules:
        document = Document(spliced, document.sections)
    name, limits, references = unit.name, unit.limits, (unit.imports, unit.workflows)

    def full() -> Document | None:
        return build(name, data, real, limits, form=form).document

    _sampler.note(name, len(data), document, full)
    made = Unit(name, data, real, limits, document, *references, form=unit.form)
    made.layout = new.chunks
    return made


def fill(unit: Unit, raw: Mapping[str, Any]) -> None:
    """Take references out of a parsed mapping, and build the rest."""
    rest = dict(raw)
    unit.imports = _imports(unit, rest.pop("imports", None))
    if "application" in rest:
        rest["application"], unit.workflows = _application(unit, rest["application"])
    try:
        unit.document = Document.from_mapping(rest, unit.place)
    except InvalidConfigurationError as exc:
        unit.faults.extend(_placed(unit, rest, fault) for fault in exc.faults)
        unit.document = exc.partial


def _toplevel(unit: Unit, raw: Any) -> Fault:
    return Fault(
        Code.E_TOPLEVEL,
        "the top level is not a mapping",
        place=unit.place(()),
        found="a list" if isinstance(raw, list) else shown(raw),
        expected="a mapping with `modules:` and other sections",
    )


def _placed(unit: Unit, raw: Mapping[str, Any], fault: Fault) -> Fault:
    """Say where the first of two modules of one name is."""
    if fault.code is not Code.E_DUPMODULE or not isinstance(fault.path[-1], int):
        return fault
    modules = raw["modules"]
    name = modules[fault.path[-1]]["name"]
    first = next(
        at
        for at, entry in enumerate(modules)
        if isinstance(entry, Mapping) and entry.get("name") == name
    )
    place = unit.place(("modules", first))
    return attrs.evolve(fault, found=f"first at {place.line}:{place.column}")


def _imports(unit: Unit, raw: Any) -> tuple[Reference, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list):
        _wrong(unit, ("imports",), "`imports` is not a list", raw, "a list of paths")
        return ()
    found = []
    for at, file in enumerate(raw):
        if isinstance(file, str) and file:
            found.append(Reference(file, ("imports", at)))
        else:
            _wrong(unit, ("imports", at), "import is not a path", file, "a string")
    return tuple(found)


def _application(unit: Unit, raw: Any) -> tuple[Any, tuple[Reference, ...]]:
    """Split `application:` into what stays and the workflow files."""
    path: Path = ("application",)
    if not isinstance(raw, Mapping):
        _wrong(unit, path, "`application` is not a mapping", raw, "name and workflows")
        return raw, ()
    stays = {key: value for key, value in raw.items() if key != "workflows"}
    workflows, path = raw.get("workflows"), (*path, "workflows")
    if workflows is None:
        return stays, ()
    if not isinstance(workflows, list):
        _wrong(unit, path, "`workflows` is not a list", workflows, "a list of files")
        return stays, ()
    found = []
    for at, entry in enumerate(workflows):
        here = (*path, at)
        file = entry.get("file") if isinstance(entry, Mapping) else None
        if isinstance(file, str) and file:
            found.append(Reference(file, (*here, "file")))
        elif isinstance(entry, Mapping) and file in (None, ""):
            msg = "workflow has no `file`"
            place = unit.place(here)
            fault = Fault(Code.E_REQUIRED, msg, here, place, expected="a `file`")
            unit.faults.append(fault)
        else:
            _wrong(unit, here, "workflow has no path as `file`", entry, "{file, name}")
    return stays, tuple(found)


def _wrong(unit: Unit, path: Path, message: str, found: Any, expected: str) -> None:
    fault = Fault(Code.E_TYPE, message, path, unit.place(path), shown(found), expected)
    unit.faults.append(fault)
