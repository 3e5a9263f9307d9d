"""GLB against positions written by hand, and against trimesh where that honours the file."""

import base64
import copy
import struct

import numpy as np
import pytest
import trimesh

from ccnn_geo.experiments.fuzz.fuzz_seeds import CORNERS, FACES, glb
from ccnn_geo.io import ShapeError, as_shape, read_shape

KINDS = {"i1": 5120, "u1": 5121, "<i2": 5122, "<u2": 5123, "<u4": 5125, "<f4": 5126}
SHAPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class Scene:
    """A scene of one mesh in one node; arrays become accessors."""

    def __init__(self, vertices=CORNERS, indices=FACES, kind="<f4", **primitive):
        self.data = b""
        self.header = {"asset": {"version": "2.0"}, "accessors": [], "bufferViews": [], "buffers": [{}]}
        self.header |= {"scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}]}
        self.primitive = {"attributes": {"POSITION": self.add(vertices, kind)}} | primitive
        if indices is not None:
            self.primitive["indices"] = self.add(np.ravel(indices), "<u2")
        self.header["meshes"] = [{"primitives": [self.primitive]}]

    def view(self, array, kind) -> int:
        content = np.ascontiguousarray(array, dtype=kind).tobytes()
        self.header["bufferViews"].append(
            {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content)}
        )
        self.data += content
        return len(self.header["bufferViews"]) - 1

    def add(self, array, kind="<f4", **changes) -> int:
        array = np.asarray(array)
        columns = 1 if array.ndim == 1 else array.shape[1]
        accessor = {"componentType": KINDS[kind], "count": len(array), "type": SHAPES[columns]}
        self.header["accessors"].append(accessor | {"bufferView": self.view(array, kind)} | changes)
        return len(self.header["accessors"]) - 1

    def read(self, folder):
        self.header["buffers"][0].setdefault("byteLength", len(self.data))
        return read_content(folder, glb(self.header, self.data))


def read_content(folder, content):
    (folder / "a.glb").write_bytes(content)
    return read_shape(folder / "a.glb")


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
    with pytest.raises(ShapeError, match=r"a\.glb: 2 scenes, expected one, or 'scene' to say which"):
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


def changed(path, value):
    """The scene with a value at a path of keys; None takes it away."""

    def change(scene):
        thing = scene.header
        for key in path[:-1]:
            thing = thing[key]
        if value is None:
            del thing[path[-1]]
        else:
            thing[path[-1]] = value

    return change


PART = ("meshes", 0, "primitives", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed((*PART, "attributes"), {"NORMAL": 0}), "a part with attributes NORMAL, expected POSITION"),
        (changed(("accessors", 0, "type"), "VEC2"), "accessor 0 of type 'VEC2', expected VEC3"),
        (changed(("accessors", 0, "componentType"), 5130), "componentType 5130, expected one of"),
        (changed(("accessors", 0, "bufferView"), 9), "number 9 of the bufferViews, expected one of 2"),
        (
            changed(("accessors", 0, "byteOffset"), 4),
            "4 entries of 12 bytes, every 12, from byte 4 of a view",
        ),
        (changed(("bufferViews", 0, "byteStride"), 4), "4 entries of 12 bytes, every 4, from"),
        (changed(("buffers", 0, "byteLength"), 10**6), "buffer 0 of 72 bytes, expected 1000000"),
        (changed(("bufferViews", 0, "buffer"), None), "number None of the buffers, expected one of 1"),
        (changed(("accessors", 1, "count"), 11), "11 corners of triangles, expected a multiple of 3"),
        (changed(("accessors", 1, "componentType"), 5122), "indices of type int16, expected unsigned"),
        (changed(("accessors", 0, "count"), 3), "a part uses vertices 0 to 3, expected 0 to 2"),
        (changed(("nodes", 0, "scale"), [1, 1]), r"scale \[1, 1\], expected 3 numbers"),
        (changed(("nodes", 0, "rotation"), [0, 0, 0, 0]), "a rotation of length 0"),
        (
            changed(("nodes",), [{"children": [1]}, {"children": [2]}, {"children": [1]}]),
            "node 1 below nodes",
        ),
        (changed(("nodes", 0, "children"), [5]), "number 5 of the nodes, expected one of 1"),
        (changed(("nodes", 0, "mesh"), "x"), "number 'x' of the meshes, expected one of 1"),
        (changed(("scene",), 3), "number 3 of the scenes, expected one of 1"),
        (changed(("nodes",), {"0": 1}), "nodes .*, expected a list"),
        (changed(("meshes", 0, "weights"), ["a"]), "weights .*, expected numbers"),
    ],
)
def test_scenes_that_contradict_themselves(tmp_path, change, message):
    scene = Scene()
    scene.header = copy.deepcopy(scene.header)
    change(scene)
    with pytest.raises(ShapeError, match=rf"a\.glb: .*{message}"):
        scene.read(tmp_path)


def rich_scene():
    """A scene that uses every field that is read."""
    scene = Scene(indices=None)
    scene.primitive |= {"indices": scene.add(np.ravel(FACES), "<u2"), "mode": 4}
    sparse = {"count": 1, "values": {"bufferView": scene.view([[0, 0, 1]], "<f4"), "byteOffset": 0}}
    sparse["indices"] = {"bufferView": scene.view([1], "u1"), "componentType": 5121, "byteOffset": 0}
    bent = {"JOINTS_0": scene.add([[0, 0, 0, 0]] * 4, "u1")}
    bent["WEIGHTS_0"] = scene.add([[255, 0, 0, 0]] * 4, "u1", normalized=True)
    scene.primitive["attributes"] |= bent
    scene.primitive["targets"] = [
        {"POSITION": scene.add(np.ones((4, 3)), byteOffset=0, sparse=sparse, normalized=False)}
    ]
    scene.header["meshes"][0]["weights"] = [0.5]
    scene.header["asset"]["minVersion"] = "2.0"
    scene.header["skins"] = [{"joints": [1], "inverseBindMatrices": scene.add(np.eye(4).reshape(1, 16))}]
    places = {"TRANSLATION": scene.add([[0, 0, 5]]), "ROTATION": scene.add([[0, 0, 0, 1]])}
    shown = {
        "KHR_node_visibility": {"visible": True},
        "EXT_mesh_gpu_instancing": {"attributes": places | {"SCALE": scene.add([[1, 1, 1]])}},
    }
    at = {"translation": [0, 0, 1], "rotation": [0, 0, 0, 1], "scale": [1, 1, 1]}
    scene.header["nodes"] = [
        {"mesh": 0, "skin": 0, "children": [1], "weights": [1.5], "extensions": shown},
        at,
        {"mesh": 0, "extensions": shown, "matrix": np.eye(4).ravel().tolist()},
    ]
    scene.header["scenes"] = [{"nodes": [0, 2]}]
    scene.header["extensionsRequired"] = ["KHR_node_visibility", "EXT_mesh_gpu_instancing"]
    scene.header["bufferViews"][0]["byteStride"] = 12
    scene.header["buffers"][0] |= {"uri": "", "byteLength": len(scene.data)}
    return scene


def fields(thing, path=()):
    """Paths of all fields and entries."""
    below = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
    for key, value in below:
        yield (*path, key)
        yield from fields(value, (*path, key))


def test_the_rich_scene_reads(tmp_path):
    target = np.array([[1, 1, 1], [0, 0, 1], [1, 1, 1], [1, 1, 1]])
    expected = [CORNERS + 1.5 * target + [0, 0, 1], CORNERS + 0.5 * target + [0, 0, 5]]
    assert np.allclose(rich_scene().read(tmp_path).vertices, np.concatenate(expected), rtol=1e-12)


MEASURES = ("translation", "rotation", "scale", "matrix", "weights")


@pytest.mark.parametrize("value", [True, "false", 1, 1.5, [], {}, None], ids=repr)
def test_a_field_of_another_type_is_refused(tmp_path, value):
    taken = {}
    for path in fields(rich_scene().header):
        scene = rich_scene()
        thing = scene.header
        for key in path[:-1]:
            thing = thing[key]
        fits = (float, int) if path[-2:-1] in [(name,) for name in MEASURES] else (type(thing[path[-1]]),)
        if path == ("asset", "version") or type(value) in fits:  # the first is for people
            continue
        thing[path[-1]] = value
        try:
            read_content(tmp_path, glb(scene.header, scene.data))
        except ShapeError as error:
            assert "a.glb: " in str(error) and "expected" in str(error)
        else:
            taken[path] = value
    assert not taken


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("accessors", 0, "normalized"), "false", "normalized 'false', expected true or false"),
        (("accessors", 0, "normalized"), 0, "normalized 0, expected true or false"),
        (
            ("nodes", 0, "extensions", "KHR_node_visibility", "visible"),
            "false",
            "visible 'false', expected true",
        ),
        (("nodes", 0, "mesh"), False, "number False of the meshes, expected one of 1"),
        (("nodes", 0, "weights"), [True], r"weights \[True\], expected numbers"),
        (("nodes", 1, "scale"), [1, True, 1], r"scale \[1, True, 1\], expected 3 numbers"),
        (("asset", "minVersion"), 2.0, "minVersion 2.0, expected a text"),
        ((*PART, "targets"), [["POSITION"]], r"\['POSITION'\] among targets, expected names and values"),
        (("skins", 0, "joints"), [True], r"joints \[True\], expected nodes"),
        (
            ("accessors", 4, "sparse", "indices", "componentType"),
            5126,
            "sparse entries of type float32, expected unsigned integers",
        ),
    ],
    ids=repr,
)
def test_the_field_is_named(tmp_path, path, value, message):
    scene = rich_scene()
    changed(path, value)(scene)
    with pytest.raises(ShapeError, match=rf"a\.glb: {message}"):
        scene.read(tmp_path)


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
