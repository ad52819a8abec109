"""Load a file and every file it names, as one configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from midflight import Document
from midflight.errors import (
    Code,
    Fault,
    InvalidConfigurationError,
    Path,
    Place,
    SourceUnavailableError,
    shown,
)
from midflight_plugins.file._cache import Cache
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._merge import Merged, add_import, add_workflow, own
from midflight_plugins.file._reading import FileBytes, read
from midflight_plugins.file._unit import Reference, Unit, build, rebuild


@attrs.define(eq=False)
class Tree:
    """One load of a configuration file and of all files below it.

    Args:
        path: the file, as the user wrote it.
        root: real path of the directory that must hold every imported file.
        limits: bounds on size, depth and number.
        base: the directory that a relative `path` starts from.
        known: files of the load before, by path: equal bytes are not parsed again.
        cache: large files that an earlier process has parsed.
        seen: what the load before read, by path.
    """

    path: str
    root: str
    limits: Limits
    base: str = ""
    known: dict[str, Unit] = attrs.field(factory=dict)
    cache: Cache = attrs.field(factory=lambda: Cache(None))
    seen: Mapping[str, FileBytes] = attrs.field(factory=dict)
    files: dict[str, FileBytes] = attrs.field(factory=dict)
    units: dict[str, Unit] = attrs.field(factory=dict)
    faults: list[Fault] = attrs.field(factory=list)
    _merged: dict[str, Merged] = attrs.field(factory=dict)
    _chain: list[Unit] = attrs.field(factory=list)

    def load(self) -> Document:
        """Read everything and return the whole document.

        Raises:
            SourceUnavailableError: the file itself cannot be read.
            InvalidConfigurationError: with every fault of every file.
        """
        file = self._read(self._absolute(self.path), None)
        if file.problem and file.problem != "size":
            why = "does not exist" if file.problem == "missing" else file.problem
            msg = f"{self.path}: cannot be read: {why}"
            raise SourceUnavailableError(msg) from file.error
        unit = self._unit(self.path, file, None)
        document = self._document(unit)
        if self.faults:
            raise InvalidConfigurationError(self.faults, document, self.place)
        return document

    def _document(self, unit: Unit | None) -> Document:
        alone = unit is None or not (unit.imports or unit.workflows)
        merged = Merged() if unit is None or alone else self._merge(unit)
        if unit is not None and unit.document is not None and len(self.units) == 1:
            return unit.document
        frozen = Document.from_mapping({"modules": (), **merged.sections})
        freeze: Any = type(frozen.modules)
        return Document(freeze(merged.modules), frozen.sections)

    @property
    def text(self) -> bytes | None:
        """What the author wrote, if all of it is one file of YAML or JSON."""
        units = tuple(self.units.values())
        return units[0].text if len(units) == 1 else None

    def place(self, path: Path) -> Place | None:
        """Return the place of a path, in whichever file it comes from."""
        root = self.units.get(self._absolute(self.path))
        if root is None:
            return Place(self.path)
        merged = self._merged.get(root.real, Merged())
        if len(path) > 1 and path[0] == "modules":
            home = merged.home(str(path[1]))
            if home is not None:
                return home.place(path)
        owners = merged.owners.get(str(path[0]), []) if path else []
        for least in range(len(path), 0, -1):
            for unit in owners:
                place = unit.exact(path, least=least)
                if place is not None:
                    return place
        return root.place(path)

    # -- reading -----------------------------------------------------------------

    def _absolute(self, name: str) -> str:
        return os.path.abspath(os.path.join(self.base, name))

    def _read(self, path: str, root: str | None) -> FileBytes:
        if path not in self.files:
            last = self.seen.get(path)
            self.files[path] = read(path, self.limits.max_size, root, last)
        return self.files[path]

    def _unit(
        self, name: str, file: FileBytes, by: Callable[[], Place] | None
    ) -> Unit | None:
        """Parse what was read, unless the same bytes were parsed before."""
        if file.data is None:
            found = f"{file.size} bytes" + (f", imported at {by()}" if by else "")
            self.faults.append(self.limits.too_large(name, found))
            return None
        if file.path in self.units:
            return self.units[file.path]
        before = self.known.get(file.path)
        if before is None or before.name != name:
            before = self.cache.read(name, len(file.data), self.limits)
        unit: Unit | None
        if before is not None and before.data == file.data:
            unit = attrs.evolve(before, real=file.real)
        else:
            unit = before and rebuild(before, file.data, file.real)
        if unit is None:
            unit = build(name, file.data, file.real, self.limits, before)
            self.cache.write(unit)
        self.units[file.path] = unit
        self.faults.extend(unit.faults)
        return unit

    # -- following references ----------------------------------------------------

    def _merge(self, unit: Unit) -> Merged:
        if unit.real in self._merged:
            return self._merged[unit.real]
        merged = own(unit)
        self._chain.append(unit)
        for reference in unit.imports:
            other = self._follow(unit, reference)
            if other is not None:
                add_import(merged, self._merge(other))
        for reference in unit.workflows:
            other = self._follow(unit, reference)
            if other is not None:
                self.faults.extend(add_workflow(merged, self._merge(other)))
        self._chain.pop()
        self._merged[unit.real] = merged
        return merged

    def _follow(self, unit: Unit, reference: Reference) -> Unit | None:
        """Return the unit a reference leads to, or note why there is none."""
        name = os.path.normpath(
            os.path.join(os.path.dirname(unit.name), reference.file)
        )
        if os.path.isabs(reference.file):
            return self._refuse(unit, reference, "path is absolute", "a relative path")
        if len(self.files) >= self.limits.max_files:
            most = f"at most {self.limits.max_files} files"
            return self._refuse(unit, reference, "too many files", most, Code.E_SIZE)
        if len(self._chain) >= self.limits.max_depth:
            most = f"at most {self.limits.max_depth} levels"
            text = "imports are nested too deep"
            return self._refuse(unit, reference, text, most, Code.E_DEPTH)
        file = self._read(self._absolute(name), self.root)
        if file.problem and file.problem != "size":
            return self._unread(unit, reference, file)
        ring = [link.real for link in self._chain]
        if file.real in ring:
            text = self._circle(self._chain[ring.index(file.real) :], name)
            return self._refuse(unit, reference, text, "", Code.E_IMPORT_CYCLE)
        # A place costs a second parse: it is looked up only where one is told.
        return self._unit(name, file, lambda: unit.place(reference.path))

    def _circle(self, links: list[Unit], name: str) -> str:
        base = os.path.dirname(self.path) or "."
        names = [
            os.path.relpath(each, base) for each in (*[u.name for u in links], name)
        ]
        if len(names) > 6:  # noqa: PLR2004  # more are hard to read
            names = [*names[:3], "…", *names[-2:]]
        return f"imports run in a circle: {' -> '.join(names)}"[:200]

    def _unread(self, unit: Unit, reference: Reference, file: FileBytes) -> Unit | None:
        if file.problem == "outside":
            text = "path leads out of the root directory"
            most = "a path inside the root directory"
            return self._refuse(unit, reference, text, most)
        if (
            not file.lasting
            and file.error is not None
            and "regular" not in file.problem
        ):
            place = unit.place(reference.path)
            msg = f"{file.path}: cannot be read: {file.problem}; imported at {place}"
            raise SourceUnavailableError(msg) from file.error
        missing = file.problem == "missing"
        text = (
            "file does not exist" if missing else f"file is unreadable: {file.problem}"
        )
        return self._refuse(unit, reference, text, "a file beside this one")

    def _refuse(
        self,
        unit: Unit,
        reference: Reference,
        text: str,
        expected: str,
        code: Code = Code.E_IMPORT_PATH,
    ) -> Unit | None:
        what = "import" if reference.path[0] == "imports" else "workflow"
        whole = text if code is not Code.E_IMPORT_PATH else f"{what}: {text}"
        fault = Fault(
            code,
            whole,
            reference.path,
            unit.place(reference.path),
            found=shown(reference.file, 120),
            expected=expected,
        )
        self.faults.append(fault)
        return None
