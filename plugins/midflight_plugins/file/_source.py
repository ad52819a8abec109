"""The source: a configuration file with everything it imports."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from midflight import Document, Loaded, hookimpl
from midflight.errors import InvalidConfigurationError, SourceUnavailableError
from midflight_plugins.file._cache import Cache
from midflight_plugins.file._imports import Tree
from midflight_plugins.file._limits import Limits
from midflight_plugins.file._reading import FileBytes, read, token
from midflight_plugins.file._unit import Unit
from midflight_plugins.file._watch import Watch

if TYPE_CHECKING:
    from midflight import Runtime


class FileSource:
    """A YAML, JSON or TOML file, with the files it imports.

    Args:
        path: the file; its suffix says the format.
        root: the directory that must hold every imported file; by default the one
            that holds `path`. The file itself may be a link to anywhere.
        max_size: bytes that one file may have.
        max_depth: levels of nesting within a file, and of imports.
        max_aliases: values that YAML aliases may add, counted as if written out.
        max_files: files that the configuration may consist of.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        root: str | os.PathLike[str] | None = None,
        max_size: int = Limits().max_size,
        max_depth: int = Limits().max_depth,
        max_aliases: int = Limits().max_aliases,
        max_files: int = Limits().max_files,
    ) -> None:
        self.path = os.fspath(path)
        self.name = f"file:{self.path}"
        self._limits = Limits(max_size, max_depth, max_aliases, max_files)
        self._root = os.path.abspath(root) if root is not None else None
        self._units: dict[str, Unit] = {}
        self._cache = Cache(None)
        # The process may change its directory later; the file stays the same.
        self._base = "" if os.path.isabs(self.path) else os.getcwd()
        self._own = os.path.abspath(self.path)
        self._seen: dict[str, FileBytes] = {}
        self._watches: set[Watch] = set()

    @classmethod
    def from_uri(cls, rest: str) -> FileSource:
        """Make a source of what follows `file:`, as in `file:conf/app.yaml`.

        Raises:
            ValueError: there is no path.
        """
        path = rest.removeprefix("//") if rest.startswith("///") else rest
        if not path:
            msg = "`file:` needs a path, as in `file:app.yaml`"
            raise ValueError(msg)
        return cls(path)

    @hookimpl(specname="hash")
    def hash_in(self, runtime: Runtime) -> str:
        """As `hash`, with what earlier processes of that runtime have parsed."""
        self._take_cache(runtime)
        return self.hash()

    @hookimpl(specname="load")
    def load_in(self, runtime: Runtime) -> Loaded:
        """As `load`, with what earlier processes of that runtime have parsed."""
        self._take_cache(runtime)
        return self.load()

    @hookimpl(specname="watch")
    def watch_in(
        self, notify: Callable[[], None], runtime: Runtime
    ) -> AbstractContextManager[object]:
        """As `watch`, with what earlier processes of that runtime have parsed."""
        self._take_cache(runtime)
        return self.watch(notify)

    def hash(self) -> str:
        """Return a digest of the bytes of the file and of everything it imports.

        Where those are not what was last read, the files are parsed, since they say
        what they import; a `load` of the same bytes then has nothing left to do.
        """
        seen = self._seen
        root = self._real_root() if len(seen) > 1 else ""
        files = [
            read(path, self._limits.max_size, None if path == self._own else root, last)
            for path, last in seen.items()
        ]
        if seen and all(file.same_as(seen[file.path]) for file in files):
            self._rearm()
            return token(files)
        return token(self._discover().values())

    def load(self) -> Loaded:
        """Read the file and its imports, each once.

        Raises:
            SourceUnavailableError: the file cannot be read.
            InvalidConfigurationError: with every fault, each with its place.
        """
        tree = self._tree()
        try:
            document = tree.load()
        finally:
            self._keep(tree)
            self._rearm()
        read_now = token(tree.files.values())
        return Loaded(document, positions=tree.place, token=read_now, text=tree.text)

    def watch(self, notify: Callable[[], None]) -> AbstractContextManager[object]:
        """Watch the directories of every file that was read."""
        if not self._seen:
            self._discover()
        return Watch(lambda: tuple(self._seen), notify, self._watches)

    @hookimpl
    def put(
        self, document: Document, expected_version: str | int | None, text: str | None
    ) -> str:
        """Replace the file. It has no version: the token of `load` stands for it.

        Author and message are kept nowhere.

        Raises:
            ConflictError: the file is not as that token says.
            PluginError: it names other files, or has a format that is only read.
            SourceUnavailableError: it was not written.
            UnknownOutcomeError: it was written, and may not survive a power cut.
        """
        from midflight_plugins.file._put import Writing

        known = self._units.get(self._own)
        writing = Writing(self.path, self._own, self._limits, known)
        return writing.put(document, text, expected_version)

    def _take_cache(self, runtime: Runtime) -> None:
        state_dir = getattr(runtime, "state_dir", None)
        if state_dir != self._cache.state_dir:
            self._cache = Cache(state_dir)

    def _tree(self) -> Tree:
        where = self.path, self._real_root(), self._limits, self._base
        return Tree(*where, self._units, self._cache, self._seen)

    def _discover(self) -> dict[str, FileBytes]:
        """Read everything to learn which files there are, whatever is wrong."""
        tree = self._tree()
        with contextlib.suppress(InvalidConfigurationError, SourceUnavailableError):
            tree.load()
        self._keep(tree)
        self._rearm()
        return tree.files

    def _keep(self, tree: Tree) -> None:
        """Remember what was read; of a file that became bad, the last good parse."""
        good = {path: unit for path, unit in tree.units.items() if not unit.faults}
        known = {**self._units, **good}
        self._seen = tree.files
        tree.known, tree.seen = {}, {}  # its places are kept; not what was before
        self._units = {path: known[path] for path in tree.files if path in known}

    def _rearm(self) -> None:
        """Watch what is there now; a directory may have been replaced."""
        for watch in tuple(self._watches):
            watch.rearm()

    def _real_root(self) -> str:
        root = self._root or os.path.dirname(self._own)
        return os.path.realpath(root)
