"""The module type `http`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from midflight import Document, Health, hookimpl
from midflight_plugins.http._config import HttpConfig
from midflight_plugins.http._listener import Listener, Prepared

if TYPE_CHECKING:
    from midflight import Runtime


class HttpModule(Listener):
    """Serves an ASGI application, and changes it without dropping a request."""

    Config = HttpConfig

    @hookimpl
    def prepare(
        self, config: HttpConfig, document: Document, runtime: Runtime
    ) -> Prepared:
        """Import and start the application, and open the socket."""
        return self.ready(config, document, runtime)

    @hookimpl
    def probe(self) -> Health:
        """Say whether requests are accepted, where, and by which application."""
        config = self.config
        return self.health(attrs.asdict(config, recurse=False) if config else {})

    @hookimpl
    def stop(self) -> None:
        """Finish the requests in flight, and end everything."""
        self.end()
