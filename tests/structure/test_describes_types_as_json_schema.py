from __future__ import annotations

import attrs

from midflight import Runtime, hookimpl
from midflight.testing import FakeSource
from midflight_plugins import structure


@attrs.frozen
class Limits:
    rate: int
    greeting: str = "hello"


def test_a_configuration_class_has_a_json_schema():
    """An attrs class is described with its types, closed to unknown keys."""
    schema = structure.json_schema(Limits) or {}
    described = schema["$defs"]["Limits"]

    assert described["properties"]["rate"] == {"type": "integer"}
    assert described["required"] == ["rate"]
    assert described["additionalProperties"] is False


def test_another_kind_of_type_is_left_to_another_plugin():
    """The hook `json_schema` takes the first answer that is not `None`."""

    class Numbers:
        @hookimpl
        def json_schema(self, type):  # noqa: A002  # the contract's name
            return {"type": "number"} if type is float else None

    runtime = Runtime(FakeSource({"modules": []}), plugins=[Numbers()])
    ask = runtime._engine.hooks.hook.json_schema

    assert ask(type=float, runtime=runtime) == {"type": "number"}
    assert ask(type=Limits, runtime=runtime)["$defs"]
    assert ask(type=int, runtime=runtime) is None
