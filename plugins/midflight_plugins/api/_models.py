"""What the routes that look answer with, for the description of the API."""

from __future__ import annotations

from typing import Any

import attrs

from midflight_plugins.api._changes import Change, Fault


@attrs.frozen
class Applied:
    """What is in force, and since when."""

    digest: str
    at: float


@attrs.frozen
class Refused:
    """What was refused last: the content is wanted, and another one runs."""

    digest: str | None
    reason: str
    faults: list[Fault]
    at: float


@attrs.frozen
class Source:
    """A source, or a layer of it, and how it is."""

    name: str
    version: str | int | None
    error: str | None
    since: float | None
    seen: float | None = None
    mode: str | None = None
    source: str | None = None
    optional: bool | None = None


@attrs.frozen
class ModuleState:
    """A module in the status."""

    type: str
    state: str
    generation: int


@attrs.frozen
class Status:
    """What is in force, wanted and refused."""

    generation: int
    digest: str
    state: str
    desired: str | None
    applied: Applied
    rejected: Refused | None
    held: list[str] | None
    sources: list[Source]
    modules: dict[str, ModuleState]
    notes: dict[str, str]


@attrs.frozen
class ModuleRow:
    """A module in a list."""

    name: str
    type: str
    state: str
    generation: int
    reloadable: bool
    overridden: bool


@attrs.frozen
class Modules:
    """A page of the modules that run; `total` counts all that were asked for."""

    modules: list[ModuleRow]
    total: int
    offset: int


@attrs.frozen
class Health:
    """What a module says of itself."""

    healthy: bool
    values: dict[str, Any]
    detail: str


@attrs.frozen
class Module:
    """A module that runs; `health` if it was asked for.

    `marks` names keys of `config` that are `live`, need a `restart` or are `secret`.
    """

    name: str
    type: str
    state: str
    generation: int
    reloadable: bool
    overridden: bool
    config: dict[str, Any]
    marks: dict[str, list[str]]
    depends_on: list[str]
    health: Health | None = None


@attrs.frozen
class Shadow:
    """What a lower layer says of a value that another one set."""

    value: Any
    file: str | None
    line: int | None
    column: int | None
    layer: str
    version: str | int | None


@attrs.frozen
class Explained:
    """One value in force, and who set it."""

    path: str
    value: Any
    file: str | None
    line: int | None
    column: int | None
    layer: str | None
    version: str | int | None
    shadows: list[Shadow]


@attrs.frozen
class Explanation:
    """The values at and below a path."""

    path: str
    value: Any
    file: str | None
    line: int | None
    column: int | None
    layer: str | None
    values: list[Explained]


@attrs.frozen
class History:
    """Decisions, newest first; `next` is the `before` of the page that follows.

    Of a `journal` it outlives the process; of `memory` it does not.
    """

    kept: str
    records: list[dict[str, Any]]
    next: int | None


@attrs.frozen
class Generation:
    """A configuration that was put in force."""

    generation: int
    digest: str
    at: float
    actor: str
    cause: str
    reason: str
    current: bool


@attrs.frozen
class Generations:
    """What was put in force since the process began, newest first."""

    generations: list[Generation]


@attrs.frozen
class StoredVersion:
    """A version that a layer keeps; the current one is in force."""

    version: str | int
    digest: str
    author: str
    message: str
    at: float | None
    current: bool


@attrs.frozen
class Versions:
    """The stored versions of a layer, newest first; `layers` keep such as well."""

    layer: str
    layers: list[str]
    versions: list[StoredVersion]


@attrs.frozen
class Difference:
    """What differs between two configurations; `totals` counts what is not listed."""

    added: list[str]
    removed: list[str]
    modified: list[str]
    sections: list[str]
    totals: dict[str, int]
    changes: list[Change]


@attrs.frozen
class Override:
    """A value that is set above all other layers."""

    path: str
    value: Any
    file: str | None
    line: int | None
    column: int | None


@attrs.frozen
class Overrides:
    """Every value that is set above all other layers."""

    layer: str | None
    version: str | int | None
    overrides: list[Override]
