"""How a layer may be given: a URI, a source object, a list, or a mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from midflight.errors import did_you_mean

TIMEOUT = 5.0
_WORDS = ("source", "type", "name", "optional", "timeout")


@attrs.frozen
class Spec:
    """A layer as it was given.

    Args:
        source: what `Runtime.source` takes.
        name: what errors call it; empty if it is to be called as its source.
        optional: whether the rest goes on without it.
        timeout: seconds that a call of an optional layer is waited for.
    """

    source: Any
    name: str = ""
    optional: bool = False
    timeout: float = TIMEOUT

    @property
    def kind(self) -> str:
        """What it may be called while its source is not made; shows no secret."""
        source = self.source
        if isinstance(source, str):
            return source.partition(":")[0]
        if isinstance(source, Mapping):
            return str(source.get("type"))
        if isinstance(source, list | tuple):
            return "composite"
        return str(getattr(source, "name", None) or type(source).__name__)


def spec_of(layer: Any) -> Spec:
    """Read how one layer is given.

    Raises:
        ValueError: if it is a mapping that says no source, or something unknown.
        TypeError: if `optional` is no boolean.
    """
    if not isinstance(layer, Mapping):
        return Spec(layer)
    options = {str(key): value for key, value in layer.items()}
    if ("source" in options) == ("type" in options):
        msg = "a layer has either a `source`, such as a URI, or a `type` with options"
        raise ValueError(msg)
    name, optional = options.pop("name", ""), options.pop("optional", False)
    timeout = options.pop("timeout", TIMEOUT)
    source = options.pop("source", None)
    if source is not None and options:
        word = next(iter(options))
        msg = f"a layer has no `{word}`; {did_you_mean(word, _WORDS)}"
        raise ValueError(msg)
    _check(name, optional, timeout)
    return Spec(source or options, name, optional, float(timeout))


def _check(name: Any, optional: Any, timeout: Any) -> None:
    if not (isinstance(name, str) and name.isprintable()):
        msg = "the `name` of a layer is a printable string"
        raise ValueError(msg)
    if not isinstance(optional, bool):
        msg = f"`optional` of layer `{name}` is true or false"
        raise TypeError(msg)
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number or not timeout > 0:
        msg = f"`timeout` of layer `{name}` is a number of seconds above 0"
        raise ValueError(msg)


def specs_of(layers: Sequence[Any]) -> tuple[Spec, ...]:
    """Read how the layers of a composite are given, lowest first.

    Raises:
        TypeError: if they are no list.
        ValueError: if there are none, if one is wrong, or two have one `name`.
    """
    if isinstance(layers, str | Mapping) or not isinstance(layers, Sequence):
        msg = "`layers` is a list of sources, lowest first"
        raise TypeError(msg)
    if not layers:
        msg = "a composite needs at least one layer"
        raise ValueError(msg)
    specs = tuple(map(spec_of, layers))
    names = [spec.name for spec in specs if spec.name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"two layers are called `{twice[0]}`; rename one of them"
        raise ValueError(msg)
    return specs
