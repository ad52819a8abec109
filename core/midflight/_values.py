"""Deep-frozen values, their typed canonical form and its digest."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from midflight._secret import Secret
from midflight.errors import Code, Faults, Path, shown

MAX_DEPTH = 64
MAX_CONTAINERS = 1_000_000  # mappings and lists; aliases may hide many in a few bytes
_INT_RANGE, _INT_LIMITS = range(-(2**63), 2**64), "-2^63 to 2^64-1"


class FrozenDict(dict[str, Any]):
    """A dict that cannot be changed, so that nobody edits what others read."""

    __slots__ = ()

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        msg = "configuration is immutable; copy it with dict(...) first"
        raise TypeError(msg)

    __setitem__ = __delitem__ = clear = pop = popitem = _refuse
    setdefault = update = __ior__ = _refuse

    def __deepcopy__(self, _memo: object = None) -> FrozenDict:
        return self

    __copy__ = __deepcopy__

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


def fixed(value: Mapping[str, Any]) -> FrozenDict:
    """Return a mapping that nobody else can change; what is one, as it is."""
    return value if isinstance(value, FrozenDict) else FrozenDict(value)


def freeze(value: Any, path: Path, faults: Faults, depth: int = 0) -> Any:
    """Copy a value into frozen form, noting each thing a document cannot hold.

    Mappings become `FrozenDict`, sequences tuples; scalars are `None`, bool, int,
    finite float, str, and TOML's dates and times.
    """
    kind = type(value)
    if kind is str:
        plain = value.isascii() and value.isprintable()
        return value if plain else _text(value, path, faults)
    if kind is bool or value is None:
        return value
    if kind is int:
        if value not in _INT_RANGE:
            faults.add(
                Code.E_RANGE,
                "integer out of range",
                path,
                expected=_INT_LIMITS,
                hint="quote it if it is not a number",
            )
        return value
    if kind is float:
        if not math.isfinite(value):
            faults.add(
                Code.E_NONFINITE, "number is not finite", path, found=repr(value)
            )
        return value
    if isinstance(value, Mapping | list | tuple):
        return _container(value, path, faults, depth)
    return _other(value, path, faults)


def _container(value: Any, path: Path, faults: Faults, depth: int) -> Any:
    """Copy a mapping or a list; refuse what is too deep or too much."""
    faults.containers += 1
    if depth > MAX_DEPTH:
        faults.add(Code.E_DEPTH, f"nested deeper than {MAX_DEPTH} levels", path[:8])
        return None
    if faults.containers > MAX_CONTAINERS:
        if faults.containers == MAX_CONTAINERS + 1:
            faults.add(
                Code.E_ALIAS,
                f"more than {MAX_CONTAINERS:,} mappings and lists",
                path[:8],
            )
        return None
    if isinstance(value, Mapping):
        return FrozenDict(_items(value, path, faults, depth))
    return tuple(
        [freeze(v, (*path, i), faults, depth + 1) for i, v in enumerate(value)]
    )


def _other(value: Any, path: Path, faults: Faults) -> Any:
    """Normalise subclasses of scalars; refuse every other type."""
    dates: Any = sys.modules.get("datetime")  # without it there is no such value
    if isinstance(value, (Secret, dates.date, dates.time) if dates else Secret):
        return value
    for plain in (str, int, float):
        if isinstance(value, plain):
            return freeze(plain(value), path, faults)
    faults.add(
        Code.E_TYPE,
        "value has a type that configuration cannot hold",
        path,
        found=type(value).__name__,
        expected="a mapping, list, string, number, boolean or null",
    )
    return None


def _items(
    value: Mapping[Any, Any], path: Path, faults: Faults, depth: int
) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if not isinstance(key, str):
            faults.add(
                Code.E_KEYTYPE,
                "key is not a string",
                path,
                found=shown(key),
                hint="quote it",
            )
            continue
        if not key.isprintable():
            faults.add(
                Code.E_CHAR,
                "key holds a control or invisible character",
                path,
                found=shown(ascii(key)),
            )
        yield sys.intern(str(key)), freeze(item, (*path, key), faults, depth + 1)


def _text(value: str, path: Path, faults: Faults) -> str:
    if "\0" in value:
        faults.add(Code.E_CHAR, "string holds a NUL character", path)
    try:
        value.encode()
    except UnicodeEncodeError:
        faults.add(Code.E_CHAR, "string holds half of a surrogate pair", path)
    return value


def _form(value: Any) -> list[str]:
    text = value.fingerprint if isinstance(value, Secret) else value.isoformat()
    # A lone surrogate cannot occur in a frozen string: no text collides with this.
    return ["\ud800" + type(value).__name__, text]


def digest_of(value: Any) -> str:
    """Return the sha256 of the typed canonical form of a frozen value.

    1, 1.0, true and "1" differ; the order of keys does not count.
    """
    encode, sha256 = _tools()
    return str(sha256(encode(value).encode()).hexdigest())


@functools.cache
def _tools() -> tuple[Callable[[Any], str], Callable[[bytes], Any]]:
    import hashlib
    from json import encoder

    form = encoder.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_form)
    # `form.encode` makes this anew at each call, which takes longer than its work.
    make: Any = getattr(encoder, "c_make_encoder", None)
    quote = encoder.encode_basestring_ascii
    try:
        encoded = make(None, _form, quote, None, ":", ",", True, False, True)
    except TypeError:  # a Python that has it not, or not so
        return form.encode, hashlib.sha256
    return lambda value: "".join(encoded(value, 0)), hashlib.sha256


def same(one: Any, other: Any) -> bool:
    """Tell whether two frozen values are equal in value and type, also below."""
    if one is other:
        return True
    # All in C. What is equal may yet be of another type, as 1 and True.
    if one != other:
        return False
    if type(one) in (str, int, bool):
        return type(one) is type(other)
    return digest_of(one) == digest_of(other)
