"""Meshes, clouds and scenes of trimesh and open3d in memory, against the files they write."""

import types

import numpy as np
import pytest
import torch
import trimesh
from torch_geometric.data import Data

from ccnn_geo import predict
from ccnn_geo.io import Shape, ShapeError, as_shape, read_shape

POINTS = np.random.default_rng(0).normal(size=(40, 3))
NORMALS = POINTS[::-1] / np.linalg.norm(POINTS[::-1], axis=1, keepdims=True)


def same(a: Shape, b: Shape) -> bool:
    return all(
        x is y if x is None or y is None else np.array_equal(x, y)
        for x, y in ((a.vertices, b.vertices), (a.faces, b.faces), (a.normals, b.normals))
    )


def test_a_mesh_of_trimesh(tmp_path, classifier):
    box = trimesh.creation.box(extents=[1, 2, 3])
    box.export(tmp_path / "box.off")
    assert same(as_shape(box), read_shape(tmp_path / "box.off"))
    assert predict(classifier, box) == predict(classifier, tmp_path / "box.off")


def test_a_cloud_of_trimesh(classifier):
    cloud = trimesh.PointCloud(POINTS)
    assert same(as_shape(cloud), Shape(POINTS))
    assert predict(classifier, cloud) == predict(classifier, POINTS)


def test_a_scene_of_trimesh(tmp_path, classifier):
    scene = trimesh.Scene()
    box = trimesh.creation.box()
    scene.add_geometry(box, transform=trimesh.transformations.translation_matrix([10, 0, 0]))
    scene.add_geometry(box, transform=trimesh.transformations.scale_matrix(-2))
    scene.export(tmp_path / "scene.glb")
    found, expected = as_shape(scene), read_shape(tmp_path / "scene.glb")
    triangles = [np.sort(s.vertices[s.faces].round(6).reshape(-1, 9), axis=0) for s in (found, expected)]
    assert np.array_equal(*triangles)  # the file has its parts in another order
    a, b, c = found.vertices[found.faces].swapaxes(0, 1)
    assert (a * np.cross(b, c)).sum() / 6 == pytest.approx(1 + 8)  # the mirrored part is not inside out
    assert sum(predict(classifier, scene).probabilities.values()) == pytest.approx(1)


def stand_in(**attributes):
    """As open3d has them: vectors that numpy can take."""
    return types.SimpleNamespace(**attributes)


def test_what_looks_like_open3d(classifier):
    cloud = stand_in(points=POINTS.tolist(), normals=NORMALS.tolist())
    assert same(as_shape(cloud), Shape(POINTS, None, NORMALS))
    assert predict(classifier, cloud) == predict(classifier, np.column_stack([POINTS, NORMALS]))
    assert same(as_shape(stand_in(points=POINTS, normals=[])), Shape(POINTS))
    box = trimesh.creation.box()
    mesh = stand_in(vertices=box.vertices, triangles=box.faces.astype(np.int32), vertex_normals=[])
    assert same(as_shape(mesh), as_shape(box))
    assert same(as_shape(stand_in(to_legacy=lambda: mesh)), as_shape(box))


def test_open3d(classifier):
    open3d = pytest.importorskip(
        "open3d", reason="needs the extra open3d and its system libraries", exc_type=ImportError
    )
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(POINTS))
    assert same(as_shape(cloud), Shape(POINTS))
    cloud.normals = open3d.utility.Vector3dVector(NORMALS)
    assert same(as_shape(cloud), Shape(POINTS, None, NORMALS))
    assert predict(classifier, cloud) == predict(classifier, np.column_stack([POINTS, NORMALS]))
    mesh = open3d.geometry.TriangleMesh.create_box()
    expected = Shape(np.array(mesh.vertices), np.array(mesh.triangles, dtype=np.int64))
    assert same(as_shape(mesh), expected)
    mesh.compute_vertex_normals()
    assert same(as_shape(mesh), expected)
    tensors = open3d.t.geometry.TriangleMesh.from_legacy(mesh)
    assert same(as_shape(tensors), expected)


def test_a_shape_is_one_and_a_copy(classifier):
    shape = as_shape(Shape(POINTS))
    assert same(shape, Shape(POINTS)) and not np.shares_memory(shape.vertices, POINTS)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (trimesh.PointCloud(np.full((2, 3), np.nan)), "PointCloud: NaN or Inf in 2 vertices"),
        (trimesh.Scene(), "Scene: no geometry found, expected a mesh or points"),
        (trimesh.Trimesh(), "Trimesh: no vertices found"),
        (stand_in(points=[]), "SimpleNamespace: no vertices found"),
        (
            stand_in(points=POINTS[:, :2]),
            r"SimpleNamespace: vertices \[40, 2\] of float64, expected \[N, 3\]",
        ),
        (
            stand_in(points=[[0, 1, 2], [3, 4]]),
            r"SimpleNamespace: vertices in rows of different lengths, expected \[N, 3\]",
        ),
        (stand_in(points=["a", "b", "c"]), r"vertices \[3\] of <U1, expected \[N, 3\]"),
        (stand_in(points=POINTS * 1e200), r"coordinates up to .*, expected at most 1e\+100"),
        (stand_in(vertices=POINTS, faces=[[0, 1, 40]]), "faces use vertices 0 to 40, expected 0 to 39"),
        (stand_in(vertices=POINTS, faces=[[0.0, 1, 2]]), r"faces \[1, 3\] of float64"),
        (stand_in(points=POINTS, normals=POINTS[:3]), r"normals \[3, 3\] for 40 vertices, expected as many"),
    ],
)
def test_what_is_no_sound_shape(classifier, source, message):
    for take in (as_shape, lambda thing: predict(classifier, thing)):
        with pytest.raises(ShapeError, match=message):
            take(source)


@pytest.mark.parametrize("source", [3, None, [POINTS], Data(pos=torch.zeros(2, 3))])
def test_what_is_no_shape_at_all(source):
    with pytest.raises(TypeError, match=f"trimesh or open3d, got {type(source).__name__}"):
        as_shape(source)
