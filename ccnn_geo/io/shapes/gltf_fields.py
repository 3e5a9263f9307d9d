"""The description of a glTF file; each field's type is checked when it is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from ccnn_geo.io.shapes.shape import ShapeError


@dataclass(frozen=True, eq=False)
class GltfFields:
    """Fields of the description, or of an object in it, by name; types other than the standard's are refused.

    Args:
        path: The file, for messages.
        header: The description.

    Source: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
    """

    path: Path
    header: dict[str, Any]

    def items(self, thing: dict[str, Any], key: str) -> list[Any]:
        """A list; empty if missing."""
        return self._of(thing, key, list, [], "a list")

    def group(self, thing: dict[str, Any], key: str) -> dict[str, Any]:
        """An object; empty if missing."""
        return self._of(thing, key, dict, {}, "names and values")

    def groups(self, thing: dict[str, Any], key: str) -> list[dict[str, Any]]:
        """A list of objects; empty if missing."""
        found = self.items(thing, key)
        for value in found:
            if not isinstance(value, dict):
                raise ShapeError(f"{self.path}: {value!r:.40} among {key}, expected names and values")
        return found

    def extension(self, thing: dict[str, Any], name: str) -> dict[str, Any]:
        """The data of an extension in an object; empty if missing."""
        return self.group(self.group(thing, "extensions"), name)

    def _of(self, thing: dict[str, Any], key: str, kind: type, default: Any, expected: str) -> Any:
        value = thing.get(key, default)
        if not isinstance(value, kind):
            raise ShapeError(f"{self.path}: {key} {value!r:.60}, expected {expected}")
        return value

    def item(self, kind: str, index: object) -> dict[str, Any]:
        """One of the file's ``nodes``, ``meshes``, ``accessors`` and so on."""
        things = self.items(self.header, kind)
        found = things[index] if is_whole(index) and 0 <= index < len(things) else None
        if not isinstance(found, dict):
            raise ShapeError(f"{self.path}: index {index!r:.20} of the {kind}, expected one of {len(things)}")
        return found

    def whole(self, thing: dict[str, Any], key: str, default: int | None = None) -> int:
        """A whole number of 0 or more."""
        value = thing.get(key, default)
        if not is_whole(value) or not 0 <= value < 2**63:
            raise ShapeError(f"{self.path}: {key} {value!r:.20}, expected a whole number of 0 or more")
        return value

    def flag(self, thing: dict[str, Any], key: str, default: bool) -> bool:
        """True or false."""
        return self._of(thing, key, bool, default, "true or false")

    def text(self, thing: dict[str, Any], key: str, default: str) -> str:
        """A text."""
        return self._of(thing, key, str, default, "a text")

    def numbers(self, thing: dict[str, Any], key: str) -> np.ndarray:
        """A list of numbers; empty if missing."""
        return self._numbers(key, self.items(thing, key), "numbers")

    def vector(self, thing: dict[str, Any], key: str, default: list[float]) -> np.ndarray:
        """A list with as many numbers as the default."""
        values = self.items(thing, key) if key in thing else default
        found = self._numbers(key, values, expected := f"{len(default)} numbers")
        if len(found) != len(default):
            raise ShapeError(f"{self.path}: {key} {values!r:.60}, expected {expected}")
        return found

    def _numbers(self, key: str, values: list[Any], expected: str) -> np.ndarray:
        if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
            raise ShapeError(f"{self.path}: {key} {values!r:.60}, expected {expected}")
        return np.array([_double(v) for v in values])


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a JSON value is a whole number; for Python, true and false are numbers too."""
    return isinstance(value, int) and not isinstance(value, bool)


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf
