"""GLB against positions written by hand, and against trimesh where that honours the file."""

import base64
import struct

import numpy as np
import pytest
import trimesh

from ccnn_geo.experiments.fuzz.fuzz_seeds import CORNERS, FACES
from ccnn_geo.io import ShapeError, as_shape, read_shape
from tests.io.shapes.gltf_scene import Scene, read_content

WHOLE = np.array([[0, 0, 0], [127, 0, 0], [0, 100, 0], [0, 0, 3]])


@pytest.mark.parametrize(
    ("kind", "divisor"), [("i1", 127), ("u1", 255), ("<i2", 32767), ("<u2", 65535)], ids=str
)
@pytest.mark.parametrize("normalized", [False, True])
def test_quantized_positions(tmp_path, kind, divisor, normalized):
    """KHR_mesh_quantization; the node undoes the scale, as gltfpack writes it."""
    scene = Scene(WHOLE, kind=kind)
    scene.header["accessors"][0]["normalized"] = normalized
    scene.header |= {"extensionsUsed": ["KHR_mesh_quantization"]}
    scene.header |= {"extensionsRequired": ["KHR_mesh_quantization"]}
    scene.header["nodes"] = [{"mesh": 0, "scale": [2, 2, 2], "translation": [1, 0, 0]}]
    expected = WHOLE / (divisor if normalized else 1) * 2 + [1, 0, 0]
    assert np.allclose(scene.read(tmp_path).vertices, expected, rtol=1e-12)


def test_the_lowest_signed_integer_is_minus_one(tmp_path):
    scene = Scene([[-128, 0, 0], [127, 0, 0], [0, -127, 0]], [0, 1, 2], "i1")
    scene.header["accessors"][0]["normalized"] = True
    assert scene.read(tmp_path).vertices.tolist() == [[-1, 0, 0], [1, 0, 0], [0, -1, 0]]


def test_interleaved_rows_and_offsets(tmp_path):
    scene = Scene()
    rows = np.zeros((4, 8), dtype="<f4")
    rows[:, 3:6] = CORNERS
    view = scene.view(rows, "<f4")
    scene.header["bufferViews"][view]["byteStride"] = 32
    scene.header["accessors"][0] |= {"bufferView": view, "byteOffset": 12}
    assert np.array_equal(scene.read(tmp_path).vertices, CORNERS)


@pytest.mark.parametrize("base", [True, False])
def test_sparse_positions(tmp_path, base):
    """Vertices 1 and 3 are given again, over others or over zeros."""
    scene = Scene(CORNERS * 9)
    accessor = scene.header["accessors"][0]
    if not base:
        del accessor["bufferView"]
    accessor["sparse"] = {
        "count": 2,
        "indices": {"bufferView": scene.view([1, 3], "u1"), "componentType": 5121},
        "values": {"bufferView": scene.view([[1, 2, 3], [4, 5, 6]], "<f4")},
    }
    expected = [[0, 0, 0], [1, 2, 3], [0, 9 * base, 0], [4, 5, 6]]
    shape = scene.read(tmp_path)
    assert shape.vertices.tolist() == expected and shape.faces.tolist() == FACES.tolist()
    accessor["sparse"]["count"] = 3
    with pytest.raises(ShapeError, match=r"a\.glb: 3 entries of 1 bytes, .* expected them inside"):
        scene.read(tmp_path)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (5, [[0, 1, 2], [1, 3, 2], [2, 3, 4]]),
        (6, [[1, 2, 0], [2, 3, 0], [3, 4, 0]]),
    ],
)
@pytest.mark.parametrize("indexed", [True, False])
def test_strips_and_fans(tmp_path, mode, expected, indexed):
    points = np.random.default_rng(0).integers(0, 9, (5, 3)).astype(float)
    shape = Scene(points, range(5) if indexed else None, mode=mode).read(tmp_path)
    assert shape.faces.tolist() == expected and np.array_equal(shape.vertices, points)


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_points_and_lines_are_a_cloud_of_the_vertices_they_use(tmp_path, mode):
    shape = Scene(CORNERS, [3, 1, 3, 1], mode=mode).read(tmp_path)
    assert shape.faces is None and np.array_equal(shape.vertices, CORNERS[[1, 3]])
    assert np.array_equal(Scene(CORNERS, None, mode=mode).read(tmp_path).vertices, CORNERS)


def test_instances(tmp_path):
    """EXT_mesh_gpu_instancing: scaled, turned by 90 degrees around z, moved, and all of it by the node."""
    scene = Scene()
    half = np.sqrt(0.5)
    given = {
        "TRANSLATION": scene.add([[0, 0, 0], [10, 0, 0]]),
        "ROTATION": scene.add([[0, 0, 0, 1], [0, 0, half, half]]),
        "SCALE": scene.add([[1, 1, 1], [2, 2, 2]]),
    }
    scene.header["nodes"][0] |= {"translation": [0, 0, 5]}
    scene.header["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": given}}
    scene.header["extensionsRequired"] = ["EXT_mesh_gpu_instancing"]
    turned = 2 * np.column_stack([-CORNERS[:, 1], CORNERS[:, 0], CORNERS[:, 2]]) + [10, 0, 0]
    expected = np.concatenate([CORNERS, turned]) + np.array([0, 0, 5])
    shape = scene.read(tmp_path)
    assert np.allclose(shape.vertices, expected, atol=1e-6)
    assert shape.faces.tolist() == [*FACES.tolist(), *(FACES + 4).tolist()]


def test_morph_targets_by_their_weights(tmp_path):
    scene = Scene()
    targets = [np.ones((4, 3)), np.full((4, 3), 7.0)]
    scene.primitive["targets"] = [{"POSITION": scene.add(target)} for target in targets]
    assert np.array_equal(scene.read(tmp_path).vertices, CORNERS)
    scene.header["meshes"][0]["weights"] = [0.5, 0]
    assert np.array_equal(scene.read(tmp_path).vertices, CORNERS + 0.5)
    scene.header["nodes"][0]["weights"] = [0, 1]  # of the node before those of the mesh
    assert np.array_equal(scene.read(tmp_path).vertices, CORNERS + 7)


def test_skins_put_vertices_where_their_joints_are(tmp_path):
    """Two joints, 4 along x and 1 along y of where they were bound; the node's own place does not count."""
    scene = Scene()
    scene.primitive["attributes"]["JOINTS_0"] = scene.add([[0, 1, 0, 0]] * 4, "u1")
    pulls = np.array([[255, 0, 0, 0], [0, 255, 0, 0], [51, 204, 0, 0], [255, 0, 0, 0]])
    scene.primitive["attributes"]["WEIGHTS_0"] = scene.add(pulls, "u1", normalized=True)
    bound = np.stack([np.eye(4), np.eye(4)])
    bound[:, :3, 3] = [[-1, 0, 0], [0, -2, 0]]
    scene.header["skins"] = [
        {"joints": [1, 2], "inverseBindMatrices": scene.add(bound.transpose(0, 2, 1).reshape(2, 16))}
    ]
    scene.header["nodes"] = [
        {"mesh": 0, "skin": 0, "translation": [100, 0, 0]},
        {"translation": [5, 0, 0], "children": [2]},
        {"translation": [-5, 3, 0]},
    ]
    first, second = np.array([4, 0, 0]), np.array([0, 1, 0])
    moved = np.stack([first, second, 0.2 * first + 0.8 * second, first])
    assert np.allclose(scene.read(tmp_path).vertices, CORNERS + moved, rtol=1e-12)


def test_a_matrix_in_columns_and_a_mesh_below_a_camera(tmp_path):
    scene = Scene()
    matrix = np.array([[0, -1, 0, 1], [2, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
    scene.header["cameras"] = [{"type": "perspective", "perspective": {"yfov": 1, "znear": 1}}]
    scene.header["nodes"] = [{"camera": 0, "children": [1], "matrix": matrix.T.ravel().tolist()}, {"mesh": 0}]
    expected = CORNERS @ matrix[:3, :3].T + matrix[:3, 3]
    assert np.array_equal(scene.read(tmp_path).vertices, expected)


def test_the_scene_that_is_shown_and_nodes_that_are_not(tmp_path):
    scene = Scene()
    scene.header["nodes"] = [{"mesh": 0}, {"mesh": 0, "translation": [1, 0, 0], "children": [2]}, {"mesh": 0}]
    scene.header |= {"scenes": [{"nodes": [0]}, {"nodes": [1]}], "scene": 1}
    assert np.array_equal(
        scene.read(tmp_path).vertices, np.concatenate([CORNERS, CORNERS]) + np.array([1, 0, 0])
    )
    scene.header["nodes"][2]["extensions"] = {"KHR_node_visibility": {"visible": False}}
    assert np.array_equal(scene.read(tmp_path).vertices, CORNERS + np.array([1, 0, 0]))
    del scene.header["scene"]
    with pytest.raises(ShapeError, match=r"a\.glb: 2 scenes, expected one, or 'scene' to select one"):
        scene.read(tmp_path)


def test_data_in_the_description(tmp_path):
    scene = Scene()
    uri = "data:application/octet-stream;base64," + base64.b64encode(scene.data).decode()
    scene.header["buffers"] = [{"uri": uri, "byteLength": len(scene.data)}]
    scene.data = b""
    assert np.array_equal(scene.read(tmp_path).vertices, CORNERS)


def test_looks_are_left_out_and_what_else_a_file_needs_is_named(tmp_path):
    scene = Scene()
    looks = ["KHR_materials_unlit", "KHR_texture_transform", "KHR_texture_basisu", "EXT_texture_webp"]
    scene.header["extensionsRequired"] = looks
    assert np.array_equal(scene.read(tmp_path).vertices, CORNERS)
    for name in ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_not_yet"):
        scene.header["extensionsRequired"] = [*looks, name]
        with pytest.raises(ShapeError, match=rf"a\.glb: needs the extension '{name}', expected none that"):
            scene.read(tmp_path)
    scene.header |= {"extensionsRequired": [], "asset": {"version": "2.1", "minVersion": "2.1"}}
    with pytest.raises(ShapeError, match=r"a\.glb: needs glTF 2\.1, expected 2\.0"):
        scene.read(tmp_path)


def test_scenes_of_trimesh_read_as_trimesh_reads_them(tmp_path):
    scene, random = trimesh.Scene(), np.random.default_rng(0)
    for k in range(4):
        turned = trimesh.transformations.random_rotation_matrix(random.random(3))
        scene.add_geometry(trimesh.creation.icosphere(subdivisions=1), f"part{k}", transform=turned * 1.0)
    scene.export(tmp_path / "a.glb")
    oracle = trimesh.load_scene(tmp_path / "a.glb").to_mesh()
    shape = read_shape(tmp_path / "a.glb")
    found = np.sort(shape.vertices[shape.faces].reshape(-1, 9).round(6), axis=0)
    assert np.array_equal(found, np.sort(oracle.triangles.reshape(-1, 9).round(6), axis=0))


def test_a_few_bytes_do_not_become_many_vertices(tmp_path):
    scene = Scene(np.zeros((3000, 3)), None, mode=0)
    places = scene.add(np.zeros((40_000, 3)))
    extension = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": places}}}
    scene.header["nodes"][0]["extensions"] = extension
    with pytest.raises(ShapeError, match=r"a\.glb: 120000000 vertices and more, expected at most 100000000"):
        scene.read(tmp_path)


def test_bytes_behind_the_end_and_descriptions_that_are_none(tmp_path):
    scene = Scene()
    scene.read(tmp_path)
    content = (tmp_path / "a.glb").read_bytes()
    assert np.array_equal(read_content(tmp_path, content + b"\0" * 5).vertices, CORNERS)
    with pytest.raises(ShapeError, match="4 bytes behind the last chunk, expected none"):
        read_content(tmp_path, content + b"more")
    for text in (b"[1] ", b"{,} ", b"[" * 4000):
        body = struct.pack("<4s4I", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text
        with pytest.raises(ShapeError, match=r"a description .*, expected JSON"):
            read_content(tmp_path, body)


def test_parts_of_a_scene_in_memory_that_use_vertices_of_others():
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.Trimesh(CORNERS, [[0, 1, 4]], process=False, validate=False), geom_name="a")
    scene.add_geometry(trimesh.creation.box(), geom_name="b")
    with pytest.raises(ShapeError, match="Scene: part 'a' uses vertices 0 to 4, expected 0 to 3"):
        as_shape(scene)
