"""Read a mesh or a point cloud from a file.

OFF, OBJ and the plain tables are parsed here: the files of shape benchmarks bend these formats, and a
truncated one must not pass as a smaller shape. OBJ and XYZ do not say how much they hold, so that one cut at
the end of a line cannot be told from a complete one. PLY, STL and GLB go through trimesh, PCD through open3d;
both are imported when such a file is read.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

LARGEST = 1e100
"""Largest coordinate: its square, and sums of those, still fit into float64."""


class ShapeError(ValueError):
    """A file is not a readable shape; the message names the file, what was found and what was expected."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A triangle mesh, or a point cloud if ``faces`` is None.

    Args:
        vertices: ``[V, 3]`` float64, in the units of the file.
        faces: ``[F, 3]`` int64, indices into ``vertices``; counter-clockwise seen from outside.
        normals: ``[V, 3]`` float64, as stored in the file (any length). Clouds only: surfaces have the
            normals of their faces.
    """

    vertices: np.ndarray
    faces: np.ndarray | None = None
    normals: np.ndarray | None = None

    def to_data(self) -> Data:
        """``Data(pos [V, 3], face [3, F], normal [V, 3])`` in float64; what is None is left out."""
        data = Data(pos=torch.from_numpy(self.vertices))
        if self.faces is not None:
            data.face = torch.from_numpy(self.faces.T)
        if self.normals is not None:
            data.normal = torch.from_numpy(self.normals)
        return data


def read_shape(path: str | PathLike[str]) -> Shape:
    """Read a mesh (.off .obj .ply .stl .glb) or a point cloud (those, .npy .npz .xyz .pcd).

    Polygons become triangle fans, and all parts of a scene become one mesh, each part in its place. OFF
    headers with the counts glued to the keyword (``OFF490 518 0``, as in ModelNet40) are understood. Arrays
    are ``[N, 3]``, or ``[N, 6]`` with normals; archives hold one such array or ``pos`` and ``normal``;
    pickles are never loaded. In a table of six or more columns the fourth to sixth are the normal.

    Args:
        path: the file; its extension says what it is.

    Raises:
        ShapeError: if there is no such file, or it is empty, truncated, of an unknown kind, without vertices,
            or holds NaN, infinities, coordinates beyond 1e100, rows of a wrong length or faces out of range.
        ImportError: if a .pcd is read without open3d.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ShapeError(
            f"{path}: unknown extension {path.suffix!r}, expected one of {', '.join(EXTENSIONS)}"
        )
    if not path.exists():
        raise ShapeError(f"{path}: no such file")
    if not path.is_file():
        raise ShapeError(f"{path}: not a file but a directory or device, expected one shape")
    if path.stat().st_size == 0:
        raise ShapeError(f"{path}: the file is empty")
    try:
        shape = reader(path)
    except (ShapeError, ImportError):
        raise
    except Exception as error:  # parsers raise anything on damaged input: struct.error, KeyError, zlib.error
        raise ShapeError(
            f"{path}: not a valid {path.suffix} file ({type(error).__name__}: {error})"
        ) from error
    return _checked(path, shape)


def _checked(path: Path, shape: Shape) -> Shape:
    vertices, faces, normals = shape.vertices, shape.faces, shape.normals
    if len(vertices) == 0:
        raise ShapeError(f"{path}: no vertices found, expected at least one")
    for what, array in (("vertices", vertices), ("normals", normals)):
        if array is not None and not np.isfinite(array).all():
            bad = np.flatnonzero(~np.isfinite(array).all(1))
            raise ShapeError(
                f"{path}: NaN or Inf in {len(bad)} {what} (first: number {bad[0]}), expected numbers"
            )
    if np.abs(vertices).max() > LARGEST:
        raise ShapeError(
            f"{path}: coordinates up to {np.abs(vertices).max():.3g}, expected at most {LARGEST:g}"
        )
    if faces is not None and len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ShapeError(
            f"{path}: faces use vertices {faces.min()} to {faces.max()}, expected 0 to {len(vertices) - 1}"
        )
    if faces is None or len(faces) == 0:
        return Shape(vertices, None, normals)
    return Shape(vertices, faces)


def _read_off(path: Path) -> Shape:
    lines = _lines(path)
    header = re.match(r"(?:ST)?C?N?OFF", lines[0], re.I) if lines else None
    if header is None:
        raise ShapeError(f"{path}: starts with {lines[0][:20] if lines else ''!r}, expected OFF")
    rest = lines[0][header.end() :].strip()
    if rest.upper().startswith("BINARY"):
        raise ShapeError(f"{path}: binary OFF, expected text")
    counts, data = (rest, lines[1:]) if rest else ("".join(lines[1:2]), lines[2:])
    try:
        return _off_by_lines(path, counts, data)
    except ShapeError:  # the plain kind may have its line ends anywhere
        words = " ".join([rest, *lines[1:]]).split()
        shape = _off_by_words(words) if header[0].upper() == "OFF" else None
        if shape is None:
            raise
        return shape


def _off_by_lines(path: Path, counts: str, lines: list[str]) -> Shape:
    try:
        num_vertices, num_faces = (int(n) for n in counts.split()[:2])
    except ValueError:
        raise ShapeError(f"{path}: counts {counts[:40]!r}, expected vertices, faces, edges") from None
    if num_vertices < 0 or num_faces < 0 or len(lines) < num_vertices + num_faces:
        raise ShapeError(
            f"{path}: truncated, {len(lines)} lines of data found, expected {num_vertices} vertices and "
            f"{num_faces} faces"
        )
    vertices = _table(path, lines[:num_vertices], "vertices")
    faces = lines[num_vertices : num_vertices + num_faces]
    return Shape(vertices[:, :3], _polygons(path, (line.split() for line in faces)))


def _off_by_words(words: list[str]) -> Shape | None:
    """Three counts, three coordinates a vertex, polygons without colours; None unless that is all there is."""
    try:
        num_vertices, num_faces = int(words[0]), int(words[1])
        start = 3 + 3 * num_vertices
        vertices = np.array(words[3:start], dtype=np.float64).reshape(num_vertices, 3)
        rows = []
        for _ in range(num_faces):
            rows.append(words[start : start + 1 + max(0, int(words[start]))])
            start += len(rows[-1])
        return Shape(vertices, _polygons(Path(), iter(rows))) if start == len(words) else None
    except (ValueError, IndexError):
        return None


def _polygons(path: Path, rows: Iterator[list[str]]) -> np.ndarray:
    """Rows ``n i_1 ... i_n [colour]`` as triangle fans; points and edges (n < 3) have no area: left out."""
    triangles = []
    for number, row in enumerate(rows):
        try:
            corners = [int(i) for i in row[1 : int(row[0]) + 1]]
        except ValueError:
            corners = None
        if corners is None or len(corners) != int(row[0]):
            raise ShapeError(
                f"{path}: face {number} is {' '.join(row)[:40]!r}, expected a count and as many indices"
            )
        triangles += [(corners[0], b, c) for b, c in pairwise(corners[1:])]
    return np.array(triangles, dtype=np.int64).reshape(-1, 3)


def _read_obj(path: Path) -> Shape:
    """Vertices, vertex normals and polygons of all objects; indices count from 1, or back from the end."""
    rows: dict[str, list[str]] = {"v": [], "vn": []}
    faces = []
    for line in "\n".join(_lines(path)).replace("\\\n", " ").splitlines():
        key, rest = (*line.split(None, 1), "")[:2]
        if key in rows:
            rows[key].append(rest)
        elif key == "f":
            corners = [int(corner.split("/")[0]) for corner in rest.split()]
            seen = len(rows["v"])
            if 0 in corners or len(corners) < 3:
                raise ShapeError(f"{path}: face {line!r}, expected three or more indices that are not 0")
            faces.append([str(len(corners)), *(str(i - 1 if i > 0 else seen + i) for i in corners)])
    if not rows["v"]:
        raise ShapeError(f"{path}: no vertices found, expected lines 'v x y z'")
    # a fourth column is a weight, a fourth to sixth a colour
    vertices = np.array([_row(path, row) for row in rows["v"]], dtype=np.float64)
    normals = np.array([_row(path, row) for row in rows["vn"]], dtype=np.float64) if rows["vn"] else None
    if normals is not None and len(normals) != len(vertices):
        normals = None
    return Shape(vertices, _polygons(path, iter(faces)), normals)


def _row(path: Path, text: str) -> list[float]:
    values = [float(value) for value in text.split()]
    if len(values) < 3:
        raise ShapeError(f"{path}: row {text!r} has {len(values)} columns, expected 3 or more")
    return values[:3]


def _read_array(path: Path) -> Shape:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        keys = list(archive)
        if "pos" in keys:
            arrays = [archive["pos"]] + ([archive["normal"]] if "normal" in keys else [])
        elif len(keys) == 1:
            arrays = [archive[keys[0]]]
        else:
            raise ShapeError(f"{path}: arrays {keys}, expected 'pos' and perhaps 'normal', or a single array")
    if len(arrays) == 2 and (arrays[1].shape != arrays[0].shape or arrays[0].shape[1:] != (3,)):
        raise ShapeError(
            f"{path}: pos {list(arrays[0].shape)} and normal {list(arrays[1].shape)}, expected [N, 3] twice"
        )
    return _cloud(path, arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1))


def _read_npy(path: Path) -> Shape:
    with path.open("rb") as file:
        return _cloud(path, np.load(file, allow_pickle=False))


def _read_xyz(path: Path) -> Shape:
    table = _table(path, _lines(path), "points")
    if table.shape[1] in (4, 5):
        raise ShapeError(
            f"{path}: {table.shape[1]} columns, expected 3 (position) or 6 and more (and normal)"
        )
    return _cloud(path, table[:, :6])


def _cloud(path: Path, array: np.ndarray) -> Shape:
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] not in (3, 6):
        raise ShapeError(
            f"{path}: array {list(array.shape)} of {array.dtype}, expected [N, 3] (position) or [N, 6] (and "
            f"normal) of real numbers"
        )
    array = array.astype(np.float64)
    return Shape(array[:, :3], None, array[:, 3:] if array.shape[1] == 6 else None)


def _read_trimesh(path: Path) -> Shape:
    import trimesh

    if path.suffix.lower() == ".ply":
        _check_ply_length(path)
    scene = trimesh.load_scene(path, process=False)
    vertices, faces, normals, seen = [], [], [], 0
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        part = scene.geometry[name]
        vertices.append(trimesh.transform_points(part.vertices, transform))
        if getattr(part, "faces", None) is not None:
            faces.append(part.faces + seen)
        normals.append(_ply_normals(part))
        seen += len(vertices[-1])
    if not vertices:
        raise ShapeError(
            f"{path}: no geometry found, expected a mesh or points (truncated or not {path.suffix}?)"
        )
    return Shape(
        np.concatenate(vertices).astype(np.float64),
        np.concatenate(faces).astype(np.int64) if faces else None,
        None if any(n is None for n in normals) else np.concatenate(normals),
    )


def _ply_normals(part: object) -> np.ndarray | None:
    """Normals of a PLY point cloud, which trimesh keeps only in the metadata."""
    vertex = part.metadata.get("_ply_raw", {}).get("vertex", {}).get("data", ())
    names = vertex.dtype.names or () if isinstance(vertex, np.ndarray) else vertex
    if not {"nx", "ny", "nz"} <= set(names):
        return None
    return np.stack([np.asarray(vertex[n], dtype=np.float64).reshape(-1) for n in ("nx", "ny", "nz")], axis=1)


def _check_ply_length(path: Path) -> None:
    """Compare a text PLY with its own header: trimesh reads what is left of a truncated one."""
    header, end, body = path.read_bytes().partition(b"end_header")
    if not end:
        raise ShapeError(f"{path}: no end_header, expected a PLY header")
    if b"format ascii" in header:
        expected = sum(int(n) for n in re.findall(rb"^\s*element\s+\S+\s+(\d+)", header, re.M))
        found = sum(1 for line in body.splitlines() if line.strip())
        if found < expected:
            raise ShapeError(f"{path}: truncated, {found} lines of data found, expected {expected}")


def _read_pcd(path: Path) -> Shape:
    try:
        import open3d
    except (ImportError, OSError) as error:  # OSError: a system library of open3d is missing
        raise ImportError(
            f"{path}: reading .pcd needs open3d: pip install ccnn_geo[open3d], and the system libraries "
            f"libusb-1.0-0 libgl1 libgomp1 libx11-6 ({error})"
        ) from error
    cloud = open3d.io.read_point_cloud(str(path), remove_nan_points=False, remove_infinite_points=False)
    normals = np.asarray(cloud.normals, dtype=np.float64) if cloud.has_normals() else None
    return Shape(np.asarray(cloud.points, dtype=np.float64).reshape(-1, 3), None, normals)


def _lines(path: Path) -> list[str]:
    """Lines that say something; comments start with #."""
    text = path.read_text(encoding="utf-8", errors="replace").removeprefix("\ufeff")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _table(path: Path, lines: list[str], what: str) -> np.ndarray:
    """Numbers as ``[rows, columns]`` with three columns or more, the same in every row."""
    if not lines:
        raise ShapeError(f"{path}: no {what} found, expected at least one")
    rows = [line.split() for line in lines]
    widths = {len(row) for row in rows}
    if len(widths) > 1 or min(widths) < 3:
        raise ShapeError(
            f"{path}: {what} with {sorted(widths)} columns, expected 3 or more, the same in every row"
        )
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise ShapeError(f"{path}: {error} among the {what}, expected numbers") from None


_READERS: dict[str, Callable[[Path], Shape]] = {
    ".off": _read_off,
    ".obj": _read_obj,
    ".ply": _read_trimesh,
    ".stl": _read_trimesh,
    ".glb": _read_trimesh,
    ".npy": _read_npy,
    ".npz": _read_array,
    ".xyz": _read_xyz,
    ".pcd": _read_pcd,
}

EXTENSIONS: tuple[str, ...] = tuple(_READERS)
"""Extensions that :func:`read_shape` knows, in lower case with the dot."""
