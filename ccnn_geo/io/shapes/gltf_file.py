"""A glTF file in one piece (GLB): its description, its bytes, and the numbers of its accessors."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.io.shapes.gltf_fields import GltfFields
from ccnn_geo.io.shapes.shape import ShapeError

_GLB, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


@dataclass(frozen=True, eq=False)
class GltfFile(GltfFields):
    """The description of a file and its binary chunk; references are checked when they are looked up.

    Args:
        path: The file, for messages.
        header: The description.
        binary: The binary chunk, or None.
        size: Bytes of the file.

    Source: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
    """

    binary: bytes | None
    size: int

    def floats(self, index: object, kind: str) -> np.ndarray:
        """Numbers ``[N, size]`` of an accessor in double precision; normalized integers are divided by the maximum."""
        accessor = self.item("accessors", index)
        rows = self._rows(accessor, index, kind)
        if not self.flag(accessor, "normalized", False) or rows.dtype.kind == "f":
            return rows.astype(np.float64)
        if rows.dtype.itemsize == 4:
            raise ShapeError(f"{self.path}: normalized {rows.dtype.name}, expected integers of 8 or 16 bits")
        return np.maximum(rows.astype(np.float64) / np.iinfo(rows.dtype).max, -1.0)

    def integers(self, index: object, kind: str) -> np.ndarray:
        """Whole numbers ``[N, size]`` of an accessor."""
        rows = self._rows(self.item("accessors", index), index, kind)
        if rows.dtype.kind != "u":
            raise ShapeError(f"{self.path}: indices of type {rows.dtype.name}, expected unsigned integers")
        return rows.astype(np.int64)

    def _rows(self, accessor: dict[str, Any], index: object, kind: str) -> np.ndarray:
        count = self.whole(accessor, "count")
        if accessor.get("type") != kind:
            raise ShapeError(
                f"{self.path}: accessor {index} of type {accessor.get('type')!r:.20}, expected {kind}"
            )
        if not 0 < count <= self.size:
            raise ShapeError(f"{self.path}: {count} entries in {self.size} bytes, expected 1 to that")
        dtype, sparse = self._dtype(accessor), self.group(accessor, "sparse")
        if "bufferView" in accessor:
            rows = self._view(accessor, dtype, count, _SIZES[kind])
        elif sparse:
            rows = np.zeros((count, _SIZES[kind]), dtype)
        else:
            raise ShapeError(
                f"{self.path}: accessor {index} without a bufferView, expected one (compressed geometry is not read)"
            )
        return self._replaced(rows, sparse) if sparse else rows

    def _replaced(self, rows: np.ndarray, sparse: dict[str, Any]) -> np.ndarray:
        """Rows with some of them replaced."""
        count, indices = self.whole(sparse, "count"), self.group(sparse, "indices")
        if not 0 < count <= len(rows):
            raise ShapeError(f"{self.path}: {count} sparse entries of {len(rows)}, expected 1 to that")
        dtype = self._dtype(indices)
        if dtype.kind != "u":
            raise ShapeError(f"{self.path}: sparse entries of type {dtype.name}, expected unsigned integers")
        places = self._view(indices, dtype, count, 1)[:, 0].astype(np.int64)
        if places.max() >= len(rows):
            raise ShapeError(
                f"{self.path}: sparse entries {places.min()} to {places.max()}, expected 0 to {len(rows) - 1}"
            )
        rows = rows.copy()
        rows[places] = self._view(self.group(sparse, "values"), rows.dtype, count, rows.shape[1])
        return rows

    def _dtype(self, thing: dict[str, Any]) -> np.dtype:
        component = self.whole(thing, "componentType")
        if component not in _COMPONENTS:
            raise ShapeError(f"{self.path}: componentType {component}, expected one of {[*_COMPONENTS]}")
        return np.dtype(_COMPONENTS[component])

    def _view(self, thing: dict[str, Any], dtype: np.dtype, count: int, columns: int) -> np.ndarray:
        """Rows ``[count, columns]``, where they lie in the file."""
        view = self.item("bufferViews", thing.get("bufferView"))
        buffer = self._buffer(view.get("buffer"))
        start, length = self.whole(view, "byteOffset", 0), self.whole(view, "byteLength")
        row = columns * dtype.itemsize
        stride, offset = self.whole(view, "byteStride", row), self.whole(thing, "byteOffset", 0)
        if start + length > len(buffer) or stride < row or offset + (count - 1) * stride + row > length:
            raise ShapeError(
                f"{self.path}: {count} entries of {row} bytes, every {stride}, from byte {offset} of a view of "
                f"{length} bytes at {start} of {len(buffer)}, expected them inside"
            )
        return np.ndarray((count, columns), dtype, buffer, start + offset, (stride, dtype.itemsize))

    def _buffer(self, index: object) -> memoryview:
        buffer = self.item("buffers", index)
        uri = self.text(buffer, "uri", "")
        if uri and not uri.startswith("data:"):
            raise ShapeError(f"{self.path}: data in {uri[:40]!r}, expected it inside the file")
        content = self._decoded(uri) if uri else self.binary if index == 0 else None
        if content is None:
            raise ShapeError(f"{self.path}: buffer {index} without data, expected it in the binary chunk")
        length = self.whole(buffer, "byteLength")
        if length > len(content):
            raise ShapeError(f"{self.path}: buffer {index} of {len(content)} bytes, expected {length}")
        return memoryview(content)[:length]

    def _decoded(self, uri: str) -> bytes:
        kind, _, text = uri.partition(",")
        try:
            if kind.endswith(";base64"):
                return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            pass
        raise ShapeError(f"{self.path}: data in {uri[:40]!r}, expected base64")


def open_glb(path: Path) -> GltfFile:
    """Reads the chunks of a file.

    Raises:
        ShapeError: If the file is not GLB, is of another version, is truncated, or has bytes behind its end.
    """
    content = path.read_bytes()
    if len(content) < 20 or struct.unpack_from("<I", content)[0] != _GLB:
        raise ShapeError(
            f"{path}: starts with {content[:4]!r}, {len(content)} bytes, expected b'glTF' and a scene"
        )
    version, end, size, kind = struct.unpack_from("<4I", content, 4)
    if version != 2 or kind != _JSON:
        raise ShapeError(
            f"{path}: glTF {version}, first chunk of type {kind:#x}, expected glTF 2 and {_JSON:#x}"
        )
    text, binary, at = b"", None, 12
    while at + 8 <= max(end, 20):
        size, kind = struct.unpack_from("<2I", content, at) if at + 8 <= len(content) else (0, 0)
        if max(end, at + 8 + size) > len(content):
            raise ShapeError(f"{path}: truncated, {len(content)} bytes, expected {max(end, at + 8 + size)}")
        chunk, at = content[at + 8 : at + 8 + size], at + 8 + size
        if not text:
            text = chunk
        elif kind == _BIN and binary is None:
            binary = chunk
    if content[at:].strip(b"\0"):
        raise ShapeError(f"{path}: {len(content) - at} bytes behind the last chunk, expected none")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise ShapeError(f"{path}: a description {text[:40]!r}, expected JSON")
    return GltfFile(path, header, binary, len(content))
