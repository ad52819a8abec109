"""One entry point: whose it is, whether that fits Midflight, what became of it."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

import attrs

from midflight._system import log
from midflight.errors import DuplicatePluginError, PluginApiError, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import Distribution, EntryPoint

OURS = "midflight"
# A requirement with a marker, with a URL or of another name says nothing about us.
_OURS = re.compile(
    r"midflight\s*(?:\[[^]]*\])?\s*\(?([~=!<>][^;@()]*?)\s*\)?\s*", re.IGNORECASE
)
_ORDERS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "~=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@attrs.define(eq=False)
class PluginEntry:
    """One entry point, and what became of it.

    Args:
        role: `source`, `module`, `strategy`, `plugin`, `command` or `secret`.
        name: the entry point's name, which is the type name.
        distribution: the distribution that declares it.
        version: that distribution's version.
        target: `package.module:attribute`.
        state: `available`, `loaded`, `failed`, `conflict`, `reserved`, `blocked`,
            `not allowed` or `incompatible`.
        reason: why it cannot be used.
        begun: whether its import was begun; `available` until that has come back.
    """

    role: str
    name: str
    distribution: str
    version: str
    target: str
    state: str = "available"
    reason: str = ""
    begun: bool = attrs.field(default=False, init=False)
    _point: EntryPoint | None = attrs.field(default=None, repr=False)
    _loaded: Any = attrs.field(default=None, repr=False)  # or why it cannot be

    def load(self) -> Any:
        """Import the target once; remember a failure, and raise it each time.

        Raises:
            PluginError: if it cannot be imported or its name is in dispute.
        """
        if self.state == "available" and self._point is not None:
            self.begun = True
            try:
                self._loaded, self.state = self._point.load(), "loaded"
            except (Exception, SystemExit) as exc:  # noqa: BLE001  # it stops no other
                self.state, self.reason = "failed", f"{type(exc).__name__}: {exc}"
                self._loaded = exc
        if self.state == "loaded":
            return self._loaded
        msg = (
            f"{self.role} `{self.name}` of {self.distribution} {self.version} "
            f"cannot be used: {self.reason}"
        )
        raise {"conflict": DuplicatePluginError, "incompatible": PluginApiError}.get(
            self.state, PluginError
        )(msg) from self._loaded


def identity(distribution: Distribution) -> tuple[str, str, tuple[str, str]]:
    """Return a distribution's name, version, and its plugins' state with a reason.

    Nothing is imported for it: the bounds that its metadata sets to `midflight` are
    compared with the version that runs, as an installer would.
    """
    from midflight import __version__

    try:
        # Where the file is gone, they are None.
        name, version = distribution.name.strip(), distribution.version.strip()
        wanted = max(
            (_unmet(r, __version__) for r in distribution.requires or ()), default=""
        )
    except Exception:  # noqa: BLE001  # half an installation stops no other
        return "(unknown)", "", ("failed", "its metadata cannot be read")
    why = f"it is written for midflight {wanted}, and this is {__version__}"
    return name, version, ("incompatible", why) if wanted else ("available", "")


def installed() -> Iterator[EntryPoint]:
    """Yield every entry point; a distribution that has spoilt its own is named."""
    from importlib.metadata import distributions

    for each in distributions():
        try:
            yield from each.entry_points
        except Exception:  # noqa: BLE001  # it stops no other
            log.warning(
                "%s %s is left out: its entry_points.txt cannot be read:"
                " install it again",
                *identity(each)[:2],
            )


def barred(
    role: str, name: str, owner: str, allow: Iterable[str] | None, block: Iterable[str]
) -> tuple[str, str] | None:
    """Return the state of what may not be imported, with the reason.

    Args:
        role: of the plugin.
        name: of the plugin.
        owner: its distribution.
        allow: who may be imported, `None` for all; names, `role:name` or
            distributions, compared as installers do: `Acme_Lamp` is `acme-lamp`.
        block: who may not, in the same words.
    """
    known = {_canonical(each) for each in (name, f"{role}:{name}", owner)}
    if found := [each for each in block if _canonical(each) in known]:
        return "blocked", f"blocked by `no:{min(found)}`"
    if allow is None or owner == OURS or known & {*map(_canonical, allow)}:
        return None
    return "not allowed", f"`allow` names neither it nor {owner}"


def is_block(plugin: object) -> bool:
    """Tell whether what is given as a plugin is `no:WORD`, which blocks some."""
    return isinstance(plugin, str) and plugin.startswith("no:")


def _unmet(requirement: str, version: str) -> str:
    """Return the bounds that a requirement sets to us, unless they are met."""
    bounds = (_OURS.fullmatch(requirement) or ("", ""))[1]
    return (
        ""
        if all(
            _fits(version, sign, bound)
            for sign, bound in re.findall(r"([~=!<>]=?)\s*([\w.+*-]+)", bounds)
        )
        else bounds
    )


def _fits(version: str, sign: str, bound: str) -> bool:
    """Compare releases, padded with zeros; of a pre-release its release counts."""
    wanted, ours = _release(bound), (*_release(version), *[0] * 8)
    most = len(wanted) if bound.endswith("*") else 8
    return _ORDERS[sign](ours[:most], (*wanted, *[0] * 8)[:most]) and (
        sign != "~=" or ours[: len(wanted) - 1] == wanted[:-1]
    )


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _release(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", re.split(r"[^\d.]", text, maxsplit=1)[0])))
