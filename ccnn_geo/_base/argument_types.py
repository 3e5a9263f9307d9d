"""Checks whether values from a command line or a configuration have the types that a class annotates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from os import PathLike
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def types_of(cls: type) -> dict[str, Any]:
    """Types of the arguments of a constructor, including those of base classes."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if "__init__" in vars(base) and base.__module__.startswith("ccnn_geo"):
            found |= get_type_hints(base.__init__)  # type: ignore[misc]  # read, not called
    return found


def check_types(where: str, cls: type, given: Mapping[str, Any]) -> None:
    """Checks that arguments of a constructor have the right types.

    Raises:
        ValueError: If one has another type; the message begins with ``where``.
    """
    known = types_of(cls)
    for name, value in given.items():
        if not fits(value, known.get(name, Any)):
            raise ValueError(f"{where}: expected {name} to be {named(known[name])}, got {value!r}")


def fits(value: object, kind: Any) -> bool:
    """Whether a value has a type; accepts any value for types that text cannot express, such as functions.

    Example:
        >>> [fits(value, int | None) for value in (3, None, 3.0, "3", True)]
        [True, True, False, False, False]
    """
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in inside)
    if kind in (NoneType, str, bool):
        return isinstance(value, kind)
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    if origin is PathLike:
        return isinstance(value, (str, PathLike))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping)
    if isinstance(origin, type) and issubclass(origin, Iterable):
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            return False
        entries = list(value)
        if origin is tuple and Ellipsis not in inside:
            return len(entries) == len(inside) and all(map(fits, entries, inside))
        return all(fits(entry, inside[0]) for entry in entries)
    return True


def named(kind: Any) -> str:
    """The name of a type, as in its annotation.

    Example:
        >>> named(int | None)
        'int or None'
    """
    text = kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
    return (
        text.replace("collections.abc.", "").replace("os.", "").replace("typing.", "").replace(" | ", " or ")
    )
