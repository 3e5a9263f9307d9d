"""GLB: the parts of a glTF scene as one mesh, each in place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ccnn_geo.io.shapes.gltf_fields import is_whole
from ccnn_geo.io.shapes.gltf_file import GltfFile, open_glb
from ccnn_geo.io.shapes.gltf_parts import read_parts
from ccnn_geo.io.shapes.scenes import join_parts
from ccnn_geo.io.shapes.shape import Shape, ShapeError

_HONOURED = ("KHR_mesh_quantization", "EXT_mesh_gpu_instancing", "KHR_node_visibility")
_LOOKS: tuple[str, ...] = (
    "KHR_materials_",
    "KHR_texture_",
    "KHR_lights_",
    "KHR_xmp",
    "KHR_animation_",
    "KHR_techniques_webgl",
)
_LOOKS += ("EXT_texture_", "EXT_lights_", "EXT_materials_", "EXT_mesh_features", "EXT_structural_metadata")
_LOOKS += ("EXT_instance_features", "ADOBE_materials_", "MSFT_texture_", "MSFT_packing_", "MSFT_lod")
"""Prefixes of extensions that do not change vertices and faces at the finest level of detail."""

MOST = 10**8
"""Most vertices of a scene; nodes that repeat a mesh let a small file claim any number."""


def read_glb(path: Path) -> Shape:
    """Reads all parts of the displayed scene, without materials and textures.

    Quantized positions, instances, sparse numbers, morph targets with their default weights, and skins in the pose of
    the file follow the standard. Compressed geometry (Draco, meshopt) is refused, and so is any other extension that
    the file requires, unless it only affects appearance.
    """
    gltf = open_glb(path)
    _check_version(gltf)
    return join_parts(path, _parts(gltf))


def _check_version(gltf: GltfFile) -> None:
    least = gltf.text(gltf.group(gltf.header, "asset"), "minVersion", "2.0")
    if least != "2.0":
        raise ShapeError(f"{gltf.path}: needs glTF {least[:20]}, expected 2.0")
    for name in gltf.items(gltf.header, "extensionsRequired"):
        if name not in _HONOURED and not str(name).startswith(_LOOKS):
            raise ShapeError(
                f"{gltf.path}: needs the extension {name!r:.60}, expected none that changes geometry except "
                f"{', '.join(_HONOURED)}"
            )


def _parts(gltf: GltfFile) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Vertices and triangles of each part, in place."""
    nodes = gltf.items(gltf.header, "nodes")
    children = [gltf.items(gltf.item("nodes", i), "children") for i in range(len(nodes))]
    parents = _parents(gltf, children)
    world = _world(gltf, children, parents)
    total = 0
    for index in _shown(gltf, children, parents):
        node = nodes[index]
        if "mesh" not in node:
            continue
        mesh = gltf.item("meshes", node["mesh"])
        weights = gltf.numbers(node if "weights" in node else mesh, "weights")
        places = world[index] @ _instances(gltf, node)
        joints = _joints(gltf, node, world)
        for part in read_parts(gltf, mesh, weights):
            bent = joints is not None and part.joints is not None
            total += len(part.vertices) * (1 if bent else len(places))
            if total > MOST:
                raise ShapeError(f"{gltf.path}: {total} vertices and more, expected at most {MOST}")
            if joints is not None and part.joints is not None:  # then the node's own place does not matter
                if part.joints.max() >= len(joints):
                    raise ShapeError(
                        f"{gltf.path}: joints 0 to {part.joints.max()}, expected 0 to {len(joints) - 1}"
                    )
                yield part.bent(joints)
            else:
                yield from map(part.placed, places)


def _parents(gltf: GltfFile, children: list[list[Any]]) -> dict[int, int]:
    parents: dict[int, int] = {}
    for index, below in enumerate(children):
        for child in below:
            gltf.item("nodes", child)
            if child in parents:
                raise ShapeError(
                    f"{gltf.path}: node {child} below nodes {parents[child]} and {index}, expected one of them"
                )
            parents[child] = index
    return parents


def _world(gltf: GltfFile, children: list[list[Any]], parents: dict[int, int]) -> dict[int, np.ndarray]:
    """Matrices ``[4, 4]`` of all nodes below a root."""
    world: dict[int, np.ndarray] = {}
    waiting = [i for i in range(len(children)) if i not in parents]
    while waiting:
        index = waiting.pop()
        local = _local(gltf, gltf.item("nodes", index))
        world[index] = world[parents[index]] @ local if index in parents else local
        waiting += children[index]
    return world


def _shown(gltf: GltfFile, children: list[list[Any]], parents: dict[int, int]) -> Iterator[int]:
    """Nodes of the displayed scene, parents before children."""
    scenes = gltf.items(gltf.header, "scenes")
    if not scenes:
        return
    if "scene" not in gltf.header and len(scenes) > 1:
        raise ShapeError(f"{gltf.path}: {len(scenes)} scenes, expected one, or 'scene' to select one")
    waiting = gltf.items(gltf.item("scenes", gltf.header.get("scene", 0)), "nodes")[::-1]
    for root in waiting:
        gltf.item("nodes", root)
        if root in parents or waiting.count(root) > 1:
            raise ShapeError(f"{gltf.path}: node {root} more than once in the scene, expected once")
    while waiting:
        index = waiting.pop()
        node = gltf.item("nodes", index)
        if gltf.flag(gltf.extension(node, "KHR_node_visibility"), "visible", True):
            yield index
            waiting += children[index][::-1]


def _local(gltf: GltfFile, node: dict[str, Any]) -> np.ndarray:
    """Matrix ``[4, 4]`` of a node in its parent."""
    if "matrix" in node:
        return gltf.vector(node, "matrix", np.eye(4).ravel().tolist()).reshape(4, 4).T
    moved = gltf.vector(node, "translation", [0.0, 0.0, 0.0])
    turned = gltf.vector(node, "rotation", [0.0, 0.0, 0.0, 1.0])
    scaled = gltf.vector(node, "scale", [1.0, 1.0, 1.0])
    return _matrices(gltf, moved[None], turned[None], scaled[None])[0]


def _matrices(gltf: GltfFile, moved: np.ndarray, turned: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    """Matrices ``[N, 4, 4]`` that scale ``[N, 3]``, rotate (quaternions x, y, z, w ``[N, 4]``) and move ``[N, 3]``."""
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    if not (length > 0).all():
        raise ShapeError(f"{gltf.path}: a rotation of length 0 or NaN, expected quaternions of length 1")
    x, y, z, w = (turned / length).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrices = np.zeros((len(moved), 4, 4))
    matrices[:, :3, :3] = np.array(rows).transpose(2, 0, 1) * scaled[:, None]
    matrices[:, :3, 3], matrices[:, 3, 3] = moved, 1.0
    return matrices


def _instances(gltf: GltfFile, node: dict[str, Any]) -> np.ndarray:
    """Matrices ``[N, 4, 4]`` of the instances of a node's mesh; one identity matrix without instances."""
    given = gltf.group(gltf.extension(node, "EXT_mesh_gpu_instancing"), "attributes")
    moved, turned, scaled = (
        gltf.floats(given[name], kind) if name in given else None
        for name, kind in (("TRANSLATION", "VEC3"), ("ROTATION", "VEC4"), ("SCALE", "VEC3"))
    )
    counts = {len(array) for array in (moved, turned, scaled) if array is not None} or {1}
    if len(counts) > 1:
        raise ShapeError(
            f"{gltf.path}: instances with {sorted(counts)} transforms, expected as many of each kind"
        )
    n = counts.pop()
    moved = np.zeros((n, 3)) if moved is None else moved
    turned = np.tile([0.0, 0.0, 0.0, 1.0], (n, 1)) if turned is None else turned
    return _matrices(gltf, moved, turned, np.ones((n, 3)) if scaled is None else scaled)


def _joints(gltf: GltfFile, node: dict[str, Any], world: dict[int, np.ndarray]) -> np.ndarray | None:
    """Matrices ``[J, 4, 4]`` of the joints of a node's skin."""
    if "skin" not in node:
        return None
    skin = gltf.item("skins", node["skin"])
    names = gltf.items(skin, "joints")
    if not names or not all(is_whole(name) and name in world for name in names):
        raise ShapeError(f"{gltf.path}: joints {names!r:.60}, expected nodes below a root")
    joints = np.stack([world[name] for name in names])
    if "inverseBindMatrices" not in skin:
        return joints
    inverse = gltf.floats(skin["inverseBindMatrices"], "MAT4")
    if len(inverse) < len(joints):
        raise ShapeError(f"{gltf.path}: {len(inverse)} inverse bind matrices, expected {len(joints)}")
    return joints @ inverse[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1)
