"""The words with which a layer removes or replaces what lower layers set.

`$patch: delete` in a mapping removes it, `$patch: replace` puts it in the place of the
lower one; `{$patch: replace, $value: …}` puts a list or a single value there. Lists are
replaced whole, so nothing is looked for inside them.
"""

from __future__ import annotations

from typing import Any

import attrs

from midflight import Document, Fault, ModuleConfig
from midflight.errors import Code, Path, shown

PATCH, VALUE = "$patch", "$value"
DELETE, REPLACE = "delete", "replace"
# The type of frozen mappings has no public name.
frozen: Any = type(Document().sections)


class _Absent:
    """Stands where a layer says nothing."""


ABSENT: Any = _Absent()


def mark_of(value: Any) -> str:
    """Return what a value's `$patch` says, or an empty string."""
    return str(value.get(PATCH, "")) if isinstance(value, dict) else ""


def replacing(value: Any) -> Any:
    """Return a value in the form that replaces whatever is below it."""
    body = value if isinstance(value, dict) else {VALUE: value}
    return frozen({**body, PATCH: REPLACE})


def cleaned(value: Any) -> Any:
    """Return a value without marks, `ABSENT` if it is removed.

    What has no marks comes back as the very same object.
    """
    if not isinstance(value, dict):
        return value
    if PATCH in value:
        if value[PATCH] == DELETE:
            return ABSENT
        if VALUE in value:
            return value[VALUE]
    items = {key: cleaned(item) for key, item in value.items() if key != PATCH}
    if len(items) == len(value) and all(items[key] is value[key] for key in value):
        return value
    return frozen({key: item for key, item in items.items() if item is not ABSENT})


def cleaned_module(module: ModuleConfig) -> ModuleConfig | None:
    """Return a module entry without marks, `None` if it is removed."""
    extra, config = cleaned(module.extra), cleaned(module.config)
    if extra is ABSENT:
        return None
    if extra is module.extra and config is module.config:
        return module
    config = frozen() if config is ABSENT else config
    return attrs.evolve(module, config=config, extra=extra)


# -- what a mark may be ------------------------------------------------------------


def wrong_marks(document: Document, names: list[str]) -> list[Fault]:
    """Return a fault for each mark that is none.

    Args:
        document: what a layer gave.
        names: its modules that are looked at; all other sections always are.
    """
    faults: list[Fault] = []
    top = (*document.modules, *document.sections)
    _look(document.sections, (), faults, beside=[key for key in top if key != PATCH])
    for name in names:
        module, path = document.modules[name], ("modules", name)
        beside = [key for key in module.as_mapping() if key not in {"name", PATCH}]
        if not module.config:
            beside.remove("config")
        _look(module.extra, path, faults, beside=beside)
        _look(module.config, (*path, "config"), faults)
    return faults


def _look(
    value: Any, path: Path, faults: list[Fault], beside: list[str] | None = None
) -> None:
    """Look at one mapping and those below it; `beside` are the keys besides a mark."""
    if not isinstance(value, dict):
        return
    if PATCH in value:
        if beside is None:
            beside = [key for key in value if key != PATCH]
        faults.extend(_judged(value, path, beside))
    for key, item in value.items():
        if isinstance(item, dict):
            _look(item, (*path, key), faults)


def _judged(value: dict[str, Any], path: Path, beside: list[str]) -> list[Fault]:
    word = value[PATCH]
    if word not in (DELETE, REPLACE):
        msg, words = "`$patch` is not known", f"`{DELETE}` or `{REPLACE}`"
        where = (*path, PATCH)
        return [Fault(Code.E_ENUM, msg, where, found=shown(word), expected=words)]
    if word == DELETE and beside:
        msg = "`$patch: delete` removes all of it, also what stands beside the mark"
        hint = f"remove `{beside[0]}`, or write `$patch: replace`"
        return [Fault(Code.E_VALUE, msg, path, found=f"`{beside[0]}`", hint=hint)]
    if VALUE in value and (len(beside) > 1 or isinstance(value[VALUE], dict)):
        msg = "`$value` stands alone beside `$patch`, for a list or a single value"
        hint = "for a mapping, write its keys beside `$patch`"
        return [Fault(Code.E_VALUE, msg, path, hint=hint)]
    return []
