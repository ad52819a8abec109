"""The list of settings: the file, the environment and the options follow it.

Plain tuples, not a class of fields: making options of it costs help no import.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from midflight_plugins.cli._allowed import Allowed
from midflight_plugins.cli._kinds import (
    Directory,
    Flag,
    Kind,
    Layers,
    Names,
    Seconds,
    Store,
    Types,
    Uris,
)
from midflight_plugins.cli._listener import Listener

PREFIX = "MIDFLIGHT_"


class Setting(NamedTuple):
    """One setting.

    Args:
        name: its key; `overrides.store` is `store` in the table `overrides`.
        kind: what it may hold.
        default: what it holds otherwise.
        help: one sentence about it.
        option: the option of the command line that sets it, if one does.
        metavar: how help calls the value of that option.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    option: str = ""
    metavar: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        # A table of one key goes by its own name.
        return PREFIX + self.name.removesuffix(".store").upper()

    @property
    def field(self) -> str:
        """The name of the argument in which a command gets its option."""
        return self.name.replace(".", "_")


SETTINGS = (
    Setting(
        "source",
        Uris(),
        (),
        "Where the configuration comes from: a URI, or a list, the lowest layer first.",
        "FILE, --source",
    ),
    Setting(
        "layers",
        Layers(),
        (),
        "The same with a name and more for each layer; instead of `source`.",
    ),
    Setting(
        "merge",
        Kind("deep", "replace"),
        "deep",
        "How a module of a layer changes a lower one: key by key, or as a whole.",
    ),
    Setting(
        "overrides.store",
        Store(),
        "",
        "Where changes that an operator makes are kept, as the highest layer.",
    ),
    Setting(
        "admin",
        Listener(),
        "",
        "Where the HTTP API and the page of the service are; needs `midflight[admin]`.",
        "--admin",
        "HOST:PORT",
    ),
    Setting(
        "strategy",
        Kind(),
        "surgical",
        "Who decides what a change needs; see `midflight plugins`.",
        "--strategy",
        "NAME",
    ),
    Setting(
        "watch",
        Flag(),
        False,
        "Follow changes by itself, not only at SIGHUP.",
        "--watch/--no-watch",
    ),
    Setting(
        "state_dir",
        Directory(),
        True,
        "Where the last good configuration, the journal and the socket are; "
        "`true` for a directory of its own below $STATE_DIRECTORY or $XDG_STATE_HOME.",
        "--state-dir, --no-state",
        "DIR",
    ),
    Setting(
        "plugins",
        Names(),
        (),
        "Cross-cutting plugins of others that take part; `no:NAME` blocks any plugin.",
        "-p, --plugin",
    ),
    Setting(
        "allow",
        Allowed(),
        True,
        "What of other distributions may be imported: names of these or of plugins; "
        "`false` for nothing.",
        "--no-plugins",
    ),
    Setting(
        "modules", Types(), {}, "Module types made of classes, by name.", "--module"
    ),
    Setting(
        "deadline",
        Seconds(),
        30.0,
        "What one hook of a module or source may take.",
        "--deadline",
        "SECONDS",
    ),
    Setting(
        "shutdown",
        Seconds(),
        10.0,
        "What stopping may take; what hangs longer is left behind.",
        "--shutdown",
        "SECONDS",
    ),
    Setting(
        "wait",
        Seconds(zero=True),
        0.0,
        "How long to wait at the start for a source that cannot be read yet, such as "
        "a table that is still empty.",
        "--wait",
        "SECONDS",
    ),
    Setting(
        "sweep", Seconds(), 5.0, "The pause between two looks that no hint asked for."
    ),
    Setting(
        "backoff",
        Seconds(),
        30.0,
        "The longest pause between two tries after a failure.",
    ),
    Setting(
        "log_format",
        Kind("text", "json"),
        "text",
        "Lines for people, or one JSON object per line.",
        "--log-format",
    ),
    Setting(
        "log_level",
        Kind("debug", "info", "warning", "error"),
        "info",
        "The least that is logged, until a `logging` module takes over.",
        "--log-level",
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
