"""Asks a running service: that of a state directory, or of a URL."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from midflight.errors import SourceUnavailableError
from midflight_plugins.api import Client
from midflight_plugins.cli._address import Address
from midflight_plugins.cli._given import Given
from midflight_plugins.cli._not_running import NotRunningError
from midflight_plugins.cli._resolved import Settings
from midflight_plugins.cli._state_dir import directory_of, root
from midflight_plugins.cli._state_dir import running as living

_NOBODY = (FileNotFoundError, NotADirectoryError, ConnectionRefusedError)
NAMED_BY = "a service is named by --source or --state-dir"
_LOCAL = ("state_dir", "source")  # settings that say which service of this host


class Service(NamedTuple):
    """A running service.

    Args:
        settings: what its `run` was given, if it is one of this host.
        address: where it is otherwise.
    """

    settings: Settings
    address: Address = Address()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """Ask, and return the content of the answer.

        Args:
            method: of HTTP.
            path: below `/api/v1/`, such as `status`.
            body: sent as JSON; nothing is sent for `None`.
            query: parameters; those that are `None` are left out.

        Raises:
            NotRunningError: no service runs with that state directory.
            SourceUnavailableError: nobody answers there.
            AnswerError: the service does not do it.
            click.UsageError: it cannot be told which service, or its URL is none.
        """
        if url := self.url:
            return self._at(url).ask(method, path, body, query=query).content
        directory = self._directory()
        try:
            client = Client.of(directory)
            return client.ask(method, path, body, query=query).content
        except SourceUnavailableError as exc:
            if not isinstance(exc.__cause__, _NOBODY):
                raise
            msg = f"no service runs with the state directory {directory}"
            nobody = NotRunningError(msg)
            nobody.add_note("give what its `midflight run` was given, or --state-dir")
            raise nobody from exc

    @property
    def url(self) -> str | None:
        """The URL, unless the command line names a service of this host."""
        local = self._is_local and not self.address.is_named
        return None if local else self.address.url

    @property
    def words(self) -> str:
        """The options that name it again, if the command line named it in any way."""
        url, token_file, ca_file, is_named = self.address
        above = click.get_current_context().find_root().ensure_object(Given)
        given: dict[str, str | None] = {}
        if is_named:
            given = {"--url": url, "--token-file": token_file, "--ca-file": ca_file}
        elif self._is_local or (self.url is None and (above.file or above.sets)):
            given = {"--state-dir": directory_of(self.settings)}
        return "".join(
            f" {name} {shlex.quote(word)}" for name, word in given.items() if word
        )

    @property
    def _is_local(self) -> bool:
        """Whether the command line says which service of this host it is."""
        return any(self.settings.found[name].origin == "option" for name in _LOCAL)

    def _at(self, url: str) -> Client:
        _, token_file, ca_file, _ = self.address
        state_dir = self._own_directory()
        try:
            return Client.at(
                url, token_file=token_file, ca_file=ca_file, state_dir=state_dir
            )
        except ValueError as exc:
            raise click.UsageError(str(exc)) from exc

    def _own_directory(self) -> str | None:
        """Return the state directory that is known, or the only one in use."""
        found = directory_of(self.settings)
        if found or self.settings["state_dir"] is False:
            return found
        running = living()
        return str(running[0]) if len(running) == 1 else None

    def _directory(self) -> Path:
        """Return the state directory of the service that is meant."""
        if found := directory_of(self.settings):
            return Path(found)
        if self.settings["state_dir"] is False:
            msg = "a service without a state directory cannot be asked, but by --url"
            raise click.UsageError(msg)
        running = living()
        if len(running) == 1:
            return running[0]
        if running:
            listed = "\n".join(f"    --state-dir {each}" for each in running)
            say = "say which, by --source or one of these"
            msg = f"{len(running)} services run; {say}:\n\n{listed}"
            raise click.UsageError(msg)
        msg = f"no service runs in the default place: none answers below {root()}"
        nobody = NotRunningError(msg)
        nobody.add_note("if it keeps its state elsewhere, name that with --state-dir")
        raise nobody
