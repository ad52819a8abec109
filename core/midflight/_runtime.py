"""What users embed: a source, an engine and a reloader as one object."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from midflight._assembly import register, strategy_of
from midflight._attempt import Attempts
from midflight._change import ModuleType
from midflight._driver import Driver, drive_here, is_applying, running_loop
from midflight._engine import Engine, Running, Snapshot
from midflight._live import Live, T
from midflight._modules import asked
from midflight._outcome import Outcome, Reason
from midflight._plugins import Hooks
from midflight._questions import Questions
from midflight._registry import PluginRegistry
from midflight._reloader import Reloader
from midflight._stored import Source
from midflight._system import System
from midflight.errors import (
    InvalidConfigurationError,
    MidflightError,
    PluginError,
    SourceUnavailableError,
    StoppedError,
)
from midflight.hookspecs import Health

if TYPE_CHECKING:
    import asyncio


class Runtime(Questions):
    """Runs modules on the configuration of a source, and follows its changes.

    In `shared` plugins keep what they have once for each runtime. A forked child finds
    it empty: it has no thread that would let go of their locks. `loop` is the event
    loop of `async def` hooks, as soon as there is one; a forked child has none of its
    parent's.

    Args:
        source: a URI such as `file:app.yaml`, a source object, or a list of them,
            lowest layer first.
        plugins: cross-cutting plugins: objects with hookimpls, or names of entry
            points in `midflight.plugins` to allow; `no:WORD` blocks any plugin.
        modules: further module types by name.
        strategy: the name of a strategy, or a strategy object.
        watch: follow the source; without it, only `reload` looks.
        loop: the event loop for `async def` hooks; `async with` gives the running one.
        deadline: seconds that one hook of one module or source may take.
        sweep: seconds between two looks that no hint asked for.
        backoff: longest pause in seconds between two tries after a failure.
        shutdown: seconds that stopping may take.
        state_dir: a directory of its own for what shall outlive the process; without
            it, nothing does.
        wait: seconds that `start` waits for a source that cannot be read yet.
        registry: the plugins to find by name; the installed ones by default.
        system: clock, chance and threads, for tests.

    Raises:
        PluginError: if the source, the strategy or a named plugin cannot be found.
        ValueError: if a duration is not more than 0.
    """

    def __init__(  # noqa: PLR0913  # keyword options, each by itself
        self,
        source: Source | Sequence[Source],
        *,
        plugins: Iterable[str | object] = (),
        modules: Mapping[str, Callable[..., Any]] | None = None,
        strategy: str | object = "surgical",
        watch: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        deadline: float = 30.0,
        sweep: float = 5.0,
        backoff: float = 30.0,
        shutdown: float = 10.0,
        wait: float = 0.0,
        state_dir: str | os.PathLike[str] | None = None,
        registry: PluginRegistry | None = None,
        system: System | None = None,
    ) -> None:
        if min(deadline, sweep, backoff, shutdown) <= 0:
            msg = "deadline, sweep, backoff and shutdown are more than 0 seconds"
            raise ValueError(msg)
        self.state_dir = None if state_dir is None else pathlib.Path(state_dir)
        self.notes: dict[str, str] = {}  # what plugins want the status to say
        self.shared: dict[str, Any] = {}  # what plugins keep with it
        self.registry = registry or PluginRegistry()
        self._system, self._patience = system or System(), wait
        self.loop = loop
        self._hooks = Hooks(self)
        register(self._hooks, plugins)
        kinds = {name: ModuleType(name, each) for name, each in (modules or {}).items()}
        self._engine = Engine(
            self._hooks, kinds, strategy_of(self._hooks, strategy, deadline), deadline
        )
        self._reloader = Reloader(
            attempts=Attempts(self._engine, self.source(source), self._system, backoff),
            engine=self._engine,
            driver=Driver(self._system),
            system=self._system,
            watches=watch,
            sweep=sweep,
            shutdown=shutdown,
        )

    # -- running -----------------------------------------------------------------

    def start(self) -> Outcome:
        """Load the source and start its modules.

        Raises:
            InvalidConfigurationError: if the configuration is wrong.
            SourceUnavailableError: if the source cannot be read.
            MidflightError: if a module does not start; all are stopped again.
        """
        try:
            outcome = self._reloader.start()
            due = self._system.monotonic() + self._patience
            while (
                outcome.reason is Reason.SOURCE_UNAVAILABLE
                and (left := due - self._system.monotonic()) > 0
            ):
                with self._reloader.changed:  # a hint ends the pause
                    self._system.wait(self._reloader.changed, min(left, 1.0))
                outcome = self._reloader.request("retry")
        except StoppedError:
            raise
        except BaseException:  # such as a keyboard interrupt while it waits
            self.stop()
            raise
        if not outcome.ok:
            self.stop()
            error = _as_error(outcome)
            raise error from (None if error is outcome.error else outcome.error)
        return outcome

    def stop(self) -> None:
        """Stop every module, within `shutdown` seconds; does nothing if stopped."""
        self._reloader.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        import asyncio

        self.loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self.start)
        except asyncio.CancelledError:  # its thread goes on all the same
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        import asyncio
        import contextvars
        from concurrent.futures import ThreadPoolExecutor

        # No task, which could be cancelled before it begins; and a thread of its own,
        # since all of the loop's may wait for the end of a module.
        await asyncio.shield(
            asyncio.get_running_loop().run_in_executor(
                ThreadPoolExecutor(1), contextvars.copy_context().run, self.stop
            )
        )

    # -- reading -----------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot:
        """The generation in force; immutable, read without a lock."""
        return self._engine.snapshot

    @property
    def running(self) -> bool:
        """Whether the runtime was started and not stopped."""
        return self._reloader.running

    @property
    def applying(self) -> bool:
        """Whether the caller must not wait for a change.

        It is inside a hook of this runtime, or on the event loop of its hooks.
        """
        return is_applying(self._engine) or (
            self.loop is not None and self.loop is running_loop()
        )

    @property
    def hook(self) -> Any:
        """The hooks of the registered plugins, for one plugin that asks the others.

        A call names the hook's arguments: `runtime.hook.journal(limit=20, before=None,
        runtime=runtime)`.
        """
        return self._hooks.hook

    @property
    def rejected(self) -> Outcome | None:
        """How the content that the source holds was refused, if it was."""
        return self._reloader.attempts.rejected

    @property
    def watches(self) -> bool:
        """Whether the runtime follows its source by itself."""
        return self._reloader.watches

    def module(self, name: str) -> Any:
        """Return the live object of a module.

        Inside a hook, the object that the change under way has made.

        Raises:
            KeyError: if there is no such module.
        """
        return self._running(name).participant.target

    def _running(self, name: str) -> Running:
        applying = is_applying(self._engine)
        return (self._engine.working if applying else self.snapshot.running)[name]

    def settings(self, name: str, type_: type[T]) -> Live[T]:
        """Bind a typed live view to a module's configuration, or to a section.

        A section that is not there gives every default. The same name and type give
        the same view. Inside a hook it shows the change under way. From then on a
        change that does not fit `type_` is refused.

        Raises:
            InvalidConfigurationError: if what is in force does not fit.
        """
        views = self._engine.views
        if (name, type_) not in views:
            drive_here(self._engine.bind(Live[T](name, type_)))
        return views[name, type_]

    def probe(self, name: str) -> Health:
        """Ask a module how it is.

        Raises:
            KeyError: if there is no such module.
        """
        module = self._running(name)
        if module.state != "running":
            return Health(healthy=False, detail=module.state)
        try:
            return drive_here(asked(module))
        except MidflightError as exc:
            return Health(healthy=False, detail=str(exc))

    # -- asking and changing -----------------------------------------------------

    def reload(self, actor: str = "") -> Outcome:
        """Look at the source now, also at content that was refused before.

        Called inside a hook, asks for it and returns `Held`, since it cannot wait.

        Args:
            actor: who asks, for the outcome.

        Raises:
            StoppedError: if the runtime is not running.
        """
        return self._reloader.request("reload", actor)

    def hint(self) -> None:
        """Say that the source may have changed; safe from any thread and signal."""
        self._reloader.hint(serve=False)

    def approve(self, digest: str | None = None, actor: str = "") -> Outcome:
        """Carry out the plan that is held.

        Args:
            digest: the `desired` digest that was looked at; another one that has come
                since is not carried out. By default the newest.
            actor: who approves, for the outcome.

        Raises:
            StoppedError: if the runtime is not running.
        """
        attempts = self._reloader.attempts
        attempts.approved = digest or attempts.desired
        return self._reloader.request("approve", actor)

    def wait(self, generation: int, timeout: float = 5.0) -> Snapshot:
        """Wait until at least that generation is applied.

        Raises:
            TimeoutError: if it is not within `timeout` seconds.
            StoppedError: if the runtime begins to stop first.
        """
        due = self._system.monotonic() + timeout
        with self._reloader.changed:
            while (current := self.snapshot.generation) < generation:
                left = due - self._system.monotonic()
                lives = self.running and not self._reloader.stopping
                if not lives or left <= 0:
                    ends = f"within {timeout:g} s" if lives else "before it stops"
                    msg = f"no generation {generation} {ends}; in force is {current}"
                    raise (TimeoutError if lives else StoppedError)(msg)
                self._system.wait(self._reloader.changed, left)
        return self.snapshot


def _as_error(outcome: Outcome) -> MidflightError:
    """Return the exception that a failed start raises, with every fault."""
    if outcome.reason is Reason.STOPPED:
        return StoppedError("the runtime was stopped while it started")
    if isinstance(error := outcome.error, InvalidConfigurationError | None):
        return InvalidConfigurationError(outcome.faults)
    if outcome.reason is Reason.SOURCE_UNAVAILABLE and not isinstance(
        error, SourceUnavailableError
    ):
        return SourceUnavailableError(str(error))
    return error if isinstance(error, MidflightError) else PluginError(str(error))
