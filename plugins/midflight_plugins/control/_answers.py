"""What the routes answer, as plain data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from midflight import Document, Fault, Loaded, Outcome, Place, Secret
from midflight.errors import Path, did_you_mean, dotted

if TYPE_CHECKING:
    from midflight import Runtime
    from midflight.hookspecs import Layer

_MASK = str(Secret(""))
_LOGIN = re.compile(r"://[^/?#@]*:.+@|PRIVATE KEY-----", re.DOTALL)


class AbsentError(LookupError):
    """Nothing stands at a path."""


def reloaded(runtime: Runtime, actor: str) -> dict[str, Any]:
    """Let a runtime look at its source, and return how that ended."""
    return outcome_data(runtime.reload(actor=actor))


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as data."""
    steps = outcome.plan.steps if outcome.plan else ()
    return {
        "outcome": outcome.name,
        "reason": str(outcome.reason),
        "cause": outcome.cause,
        "actor": outcome.actor,
        "generation": outcome.generation,
        "digest": outcome.digest,
        "base": outcome.base,
        "steps": [{"action": step.action, "module": step.module} for step in steps],
        "faults": [_fault_data(fault) for fault in outcome.faults],
        "degraded": list(outcome.degraded),
        "warnings": list(outcome.warnings),
        "took": dict(outcome.took),
        "at": outcome.at,
        "seconds": outcome.seconds,
        "transient": outcome.transient,
    }


def _fault_data(fault: Fault) -> dict[str, Any]:
    place = fault.place
    return {
        "code": str(fault.code),
        "message": fault.message,
        "path": dotted(fault.path),
        "file": place and place.source,
        "line": place and place.line,
        "column": place and place.column,
        "layer": place and place.layer,
        "found": fault.found,
        "expected": fault.expected,
        "hint": fault.hint,
    }


def explained(snapshot: Any, path: str) -> dict[str, Any]:
    """Return the values in force at and below a path, and where each was set.

    Args:
        snapshot: the generation in force.
        path: with dots; empty for everything.

    Raises:
        AbsentError: nothing stands there.
    """
    tree = _tree(snapshot.document)
    found = _find(tree, path, ())
    if found is None:
        raise AbsentError(_unknown(tree, path))
    at, value = found
    loaded: Loaded = snapshot.loaded or Loaded(snapshot.document)
    layers = [_Part(each) for each in loaded.layers if each.loaded is not None]
    rows = [
        _row(snapshot, loaded, layers, each, leaf)
        for each, leaf in _leaves(value, at)
        if each == at or not _is_name(each)
    ]
    return {"path": dotted(at), "value": value, "values": rows}


class _Part:
    """A layer, and the tree of what it says."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        found = layer.loaded.document if layer.loaded else {}
        if not isinstance(found, Document):
            found = Document.from_mapping(found)
        self._tree = _tree(found)

    def value(self, path: Path) -> Any:
        """Return what this layer says at a path.

        Raises:
            KeyError: if it says nothing.
        """
        value: Any = self._tree
        for key in path:
            known = dict(_children(value))
            value = known[key]
        return value

    def place(self, path: Path) -> Place | None:
        """Return where this layer says it."""
        positions = self.layer.loaded and self.layer.loaded.positions
        return positions(path) if positions else None


def _row(
    snapshot: Any, loaded: Loaded, parts: Sequence[_Part], path: Path, value: Any
) -> dict[str, Any]:
    place = loaded.positions(path) if loaded.positions else None
    layer = place.layer if place else ""
    version = snapshot.version
    for part in parts:
        if part.layer.name == layer:
            version = part.layer.version
    return {
        "path": dotted(path),
        "value": value,
        **_place_data(place, snapshot.source),
        "layer": layer or None,
        "version": version,
        "shadows": list(_shadows(parts, layer, path, value)),
    }


def _shadows(
    parts: Sequence[_Part], winner: str, path: Path, in_force: Any
) -> Iterator[dict[str, Any]]:
    """Yield what lower layers say of a path, the highest first."""
    names = [part.layer.name for part in parts]
    below = parts[: names.index(winner)] if winner in names else ()
    for part in reversed(below):
        try:
            value = part.value(path)
        except KeyError:
            continue
        yield {
            "value": value if _is_open(value, in_force) else _MASK,
            **_place_data(part.place(path), part.layer.source),
            "layer": part.layer.name,
            "version": part.layer.version,
        }


def _is_open(value: Any, in_force: Any) -> bool:
    """Tell whether what a lower layer says may be shown.

    It was never transformed. That a text at that path is no secret is known only of a
    text in force that is none; a text may still show by itself that it is one.
    """
    if isinstance(in_force, Secret) or isinstance(value, Mapping | list | tuple):
        return False
    known = isinstance(in_force, str) and in_force != ""
    return not isinstance(value, str) or (known and not _LOGIN.search(value))


def _place_data(place: Place | None, source: str) -> dict[str, Any]:
    return {
        "source": place.source if place else source,
        "line": place and place.line,
        "column": place and place.column,
    }


# -- trees ---------------------------------------------------------------------------


def _tree(document: Document) -> dict[str, Any]:
    entries = {name: entry.as_mapping() for name, entry in document.modules.items()}
    return {"modules": entries, **document.sections}


def _find(value: Any, rest: str, path: Path) -> tuple[Path, Any] | None:
    """Follow a dotted path; keys may hold dots themselves."""
    if not rest:
        return path, value
    for key, item in _children(value):
        head = f"[{key}]" if isinstance(key, int) else key
        tail = rest.removeprefix(head)
        if tail != rest and (not tail or tail[0] in ".["):
            found = _find(item, tail.removeprefix("."), (*path, key))
            if found is not None:
                return found
    return None


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield what stands at or below a path: scalars, empty mappings and lists."""
    children = list(_children(value))
    if not children:
        yield path, value
    for key, item in children:
        yield from _leaves(item, (*path, key))


def _is_name(path: Path) -> bool:
    """Tell whether a path is that of a module's name, which its key says already."""
    return path[:1] == ("modules",) and path[2:] == ("name",)


def _unknown(tree: Any, path: str) -> str:
    """Say how far a path leads, and what would lead on."""
    cuts = [match.start() for match in re.finditer(r"[.\[]", path)]
    found: tuple[Path, Any] = ((), tree)
    cut = 0
    for end in reversed(cuts):
        further = _find(tree, path[:end], ())
        if further is not None:
            found, cut = further, end
            break
    word = re.split(r"[.\[]", path[cut:].removeprefix("."))[0]
    keys = [key for key, _ in _children(found[1]) if isinstance(key, str)]
    where = f"`{path[:cut]}` has no" if cut else "there is no"
    return f"{where} `{word}`; {did_you_mean(word, keys)}"
