"""Descriptions of GLB scenes that contradict themselves or the standard: refused, by the name of the field."""

import copy

import numpy as np
import pytest

from ccnn_geo.experiments.fuzz.fuzz_seeds import CORNERS, FACES, glb
from ccnn_geo.io import ShapeError
from tests.io.shapes.gltf_scene import Scene, read_content


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
        (changed(("accessors", 0, "bufferView"), 9), "index 9 of the bufferViews, expected one of 2"),
        (
            changed(("accessors", 0, "byteOffset"), 4),
            "4 entries of 12 bytes, every 12, from byte 4 of a view",
        ),
        (changed(("bufferViews", 0, "byteStride"), 4), "4 entries of 12 bytes, every 4, from"),
        (changed(("buffers", 0, "byteLength"), 10**6), "buffer 0 of 72 bytes, expected 1000000"),
        (changed(("bufferViews", 0, "buffer"), None), "index None of the buffers, expected one of 1"),
        (changed(("accessors", 1, "count"), 11), "11 corners of triangles, expected a multiple of 3"),
        (changed(("accessors", 1, "componentType"), 5122), "indices of type int16, expected unsigned"),
        (changed(("accessors", 0, "count"), 3), "a part uses vertices 0 to 3, expected 0 to 2"),
        (changed(("nodes", 0, "scale"), [1, 1]), r"scale \[1, 1\], expected 3 numbers"),
        (changed(("nodes", 0, "rotation"), [0, 0, 0, 0]), "a rotation of length 0"),
        (
            changed(("nodes",), [{"children": [1]}, {"children": [2]}, {"children": [1]}]),
            "node 1 below nodes",
        ),
        (changed(("nodes", 0, "children"), [5]), "index 5 of the nodes, expected one of 1"),
        (changed(("nodes", 0, "mesh"), "x"), "index 'x' of the meshes, expected one of 1"),
        (changed(("scene",), 3), "index 3 of the scenes, expected one of 1"),
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
        (("nodes", 0, "mesh"), False, "index False of the meshes, expected one of 1"),
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
