"""What users embed: a source, an engine and a reloader as one object."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar



from midflight._attempt import read
from midflight._bridge import Bridge
from midflight._document import Document
from midflight._driver import APPLYING, Call, drive_here
from midflight._engine import Engine, Running, Snapshot
from midflight._live import Live
from midflight._outcome import Outcome
from midflight._plan import ModuleInfo, Plan
from midflight._plugins import Hooks, Participant, PluginRegistry, create
from midflight._reloader import Reloader, Timing
from midflight._system import System
from midflight.errors import (
    Fault,
    InvalidConfigurationError,
    MidflightError,
    PluginError,
    SourceUnavailableError,
    StoppedError,
)
from midflight.hookspecs import Health, Loaded

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

T = TypeVar("T")
Source = str | object


class Runtime:
    """Runs modules on the configuration of a source, and follows its changes.

    Args:
        source: a URI such as `file:app.yaml`, a source object, or a list of them,
            lowest layer first.
        plugins: cross-cutting plugins: objects with hookimpls, or names of entry
            points in `midflight.plugins` to allow.
        modules: further module types by name.
        strategy: the name of a strategy, or a strategy object.
        watch: follow the source; without it, only `reload` looks.
        loop: the event loop for `async def` hooks; `async with` gives the running one.
        deadline: seconds that one hook of one module or source may take.
        sweep: seconds between two looks that no hint asked for.
        backoff: longest pause in seconds between two tries after a failure.
        shutdown: seconds that stopping may take.
        registry: the plugins to find by name; the installed ones by default.
        system: clock, chance and threads, for tests.

    Raises:
        PluginError: if the source, the strategy or a named plugin cannot be found.
    """

    def __init__(
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
        registry: PluginRegistry | None = None,
        system: System | None = None,
    ) -> None:
        self.registry = registry or PluginRegistry()
        self.plugin_errors: list[str] = []
        self._system = system or System()
        self._bridge = Bridge(self._system, loop)
        hooks = Hooks(self._bridge)
        self._register(hooks, plugins)
        self._engine = Engine(self, hooks, self.registry, modules or {}, deadline)
        self._engine.strategy = self._strategy(hooks, strategy, deadline)
        self._source = self._participant(hooks, source, deadline)
        timing = Timing(sweep=sweep, backoff=backoff, shutdown=shutdown)
        self._reloader = Reloader(
            self._engine, self._source, self._system, timing, watch=watch
        )

    # -- making ------------------------------------------------------------------

    def _register(self, hooks: Hooks, plugins: Iterable[str | object]) -> None:
        """Register our own plugins and those that are allowed; isolate broken ones."""
        for plugin in (*self.registry.own(), *plugins):
            if not isinstance(plugin, str):
                hooks.register(plugin)
                continue
            if self.registry.find("plugin", plugin) is None:
                self.registry.load("plugin", plugin)
            try:
                hooks.register(self.registry.load("plugin", plugin), plugin)
            except PluginError as exc:
                self.plugin_errors.append(str(exc))

    def _strategy(
        self, hooks: Hooks, strategy: str | object, deadline: float
    ) -> Participant:
        label = f"strategy `{strategy}`"
        if isinstance(strategy, str):
            strategy = create(self.registry.load("strategy", strategy), label)
        else:
            label = f"strategy `{type(strategy).__name__}`"
        return hooks.participant("strategy", strategy, label, deadline)

    def _participant(
        self, hooks: Hooks, source: Source | Sequence[Source], deadline: float
    ) -> Participant:
        if isinstance(source, list | tuple):
            if len(source) != 1:
                source = create(
                    self.registry.load("source", "composite"),
                    "source `composite`",
                    layers=list(source),
                )
            else:
                source = source[0]
        if isinstance(source, str):
            source, label = self._from_uri(source)
        else:
            label = type(source).__name__
        label = f"source `{getattr(source, 'name', None) or label}`"
        return hooks.participant("source", source, label, deadline)

    def _from_uri(self, uri: str) -> tuple[object, str]:
        scheme, colon, rest = uri.partition(":")
        if not colon:
            msg = f"source `{uri}` is not a URI; write it as `scheme:rest`, such as `file:{uri}`"
            raise PluginError(msg)
        factory = self.registry.load("source", scheme)
        return create(factory.from_uri, f"source `{scheme}`", rest), scheme

    # -- running -----------------------------------------------------------------

    def start(self) -> Outcome:
        """Load the source and start its modules.

        Raises:
            InvalidConfigurationError: if the configuration is wrong.
            SourceUnavailableError: if the source cannot be read.
            MidflightError: if a module does not start; all are stopped again.
        """
        outcome = self._reloader.start()
        if not outcome.ok:
            self.stop()
            raise _as_error(outcome)
        return outcome

    def stop(self) -> None:
        """Stop every module, within `shutdown` seconds; does nothing if stopped."""
        self._reloader.stop()
        self._bridge.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        import asyncio  # noqa: PLC0415  # only who uses it pays for it

        self._bridge.use(asyncio.get_running_loop())
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import asyncio  # noqa: PLC0415  # as above

        await asyncio.to_thread(self.stop)

    # -- reading -----------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot:
        """The generation in force; immutable, read without a lock."""
        return self._engine.snapshot

    @property
    def running(self) -> bool:
        """Whether the runtime was started and not stopped."""
        return self._reloader.running

    def module(self, name: str) -> Any:
        """Return the live object of a module.

        Inside a hook, the object that the change under way has made.

        Raises:
            KeyError: if there is no such module.
        """
        return self._running(name).participant.target

    def _running(self, name: str) -> Running:
        applying = APPLYING.get() is self._engine
        return (self._engine.working if applying else self.snapshot.running)[name]

    def settings(self, name: str, type_: type[T]) -> Live[T]:
        """Bind a typed live view to a module's configuration, or to a section.

        From then on a change that does not fit `type_` is refused.

        Raises:
            InvalidConfigurationError: if what is in force does not fit.
        """
        config, path = self._engine.viewed(self.snapshot.document, name)

        def steps() -> Generator[Call, Any, Any]:
            return (yield from self._engine.structured(config, type_))

        try:
            value = drive_here(steps())
        except InvalidConfigurationError as exc:
            faults = [fault.under(path) for fault in exc.faults]
            raise InvalidConfigurationError(faults) from exc
        view = Live(name, type_, value)
        self._engine.views.append(view)
        return view

    def probe(self, name: str) -> Health:
        """Ask a module how it is.

        Raises:
            KeyError: if there is no such module.
        """
        module = self._running(name)
        if module.state != "running":
            return Health(healthy=False, detail="degraded by an earlier failure")
        if not module.participant.has("probe"):
            return Health()
        try:
            answer = module.participant.invoke("probe", runtime=self)
        except Exception as exc:  # noqa: BLE001  # shown instead
            return Health(healthy=False, detail=f"{type(exc).__name__}: {exc}")
        return answer if isinstance(answer, Health) else Health(values=answer or {})

    def status(self) -> dict[str, Any]:
        """Return what is in force, wanted and refused, as plain data."""
        attempts, snapshot = self._reloader.attempts, self.snapshot
        refused = attempts.rejected
        error = attempts.source_error
        return {
            "generation": snapshot.generation,
            "digest": snapshot.digest,
            "state": self._state(),
            "desired": attempts.desired or None,
            "applied": {"digest": snapshot.digest, "at": snapshot.at},
            "rejected": refused
            and {
                "digest": refused.digest or None,
                "reason": str(refused.reason),
                "faults": [str(fault) for fault in refused.faults],
                "at": refused.at,
            },
            "sources": [
                {
                    "name": self._source.label.removeprefix("source ").strip("`"),
                    "mode": self._reloader.mode,
                    "version": snapshot.version,
                    "error": error and error[0],
                    "since": error and error[1],
                }
            ],
            "modules": {
                name: {"type": module.kind.name, "state": module.state}
                for name, module in snapshot.running.items()
            },
        }

    def _state(self) -> str:
        attempts = self._reloader.attempts
        if not self.running:
            return "stopped" if self.snapshot.generation else "starting"
        if not self.snapshot.generation:
            return "starting"
        if self._engine.degraded or attempts.source_error:
            return "degraded"
        return "rejected" if attempts.rejected else "healthy"

    # -- asking and changing -----------------------------------------------------

    def reload(self) -> Outcome:
        """Look at the source now, also at content that was refused before.

        Called inside a hook, asks for it and returns `Held`, since it cannot wait.

        Raises:
            StoppedError: if the runtime is not running.
        """
        return self._reloader.request("reload")

    def hint(self) -> None:
        """Say that the source may have changed; safe from any thread and signal."""
        self._reloader.hint()

    def approve(self) -> Outcome:
        """Carry out the plan that is held.

        Raises:
            StoppedError: if the runtime is not running.
        """
        attempts = self._reloader.attempts
        attempts.approved = attempts.desired
        return self._reloader.request("approve")

    def wait(self, generation: int, timeout: float = 5.0) -> Snapshot:
        """Wait until at least that generation is applied.

        Raises:
            TimeoutError: if it is not within `timeout` seconds.
            StoppedError: if the runtime stops first.
        """
        due = self._system.monotonic() + timeout
        with self._reloader.changed:
            while self.snapshot.generation < generation:
                left = due - self._system.monotonic()
                if not self.running:
                    msg = f"the runtime stopped at generation {self.snapshot.generation}"
                    raise StoppedError(msg)
                if left <= 0:
                    msg = (
                        f"generation {generation} was not applied within {timeout:g} s; "
                        f"in force is {self.snapshot.generation}"
                    )
                    raise TimeoutError(msg)
                self._system.wait(self._reloader.changed, left)
        return self.snapshot

    def read(self) -> tuple[Document, Loaded]:
        """Read the source, as for a change, and leave everything as it is.

        Raises:
            InvalidConfigurationError: if its content is wrong.
            SourceUnavailableError: if it cannot be read.
        """
        try:
            result: tuple[Document, Loaded] = drive_here(read(self._engine, self._source))
        except (InvalidConfigurationError, SourceUnavailableError):
            raise
        except MidflightError as exc:
            raise SourceUnavailableError(str(exc)) from exc
        return result

    def check(self) -> tuple[Fault, ...]:
        """Return every fault of the source's configuration; nothing is started.

        Raises:
            SourceUnavailableError: if it cannot be read.
        """
        try:
            document, loaded = self.read()
            names = document.modules
            drive_here(self._engine.resolve(document, names, loaded.positions))
        except InvalidConfigurationError as exc:
            return exc.faults
        return ()

    def plan(self, document: Document, base: Document | None = None) -> Plan:
        """Return what would be done to reach a document.

        Args:
            document: the wanted one.
            base: the one to start from, as if it ran; by default the one in force.

        Raises:
            InvalidConfigurationError: if the document is wrong.
            MidflightError: if the strategy fails.
        """
        engine, infos = self._engine, None
        if base is not None:
            engine = Engine(
                self, engine.hooks, self.registry, engine.modules, engine.deadline
            )
            engine.strategy = self._engine.strategy
            engine.snapshot = Snapshot(base, generation=1)
            infos = self._infos(engine, base)
        change = engine.change_to(document, infos)
        plan: Plan = drive_here(engine.plan(change))
        return plan

    @staticmethod
    def _infos(engine: Engine, document: Document) -> dict[str, ModuleInfo]:
        """Describe a document's modules as if they ran, from their classes."""
        by_type: dict[str, ModuleInfo] = {}
        for entry in document.modules.values():
            if entry.type not in by_type:
                kind = engine.module_type(entry.type)
                can = engine.make(entry, kind).has("reconfigure")
                by_type[entry.type] = ModuleInfo(kind.name, can, kind.sections)
        return {name: by_type[entry.type] for name, entry in document.modules.items()}


def _as_error(outcome: Outcome) -> MidflightError:
    """Return the exception that a failed start raises."""
    if isinstance(outcome.error, MidflightError):
        return outcome.error
    return InvalidConfigurationError(outcome.faults)
