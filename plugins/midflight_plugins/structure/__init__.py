"""Typed module configuration for attrs classes, dataclasses and `TypedDict`.

A value is taken as it stands or refused: a number in quotes is a fault, not a number.
Every fault of a configuration is found at once, each with the path of its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from midflight import hookimpl


@hookimpl
def structure(config: Mapping[str, Any], type: Any) -> Any:  # noqa: A002  # the hookspec's name
    """Build an instance of an attrs class, a dataclass or a `TypedDict`.

    Args:
        config: the configuration, as plain values.
        type: the class; keys are the names of its `__init__` arguments.

    Returns:
        the instance, or `None` if `type` is none of these.

    Raises:
        InvalidConfigurationError: with every fault, paths relative to `config`.
        PluginError: if a field has a type that configuration cannot express.
    """
    from midflight_plugins.structure._converter import build, is_supported

    return build(config, type) if is_supported(type) else None


@hookimpl
def json_schema(type: Any) -> Mapping[str, Any] | None:  # noqa: A002  # the hookspec's name
    """Describe an attrs class, a dataclass or a `TypedDict` as JSON Schema.

    Args:
        type: the class.

    Returns:
        the schema (2020-12), or `None` if `type` is none of these.

    Raises:
        ValueError: if a field is marked with a word that is none.
    """
    from midflight_plugins.structure._converter import is_supported
    from midflight_plugins.structure._schema import schema_of

    return schema_of(type) if is_supported(type) else None
