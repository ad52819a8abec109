"""What users import: few names, one door, each described."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from types import FunctionType

import pytest

import midflight


def public_members(module):
    """Yield the qualified name and value of what a module defines for users."""
    for name, value in vars(module).items():
        if name.startswith("_") or not (inspect.isclass(value) or callable(value)):
            continue
        if getattr(value, "__module__", None) == module.__name__:
            yield f"{module.__name__}.{name}", value


def methods(label, value):
    """Yield a class's own public methods and properties."""
    if inspect.isclass(value):
        for name, member in vars(value).items():
            kinds = FunctionType | property | classmethod | staticmethod
            if isinstance(member, kinds) and not name.startswith("_"):
                yield f"{label}.{name}", member


def undocumented(label, value):
    """Yield what has no docstring of its own, `value` or one of its methods."""
    for each, member in [(label, value), *methods(label, value)]:
        if not (member.__doc__ or "").strip():
            yield each


def public_modules():
    """Return the names of the modules users may import."""
    below = pkgutil.walk_packages(midflight.__path__, "midflight.")
    names = [each.name for each in below if "._" not in each.name]
    return ["midflight", *names]


def test_the_door_is_small(root):
    """`midflight` offers at most 25 names; its file re-exports, two only when asked."""
    text = (root / "core/midflight/__init__.py").read_text()

    assert len(midflight.__all__) <= 25
    assert midflight.__all__ == sorted(midflight.__all__)
    assert len(text.splitlines()) <= 65
    assert re.findall(r"def (\w+)", text) == ["__getattr__"]


@pytest.mark.parametrize("name", midflight.__all__)
def test_every_exported_name_is_described(name):
    """Each name of `__all__` exists and has a docstring of its own."""
    value = getattr(midflight, name)

    assert list(undocumented(f"midflight.{name}", value)) == []


@pytest.mark.parametrize("name", public_modules())
def test_every_public_member_is_described(name):
    """Each class and function of a public module has a docstring of its own."""
    module = importlib.import_module(name)
    missing = [
        each
        for label, value in public_members(module)
        for each in undocumented(label, value)
    ]

    assert (module.__doc__ or "").strip()
    assert missing == []


@pytest.mark.parametrize("name", [each for each in public_modules() if "." in each])
def test_every_public_module_has_a_page(name, root):
    """The reference of `midflight` leads to that of each other module."""
    page = root / "docs/reference/python.md"
    link = re.search(rf"\[`{name}`\]\((\S+)\)", page.read_text())

    assert link, f"docs/reference/python.md links no page of `{name}`"
    assert (page.parent / link[1]).is_file()
