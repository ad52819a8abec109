"""Puts values in the place of references, and secrets in that of secret texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from midflight import Document, Fault, Secret
from midflight.errors import Code, InvalidConfigurationError, Path
from midflight_plugins.schema import Described
from midflight_plugins.secrets._gaps import GAP
from midflight_plugins.secrets._grammar import MalformedError, Reference, parse
from midflight_plugins.secrets._lookup import Found, Lookup
from midflight_plugins.secrets._names import (
    is_excepted,
    looks_secret,
    measures,
    secret_among,
    shows_secret,
)
from midflight_plugins.secrets._plain import value_of
from midflight_plugins.secrets._resolvers import UnresolvedError

_OPEN = frozenset({bool, float, int, type(None)})  # nothing to expand or to hide
_FORMS = "`${NAME}`, `${NAME:-default}` or `${scheme:…}`"


@attrs.define(eq=False)
class Expander:
    """Walks through one part of a document; what needs no change stays the same object.

    Args:
        lookup: what references stand for.
        hide: makes a secret of a text.
        names: patterns of further keys that hold secrets.
        faults: everything that is wrong.
        failed: what may be resolved at another try, by its path.
        uses: the references that were met.
        gaps: where something is wrong or failed.
        is_partial: whether a gap was met, left by an earlier look.
        hides_all: whether every string is a secret, since none can be told from it.
        expands: whether references are replaced; not in what came from outside.
    """

    _lookup: Lookup
    _hide: Callable[[str], Secret]
    _names: tuple[str, ...]
    faults: list[Fault] = attrs.field(factory=list)
    failed: list[Fault] = attrs.field(factory=list)
    uses: dict[Reference, Found] = attrs.field(factory=dict)
    gaps: set[Path] = attrs.field(factory=set)
    is_partial: bool = False
    hides_all: bool = False
    _expands: bool = True

    @property
    def is_clean(self) -> bool:
        """Whether nothing was met so far that is worth a note."""
        return not (
            self.faults
            or self.failed
            or self.uses
            or self.gaps
            or self.is_partial
            or self.hides_all
        )

    def value(
        self,
        value: Any,
        path: Path,
        marks: Described | None = None,
        *,
        hidden: bool = False,
    ) -> Any:
        """Return what a frozen value becomes.

        Args:
            value: the value.
            path: where it stands.
            marks: what its schema says of it.
            hidden: whether it is a secret, with all that is below it.
        """
        marked = marks is not None and marks.is_secret
        hidden = hidden or marked
        if isinstance(value, str):
            if self._expands and "${" in value:
                return self._text(value, path, marks, hidden=hidden)
            return self._kept(value, hidden=hidden)
        if isinstance(value, dict | Mapping):  # mostly one, which is faster to tell
            return self._mapping(value, path, marks, hidden=hidden)
        if isinstance(value, tuple):
            items = [
                self.value(item, (*path, at), marks and marks.below(at), hidden=hidden)
                for at, item in enumerate(value)
            ]
            same = all(map(_is, items, value))
            return value if same else tuple(items)
        self.is_partial = self.is_partial or value is GAP
        if hidden and not isinstance(value, bool | Secret | None):
            self._refuse(path, marked=marked)
        return value

    def _refuse(self, path: Path, *, marked: bool) -> None:
        """Note that a number, or a date, stands where a secret does.

        A `Secret` holds a text. It could be shown as none, and yet a module wants what
        was written: its writer must say which of both it is.
        """
        key = path[-1]
        if not marked and isinstance(key, str) and measures(key, self._names):
            return
        msg = "a secret is a number or a date, which nothing would hide"
        hint = "write it in quotes"
        fault = Fault(Code.E_SECRET, msg, path, expected="a string", hint=hint)
        self.faults.append(fault)
        self.gaps.add(path)

    def _mapping(
        self,
        value: Mapping[str, Any],
        path: Path,
        marks: Described | None,
        *,
        hidden: bool,
    ) -> Mapping[str, Any]:
        changed: dict[str, Any] = {}
        secrets = secret_among((*value,), self._names)
        for key, item in value.items():
            secret = key in secrets or (hidden and not is_excepted(key, self._names))
            if not (secret or marks) and (type(item) in _OPEN or self._is_open(item)):
                continue
            below = marks and marks.below(key)
            new = self.value(item, (*path, key), below, hidden=secret)
            if new is not item:
                changed[key] = new
        if not changed:
            return value
        kind: Any = type(value)  # the core's frozen mapping, which is made like a dict
        return kind({**value, **changed})  # type: ignore[no-any-return]  # as above

    def _is_open(self, item: Any) -> bool:
        """Tell, for most texts, that there is nothing to expand or to hide."""
        return (
            type(item) is str
            and not self.hides_all
            and "${" not in item
            and not shows_secret(item)
        )

    def _text(
        self, text: str, path: Path, marks: Described | None, *, hidden: bool
    ) -> Any:
        before = len(self.faults) + len(self.failed)
        made = self._expanded(text, path, marks, hidden=hidden)
        if len(self.faults) + len(self.failed) > before:
            self.gaps.add(path)
        return made

    def _expanded(
        self, text: str, path: Path, marks: Described | None, *, hidden: bool
    ) -> Any:
        try:
            parts = parse(text)
        except MalformedError as exc:
            hint = "write `$${` for a literal `${`"
            fault = Fault(Code.E_SYNTAX, str(exc), path, expected=_FORMS, hint=hint)
            self.faults.append(fault)
            return text
        references = [part for part in parts if isinstance(part, Reference)]
        hidden = hidden or self.hides_all or any(map(self._is_secret, references))
        known = [self._known(each, path) for each in dict.fromkeys(references)]
        if not all(known):
            return text
        pieces = [
            part if isinstance(part, str) else self.uses[part].text or ""
            for part in parts
        ]
        joined = "".join(pieces)
        if len(parts) > 1 or not references or hidden:
            return self._kept(self._checked(joined, path), hidden=hidden)
        return self._typed(joined, references[0].rest, path, marks)

    def _typed(self, text: str, name: str, path: Path, marks: Described | None) -> Any:
        """Return what a value that is nothing but a variable means."""
        value = self._checked(value_of(text, name, path, self.faults), path)
        return attrs.evolve(self, expands=False).value(value, path, marks)

    def _kept(self, text: str, *, hidden: bool) -> str | Secret:
        secret = text and (hidden or self.hides_all or shows_secret(text))
        return self._hide(text) if secret else text

    def _is_secret(self, reference: Reference) -> bool:
        return bool(reference.scheme) or looks_secret(reference.rest, self._names)

    def _known(self, reference: Reference, path: Path) -> bool:
        """Look a reference up; note what is wrong with it."""
        found = self.uses[reference] = self._lookup.find(reference)
        problem = found.problem
        if problem is not None:
            self._note(reference, problem, path)
        elif found.text is None:
            msg = f"variable `{reference}` is not set"
            hint = f"set it, or write `${{{reference}:-default}}`"
            self.faults.append(Fault(Code.E_ENV, msg, path, hint=hint))
        return found.text is not None

    def _note(self, reference: Reference, problem: UnresolvedError, path: Path) -> None:
        msg = f"`{reference}` cannot be resolved: {problem}"
        fault = Fault(Code.E_SECRET, msg, path, hint=problem.hint)
        (self.failed if problem.transient else self.faults).append(fault)

    def _checked(self, value: Any, path: Path) -> Any:
        """Freeze a value that came from outside; note what no document can hold."""
        try:
            return Document.from_mapping({"value": value}).sections["value"]
        except InvalidConfigurationError as exc:
            self.faults += [
                attrs.evolve(fault, path=(*path, *fault.path[1:]), found="")
                for fault in exc.faults
            ]
            return None


def _is(one: object, other: object) -> bool:
    return one is other
