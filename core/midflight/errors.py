"""Every exception Midflight raises, the stable error codes, and faults as data."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Callable, Collection, Iterable
from enum import auto
from typing import TYPE_CHECKING, Self

import attrs

from midflight._secret import MASK

if TYPE_CHECKING:
    from midflight._document import Document

Path = tuple[str | int, ...]
"""Keys and positions from the top of a document: `("modules", "web", "config")`."""


class Code(enum.StrEnum):
    """A stable name for each kind of fault; see the reference page `errors`."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name

    # what a document can get wrong
    E_EMPTY, E_TOPLEVEL, E_MULTIDOC = auto(), auto(), auto()
    E_DUPKEY, E_KEYTYPE, E_TYPE = auto(), auto(), auto()
    E_NONFINITE, E_RANGE, E_DEPTH = auto(), auto(), auto()
    E_ALIAS, E_MERGE, E_CYCLE = auto(), auto(), auto()
    E_TAG, E_SYNTAX, E_CHAR = auto(), auto(), auto()
    E_ENCODING, E_SIZE, E_FORMAT = auto(), auto(), auto()
    E_UNKNOWN, E_REQUIRED, E_ENUM = auto(), auto(), auto()
    E_NULL, E_VALUE, E_DUPMODULE = auto(), auto(), auto()
    E_NAME, E_MODULETYPE, E_DEP = auto(), auto(), auto()
    E_IMPORT_PATH, E_IMPORT_CYCLE, E_MERGE_CONFLICT = auto(), auto(), auto()
    E_BLAST, E_DIGEST, E_ENV = auto(), auto(), auto()
    E_SECRET, E_REQUIRES, E_POISONED = auto(), auto(), auto()
    # what a module, a plugin or a source can get wrong
    E_PREPARE, E_STEP, E_TIMEOUT = auto(), auto(), auto()
    E_SOURCE, E_CONFLICT, E_PLAN = auto(), auto(), auto()
    E_PLUGIN, E_PLUGIN_API, E_DUPLUGIN = auto(), auto(), auto()
    E_DEPENDENCY, E_STOPPED, E_OUTCOME = auto(), auto(), auto()
    E_STATE = auto()
    # what a request to a running service can get wrong
    E_AUTH, E_SCOPE, E_ORIGIN = auto(), auto(), auto()
    E_RATE, E_RESTART = auto(), auto()


def dotted(path: Path) -> str:
    """Write a path the way errors and plans show it: `modules.web.config.hosts[0]`.

    A key that would be read as several stands in double quotes: `loggers."a.b".level`.
    """
    try:
        text = ".".join(path)  # type: ignore[arg-type]  # mostly there are only keys
    except TypeError:
        text = "["
    if text.count(".") < len(path) and all(path) and not any(map(text.count, '"[]')):
        return text
    return "".join(map(_step, path)).removeprefix(".")


def _step(key: str | int) -> str:
    """Write what leads on to a position or to a key."""
    import json

    if isinstance(key, int):
        return f"[{key}]"
    text = str(key)  # a foreign key may be anything
    return "." + (
        text
        if text and not any(map(text.count, '."[]'))
        else json.dumps(text, ensure_ascii=False)
    )


def shown(value: object, limit: int = 40) -> str:
    """Show a value found where it should not be, at most `limit` characters."""
    try:
        text = repr(value)
    except (Exception, SystemExit):  # noqa: BLE001  # a foreign __repr__ must not hide the fault
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def plain(text: str, limit: int = 200) -> str:
    """Cut a foreign text to `limit` characters, and write out what is not printable."""
    cut = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def masked(text: str, words: Iterable[str]) -> str:
    """Hide each of `words` in a text, also one that was cut short in it."""
    for word in sorted(filter(None, words), key=len, reverse=True):
        for form in _forms(word):
            parts = text.replace(form, MASK).split("…")
            for at, part in enumerate(parts[:-1]):
                starts = (form[:end] for end in range(len(form), 2, -1))
                cut = next(filter(part.endswith, starts), "")
                parts[at] = part.removesuffix(cut) + (MASK if cut else "")
            text = "…".join(parts)
    return text


def _forms(word: str) -> set[str]:
    """Return a text as reprs, JSON, URLs and byte strings write it."""
    import json
    from urllib.parse import quote, quote_plus

    data = word.encode(errors="replace")
    quoted = {quote(data, safe=""), quote(data), quote_plus(data)}
    more = {word.replace("'", "\\'"), repr(data)[2:-1], json.dumps(word)[1:-1]}
    return {word, repr(word)[1:-1], *more, *quoted}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the hint for a misspelt word: the nearest known one, else all."""
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    few = ", ".join(f"`{name}`" for name in names[:12])
    more = ", …" if names[12:] else ""
    return f"known: {few}{more}" if names else ""


@attrs.frozen
class Place:
    """Where in a source a value stands; lines and columns count from 1.

    `layer` names the layer, if the configuration is made of several.
    """

    source: str
    line: int | None = None
    column: int | None = None
    layer: str = ""

    def __str__(self) -> str:
        parts = (self.source, self.line, self.column)
        text = ":".join(str(part) for part in parts if part is not None)
        return f"{text} ({self.layer})" if self.layer else text


Positions = Callable[[Path], Place | None]
"""Find the place of a path, or of its nearest parent; called only for an error."""


@attrs.frozen
class Fault:
    """One thing that is wrong with a configuration, as data.

    Args:
        code: the stable kind.
        message: what is wrong, lower case, without a full stop.
        path: the keys that lead to it; `()` is the whole document.
        place: source, line and column, where known.
        found: what was there, shortened.
        expected: what may be there.
        hint: what to do.
    """

    code: Code
    message: str = attrs.field(converter=plain)
    path: Path = ()
    place: Place | None = None
    found: str = ""
    expected: str = ""
    hint: str = ""

    def under(self, prefix: Path, positions: Positions | None = None) -> Fault:
        """Return this fault moved below `prefix`, with its place looked up."""
        path, place = prefix + self.path, self.place
        if place is None and positions is not None:
            with contextlib.suppress(Exception):  # a broken finder hides no fault
                place = positions(path)
        return attrs.evolve(self, path=path, place=place)

    def masked(self, words: Collection[str]) -> Fault:
        """Return this fault without any of `words` in its texts."""
        names = ("message", "found", "expected", "hint")
        texts = {name: masked(getattr(self, name), words) for name in names}
        return attrs.evolve(self, **texts)  # type: ignore[arg-type]  # texts only

    def __str__(self) -> str:
        head = f"{self.place}: {self.code}" if self.place else str(self.code)
        where = f" at `{dotted(self.path)}`" if self.path else ""
        found = f", found {self.found}" if self.found else ""
        expected = f", expected {self.expected}" if self.expected else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{head}: {self.message}{where}{found}{expected}{hint}"


class Faults(list[Fault]):
    """Collects faults, so that all are reported at once."""

    containers = 0  # looked at so far

    def add(self, code: Code, message: str, path: Path = (), **more: str) -> None:
        """Note one fault; `more` are the other texts of `Fault`."""
        self.append(Fault(code, message, path, **more))  # type: ignore[arg-type]  # texts only, by the signature


class MidflightError(Exception):
    """The root of every exception that Midflight raises on purpose.

    Each kind has its `code`, given where it is declared: `class X(Y, code=…)`.
    """

    code: Code = Code.E_STEP

    def __init_subclass__(cls, code: Code | None = None) -> None:
        cls.code = code or cls.code


class InvalidConfigurationError(MidflightError, code=Code.E_VALUE):
    """A configuration has faults; content is refused until it changes.

    Args:
        faults: everything that is wrong.
        partial: what is sound, so that its further faults can be found as well.
        positions: finds the places of `partial`.
    """

    def __init__(
        self,
        faults: Iterable[Fault] | Fault,
        partial: Document | None = None,
        positions: Positions | None = None,
    ) -> None:
        self.faults = (faults,) if isinstance(faults, Fault) else tuple(faults)
        self.partial, self.positions = partial, positions
        super().__init__("; ".join(map(str, self.faults)))
        if self.faults:
            self.code = self.faults[0].code


class TransientError(MidflightError):
    """Something failed for now; raised by a plugin, it asks for another try."""


class SourceUnavailableError(TransientError, code=Code.E_SOURCE):
    """A source cannot be read at the moment; the last good stays in force."""


class ConflictError(MidflightError, code=Code.E_CONFLICT):
    """A put was based on a version that is no longer the head."""


class UnknownOutcomeError(MidflightError, code=Code.E_OUTCOME):
    """A put may or may not be stored: the answer to its commit was lost.

    Args:
        source: where it was put.
        write_id: finds the version, if there is one, once the store answers again.
    """

    def __init__(self, source: str, write_id: str) -> None:
        self.write_id = write_id
        super().__init__(
            f"{source}: the answer to the commit of write {write_id} was lost"
        )


class HookError(MidflightError):
    """A participant's hook raised; the original exception is `cause`."""

    def __init__(
        self, label: str, hook: str, cause: BaseException, hides: Collection[str] = ()
    ) -> None:
        self.label, self.hook, self.cause = label, hook, cause
        kind = type(cause).__name__
        try:
            detail = plain(masked(str(cause), hides)) or kind
        except BaseException:  # noqa: BLE001  # a foreign __str__ must not hide the fault
            detail = kind
        super().__init__(f"{label}: `{hook}` raised {kind}: {detail}")


class StepTimeoutError(MidflightError, code=Code.E_TIMEOUT):
    """A participant's hook overran its deadline and was abandoned."""

    def __init__(self, label: str, hook: str, seconds: float) -> None:
        self.label, self.hook, self.seconds = label, hook, seconds
        super().__init__(
            f"{label}: `{hook}` did not return within {seconds:.3g} s;"
            " find out what it waits for, or give it a longer deadline"
        )


class PlanError(MidflightError, code=Code.E_PLAN):
    """A strategy returned a plan that does not fit the change."""


class PluginError(MidflightError, code=Code.E_PLUGIN):
    """A plugin is unknown, broken or cannot be imported."""

    @classmethod
    def unknown(cls, what: str, word: str, known: Iterable[str]) -> Self:
        """Return the error for a word that is not known, with the nearest that is."""
        return cls(f"{what} `{word}`; {did_you_mean(word, known)}")


class PluginApiError(PluginError, code=Code.E_PLUGIN_API):
    """A plugin's hooks do not fit the hookspecs, or it wants another version of us."""


class DuplicatePluginError(PluginError, code=Code.E_DUPLUGIN):
    """Two distributions claim one plugin name."""


class MissingDependencyError(PluginError, code=Code.E_DEPENDENCY):
    """A plugin needs a library that is not installed; says what to install."""

    def __init__(self, what: str, library: str, extra: str) -> None:
        self.library, self.extra = library, extra
        super().__init__(
            f"{what} needs `{library}`; run: pip install 'midflight[{extra}]'"
        )


class StoppedError(MidflightError, code=Code.E_STOPPED):
    """The runtime is not running."""


def is_transient(error: BaseException) -> bool:
    """Tell whether trying the same content again may succeed.

    `TransientError`, `OSError` and `TimeoutError` are; a hook that overran its
    deadline is not, since each further try could leave another thread behind.
    """
    cause = error.cause if isinstance(error, HookError) else error
    return isinstance(cause, TransientError | OSError)
