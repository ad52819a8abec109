"""What the routes that change something take and give, to describe the API."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Fault:
    """One thing that is wrong with a configuration."""

    code: str
    message: str
    path: str
    file: str | None
    line: int | None
    column: int | None
    layer: str | None
    found: str
    expected: str
    hint: str


@attrs.frozen
class Changed:
    """What became of the configuration of a module.

    `status` is `ok` if it is in force; `held` if it waits for an approval; `stored` if
    it is kept, and in force as soon as it can be.
    """

    status: str
    module: str
    generation: int
    etag: str
    changed: bool
    version: str | int
    faults: list[Fault] = attrs.field(factory=list)


@attrs.frozen
class Value:
    """A value to set; a mapping or a list replaces what is set there."""

    value: Any


@attrs.frozen
class Overridden:
    """What became of one override; `status` as for the configuration of a module."""

    status: str
    path: str
    generation: int
    etag: str
    changed: bool
    version: str | int
    faults: list[Fault] = attrs.field(factory=list)


@attrs.frozen
class Reload:
    """Who asks; only the owner of the process can say so."""

    actor: str = ""


@attrs.frozen
class Wanted:
    """What shall become of one module: one of the three."""

    config: dict[str, Any] | None = None
    patch: dict[str, Any] | None = None
    remove: bool = False


@attrs.frozen
class PlanRequest:
    """A change of one module or of several; nothing is what the source holds now."""

    module: str | None = None
    config: dict[str, Any] | None = None
    patch: dict[str, Any] | None = None
    remove: bool = False
    modules: dict[str, Wanted] | None = None


@attrs.frozen
class Step:
    """What would happen to one module, why, and the paths behind it."""

    action: str
    module: str
    reason: str
    paths: list[str]


@attrs.frozen
class Change:
    """One value that would differ; a side that has none is left out."""

    path: str
    old: Any = None
    new: Any = None


@attrs.frozen
class Planned:
    """What a change would do; `token` is for `apply`, until `expires`."""

    verdict: str
    reason: str
    code: str | None
    steps: list[Step]
    steps_total: int
    changes: list[Change]
    base: str
    desired: str
    token: str | None
    expires: float | None


@attrs.frozen
class Apply:
    """Carries out what was planned, once, if nothing has changed since."""

    token: str
    message: str = ""


@attrs.frozen
class Rollback:
    """What to go back to: a generation, a digest, or a stored version of a layer."""

    generation: int | None = None
    digest: str | None = None
    layer: str | None = None
    version: str | int | None = None
    message: str = ""


@attrs.frozen
class Done:
    """What became of a change; `status` as for the configuration of a module."""

    status: str
    generation: int
    digest: str
    faults: list[Fault] = attrs.field(factory=list)


@attrs.frozen
class Taken:
    """What happened to one module."""

    action: str
    module: str


@attrs.frozen
class Outcome:
    """How an attempt to apply what the sources hold has ended."""

    outcome: str
    reason: str
    cause: str
    actor: str
    generation: int
    digest: str
    base: str
    steps: list[Taken]
    steps_total: int
    faults: list[Fault]
    faults_total: int
    degraded: list[str]
    warnings: list[str]
    took: dict[str, float]
    at: float
    seconds: float
    transient: bool
