"""What a configuration needs of the installation."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from midflight import Document, hookimpl
from midflight.errors import InvalidConfigurationError

if TYPE_CHECKING:
    from midflight import Runtime

__all__ = ["transform"]


@hookimpl(wrapper=True, tryfirst=True)
def transform(
    document: Document, runtime: Runtime
) -> Generator[None, Document, Document]:
    """Refuse a document whose section `requires` is not met, first of all.

    Raises:
        InvalidConfigurationError: with every requirement that is not met, and what
            else is found wrong.
    """
    if "requires" not in document.sections:
        return (yield)
    from midflight_plugins.requires._check import unmet

    faults = unmet(document.sections["requires"], runtime.registry.entries())
    if not faults:
        return (yield)
    partial: Document | None = None
    try:
        partial = yield
    except InvalidConfigurationError as exc:
        faults, partial = (*faults, *exc.faults), exc.partial
    except Exception as exc:  # what is missing may be why
        raise InvalidConfigurationError(faults) from exc
    raise InvalidConfigurationError(faults, partial and _without_requires(partial))


def _without_requires(document: Document) -> Document:
    """Return the rest, so that its further faults are found as well."""
    sections: Any = type(document.sections)
    rest = {key: each for key, each in document.sections.items() if key != "requires"}
    return Document(document.modules, sections(rest))
