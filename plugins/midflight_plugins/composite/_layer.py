"""One layer: how it is given, what it gave last, and how it is."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from midflight import Document, Fault, Loaded
from midflight.errors import (
    HookError,
    InvalidConfigurationError,
    MidflightError,
    PluginError,
)
from midflight.hookspecs import Layer
from midflight_plugins.composite._aside import Aside
from midflight_plugins.composite._marks import frozen, wrong_marks
from midflight_plugins.composite._overlay import moved
from midflight_plugins.composite._places import Given, placed, within_layer
from midflight_plugins.composite._spec import Spec

if TYPE_CHECKING:
    from midflight import Participant, Runtime

_log = logging.getLogger("midflight.composite")
_STOPPING = 0.2  # s that the end of one layer may take from the others


@attrs.define(eq=False)
class Part:
    """A layer in use: the last good that it gave, and what is known of now.

    Args:
        spec: how it was given.
        wake: tells the core to look, after a call that came back late.

    Attributes:
        name: what errors call it; settled once its source is made.
        given: what counts for the whole; `None` if it never gave anything.
        hinted: whether its watch said something since it was read.
        error: why it cannot be read; empty if it can.
        invalid: what is wrong with what it holds now, if anything is.
        lost: whether the last look at its token failed.
        changed: whether it gave something new that no merge was made with yet.
    """

    spec: Spec
    wake: Callable[[], None]
    name: str = ""
    participant: Participant | None = None
    source: str = ""
    given: Given | None = None
    loaded: Loaded | None = None
    hinted: bool = False
    lost: bool = False
    changed: bool = False
    error: str = ""
    since: float | None = None
    invalid: InvalidConfigurationError | None = None
    # What `hash` said at this look, and the token of what was read: as in the core, it
    # is proven if `load` told it, or if a second read found it again.
    seen: str | None = None
    token: str | None = None
    told: bool = False
    proven: bool = False
    _reading: Aside | None = attrs.field(init=False, default=None)
    _watching: Aside | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        if self.spec.optional:
            seconds = self.spec.timeout
            name = self.spec.name or self.spec.kind
            self._reading = Aside(f"layer {name}", seconds, self._came_late)
            self._watching = Aside(f"watch {name}", seconds, lambda: None)

    @property
    def is_fatal(self) -> bool:
        """Whether the whole cannot be had because of this layer."""
        return bool(self.error) and not self.spec.optional

    def hint(self) -> None:
        """Note that its watch said something."""
        if self._reading is not None:
            self._reading.outdate()
        self.hinted = True

    def _came_late(self) -> None:
        self.hinted = True
        self.wake()

    # -- looking -----------------------------------------------------------------

    def look(self) -> None:
        """Ask for the token; where that fails, there is nothing to be read now."""
        self.seen, self.lost = None, False
        if self.participant is None or not self.participant.has("hash"):
            return
        try:
            seen = self._call("hash")
            if not isinstance(seen, str | None):
                msg = f"`hash` returned {type(seen).__name__}, not a string"
                raise PluginError(msg)
        except MidflightError as exc:
            self.lost = True
            self._failed(exc)
        else:
            self.seen = seen

    def is_due(self, *, looked: bool) -> bool:
        """Tell whether what it holds now may be another thing than what it gave."""
        if self.hinted or self.invalid:
            return True
        if self.error:
            return looked and not self.lost
        if looked:
            return self.seen is None or not self.proven or self.seen != self.token
        return self.token is None or not self.proven

    @property
    def state(self) -> tuple[str, str, str] | None:
        """What a token of the whole is made of; `None` if this layer tells none."""
        if self.given is not None and not self.told:
            return None
        return self.name, self.token or "", self.error

    # -- reading -----------------------------------------------------------------

    def read(self) -> None:
        """Read it; what is wrong with it is kept as `error` or `invalid`."""
        if self.hinted:
            self.seen = None  # from before the hint
        self.hinted = False
        if self.participant is None:
            return
        try:
            loaded, document = self._loaded()
        except InvalidConfigurationError as exc:
            self._up()
            self.invalid, self.proven = exc, False
        except MidflightError as exc:
            self._failed(exc)
        else:
            self._took(loaded, document)

    def _loaded(self) -> tuple[Loaded, Document]:
        loaded = self._call("load")
        if isinstance(loaded, Mapping):
            loaded = Loaded(loaded)
        if not isinstance(loaded, Loaded):
            msg = f"`load` returned {type(loaded).__name__}, not Loaded"
            raise PluginError(msg)
        document, before = loaded.document, self.given and self.given.document
        if not isinstance(document, Document):
            document = Document.from_mapping(document, loaded.positions)
        known = before.modules if before else {}
        faults = wrong_marks(document, moved(known, document.modules))
        if faults:
            faults = [fault.under((), loaded.positions) for fault in faults]
            raise InvalidConfigurationError(faults, document, loaded.positions)
        document = shared(document, before) if before else document
        return attrs.evolve(loaded, document=document), document

    def _took(self, loaded: Loaded, document: Document) -> None:
        told, unproven = loaded.token, self.token
        self.told = told is not None
        self.token = self.seen if told is None else told
        self.proven = self.told or (self.seen is not None and self.seen == unproven)
        if self.given is None or document is not self.given.document:
            self.changed = True
        self.loaded, self.invalid = loaded, None
        self.given = Given(self.name, self.source, document, loaded.positions)
        self._up()

    def _failed(self, error: MidflightError) -> None:
        text = str(error)
        if isinstance(error, HookError):  # the same, whichever hook found it
            text = text.partition("` raised ")[2]
        if not self.error:
            self.since = time.time()
            if self.spec.optional:
                stays = "what it gave before stays" if self.given else "it is left out"
                _log.warning("layer `%s` is down, %s: %s", self.name, stays, text)
        self.error = text

    def _up(self) -> None:
        if self.error and self.spec.optional:
            _log.info("layer `%s` is back", self.name)
        self.error, self.since = "", None

    # -- telling -----------------------------------------------------------------

    @property
    def faults(self) -> list[Fault]:
        """The faults of what it holds now, each naming the layer."""
        wrong = self.invalid
        if wrong is None:
            return []
        return placed(wrong.faults, self.name, self.source, wrong.positions)

    @property
    def sound(self) -> Given | None:
        """What it gives as far as it is sound, to find further faults in."""
        wrong = self.invalid
        if wrong is None:
            return self.given
        if wrong.partial is None:
            return None
        return Given(self.name, self.source, wrong.partial, wrong.positions)

    def rows(self) -> tuple[Layer, ...]:
        """Return how it is; of a layer made of layers, how each of those is."""
        inner = self.loaded.layers if self.loaded and not self.error else ()
        if inner:
            optional = self.spec.optional
            return tuple(
                within_layer(self.name, row, optional=optional) for row in inner
            )
        version = self.loaded.version if self.loaded else None
        known = (version, self.spec.optional, self.error, self.since, self.loaded)
        return (Layer(self.name, self.source, *known, self.participant),)

    # -- calling -----------------------------------------------------------------

    def make(self, runtime: Runtime) -> None:
        """Make its source, unless it is made.

        A layer whose source cannot be made, such as one that is not installed, is down.
        """
        if self.participant is not None:
            return
        try:
            self.participant = runtime.source(self.spec.source)
        except MidflightError as exc:
            self._failed(exc)
        else:
            label = self.participant.label.removeprefix("source ").strip("`")
            self.source = label

    def _call(self, hook: str, **arguments: Any) -> Any:
        act = functools.partial(self.invoke, hook, **arguments)
        return self._reading.call(hook, act) if self._reading else act()

    def call_watching(self, function: Callable[[], Any]) -> Any:
        """Call what opens or closes a watch; one that hangs keeps no read away."""
        act = functools.partial(self._guarded, "watch", function)
        return self._watching.call("watch", act) if self._watching else act()

    def stop(self) -> None:
        """Let its source let go of what it holds; what fails stops no other layer."""
        if self.participant is not None and self.participant.has("stop"):
            aside = Aside(f"stop {self.name}", _STOPPING, lambda: None)
            try:
                aside.call("stop", functools.partial(self.invoke, "stop"))
            except MidflightError as exc:
                _log.warning("%s", exc)

    def invoke(self, hook: str, **arguments: Any) -> Any:
        """Call a hook of its source on this thread.

        Raises:
            MidflightError: whatever it raises.
        """
        assert self.participant is not None
        act = functools.partial(self.participant.invoke, hook, **arguments)
        return self._guarded(hook, act)

    def _guarded(self, hook: str, function: Callable[[], Any]) -> Any:
        assert self.participant is not None
        try:
            return function()
        except MidflightError:
            raise
        except BaseException as exc:
            mine = threading.current_thread() is threading.main_thread()
            if isinstance(exc, KeyboardInterrupt) and mine:
                raise
            raise HookError(self.participant.label, hook, exc) from exc


def shared(document: Document, before: Document) -> Document:
    """Put the objects of before where a document is alike: the merge is by identity."""
    old, new = before.modules, document.modules
    fresh = moved(old, new)
    alike = {
        name: old[name] for name in fresh if name in old and old[name] == new[name]
    }
    modules: Any = frozen({**new, **alike}) if alike else new
    same_names = list(old) == list(new) and len(alike) == len(fresh)
    modules = old if same_names else modules
    sections = document.sections
    if list(sections) == list(before.sections) and not moved(before.sections, sections):
        sections = before.sections
    if modules is old and sections is before.sections:
        return before
    return Document(modules, sections)
