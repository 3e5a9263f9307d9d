"""Meshes as they should not be, or rarely are: read for what they hold, classified as their plain twins, or refused."""

import copy
import json
import logging
import struct

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from ccnn_geo.experiments.fuzz.fuzz_readers import limited_time
from ccnn_geo.experiments.fuzz.fuzz_seeds import CORNERS, FACES, glb, glb_files, ply_files, stl_files
from ccnn_geo.io import Shape, ShapeError, read_shape


def rows(*tables) -> str:
    return "".join(" ".join(map(repr, row)) + "\n" for table in tables for row in np.asarray(table).tolist())


def off(vertices, faces=()) -> str:
    polygons = "".join(f"{len(f)} {' '.join(map(str, f))}\n" for f in faces)
    return f"OFF\n{len(vertices)} {len(faces)} 0\n" + rows(vertices) + polygons


def obj(vertices, faces=(), before="", after="") -> str:
    lines = [f"v {row}\n" for row in rows(vertices).splitlines()]
    return before + "".join(lines) + "".join(f"f {' '.join(str(i + 1) for i in f)}\n" for f in faces) + after


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def volume(shape: Shape) -> float:
    a, b, c = shape.vertices[shape.faces].swapaxes(0, 1)
    return (a * np.cross(b, c)).sum() / 6


TETRAHEDRON = 1.5 / 6


def test_one_triangle(tmp_path, classifier):
    corners = np.array([[0.0, 0, 2], [4, 0, 2], [0, 3, 2]])
    stl = b"x" * 80 + struct.pack("<I12fH", 1, 0, 0, 1, *corners.ravel(), 0)
    expected = classifier(Data(pos=torch.from_numpy(corners), face=torch.tensor([[0], [1], [2]])))
    for name, content in {
        "a.off": off(corners, [(0, 1, 2)]),
        "a.obj": obj(corners, [(0, 1, 2)]),
        "a.stl": stl,
    }.items():
        path = write(tmp_path / name, content)
        assert classifier(path) == expected
        data = classifier.pipeline(read_shape(path).to_data())
        assert data.pos.shape == (32, 3) and data.pos[:, 2].abs().max() < 1e-6
        assert data.normal.tolist() == [[0, 0, 1]] * 32


def test_faces_without_area(tmp_path, classifier):
    with pytest.raises(ValueError, match=r"flat\.off: the mesh has no surface: all 2 faces have zero area"):
        classifier(
            write(tmp_path / "flat.off", off([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [(0, 1, 2), (1, 1, 1)]))
        )
    plain = classifier(write(tmp_path / "a.off", off(CORNERS, FACES.tolist())))
    assert (
        classifier(write(tmp_path / "b.off", off(CORNERS, [*FACES.tolist(), (0, 0, 1), (2, 2, 2)]))) == plain
    )


@pytest.mark.parametrize("points", [np.zeros((1, 3)), np.ones((5, 3)), np.arange(5.0)[:, None] * [1, 2, 3]])
def test_clouds_of_one_place_or_line(classifier, points):
    assert sum(classifier(points).probabilities.values()) == pytest.approx(1)


def test_meshes_without_faces_are_clouds(tmp_path, classifier):
    points = np.random.default_rng(0).normal(size=(40, 3))
    expected = classifier(points)
    ply = "ply\nformat ascii 1.0\nelement vertex 40\n" + "".join(f"property double {a}\n" for a in "xyz")
    contents = {
        "a.xyz": rows(points),
        "a.off": off(points),
        "a.obj": obj(points, after="p 1 2\nl 1 2 3\n"),
        "a.ply": f"{ply}element face 0\nproperty list uchar int vertex_indices\nend_header\n{rows(points)}",
        "b.ply": f"{ply}end_header\n{rows(points)}",
    }
    for name, content in contents.items():
        path = write(tmp_path / name, content)
        assert read_shape(path).faces is None
        assert classifier(path) == expected


def test_points_and_lines_beside_faces_are_left_out(tmp_path, classifier):
    plain = classifier(write(tmp_path / "a.obj", obj(CORNERS, FACES.tolist())))
    assert (
        classifier(write(tmp_path / "b.obj", obj(CORNERS, FACES.tolist(), after="p 1\nl 1 2 3\np 2 4\n")))
        == plain
    )
    edges = f"{off(CORNERS, [*FACES.tolist(), (0, 1), (3,)])}"
    assert classifier(write(tmp_path / "c.off", edges)) == plain


def test_all_parts_of_a_scene_count(tmp_path, classifier):
    moved = CORNERS + np.array([5, 0, 0])
    both = np.concatenate([CORNERS, moved])
    faces = [*FACES.tolist(), *(FACES + 4).tolist()]
    expected = classifier(write(tmp_path / "a.off", off(both, faces)))
    parts = obj(CORNERS, FACES.tolist(), "o a\n") + obj(moved, (FACES + 4).tolist(), "o b\n")
    assert classifier(write(tmp_path / "a.obj", parts)) == expected
    two = read_shape(
        write(tmp_path / "a.stl", stl_files(text=True)[0])
    )  # two triangles in each of two solids
    assert two.faces.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert volume(two) == pytest.approx(TETRAHEDRON)


def scene(**changes) -> bytes:
    """The scene of the fuzz with parts of its description replaced."""
    content = glb_files()[0]
    size = struct.unpack_from("<I", content, 12)[0]
    header = json.loads(content[20 : 20 + size])
    header |= copy.deepcopy(changes)
    return glb(header, content[28 + size :])


def test_parts_of_a_glb_lie_in_their_places(tmp_path):
    shape = read_shape(write(tmp_path / "a.glb", scene()))
    places = [CORNERS + np.array([1, 2, 3]), CORNERS * [1, 1, 2] + np.array([1, 2, 3]), CORNERS]
    found = shape.vertices.reshape(3, 4, 3)
    assert sorted(map(np.ndarray.tolist, found)) == sorted(map(np.ndarray.tolist, places))
    assert len(shape.faces) == 8 and volume(shape) == pytest.approx(3 * TETRAHEDRON)


def test_mirrored_parts_of_a_glb_are_not_inside_out(tmp_path):
    mirrored = scene(scenes=[{"nodes": [0]}], nodes=[{"mesh": 0, "scale": [-1, 1, 1]}])
    assert volume(read_shape(write(tmp_path / "a.glb", mirrored))) == pytest.approx(TETRAHEDRON)


def accessors(**changes) -> list[dict]:
    return [
        {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"} | changes,
        {"bufferView": 1, "componentType": 5123, "count": 12, "type": "SCALAR"},
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"buffers": [{"byteLength": 72, "uri": "/dev/zero"}]},
            "data in '/dev/zero', expected it inside the file",
        ),
        ({"accessors": accessors(count=10**12)}, "1000000000000 entries in .* bytes, expected 1 to that"),
        ({"accessors": accessors(count=-4)}, "count -4, expected a whole number of 0 or more"),
        ({"accessors": [{"componentType": 5126, "count": 4, "type": "VEC3"}] * 2}, "without a bufferView"),
        (
            {"meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "mode": 7}]}] * 2},
            r"a part of mode 7, expected 0 \(points\) to 6",
        ),
        ({"meshes": []}, "index 0 of the meshes, expected one of 0"),
        ({"nodes": [], "scenes": [{"nodes": []}]}, "no geometry found, expected a mesh or points"),
    ],
)
def test_scenes_that_would_be_read_wrongly(tmp_path, changes, message):
    with pytest.raises(ShapeError, match=rf"a\.glb: .*{message}"):
        read_shape(write(tmp_path / "a.glb", scene(**changes)))


def test_a_scene_that_contains_itself_ends(tmp_path):
    nodes = [{"mesh": 0, "children": [1]}, {"mesh": 0, "children": [0]}]
    with pytest.raises(ShapeError, match="node 0 more than once in the scene, expected once"):
        read_shape(write(tmp_path / "a.glb", scene(nodes=nodes, scenes=[{"nodes": [0]}])))


def test_textures_that_are_missing_are_not_missed(tmp_path, classifier, caplog, capfd):
    plain = classifier(write(tmp_path / "a.obj", obj(CORNERS, FACES.tolist())))
    textured = obj(CORNERS, FACES.tolist(), "mtllib none.mtl\nusemtl wood\n")
    assert classifier(write(tmp_path / "b.obj", textured)) == plain
    header = "ply\nformat ascii 1.0\ncomment TextureFile none.png\nelement vertex 4\n"
    header += "".join(f"property double {a}\n" for a in ("x", "y", "z", "s", "t"))
    header += "element face 4\nproperty list uchar int vertex_indices\nproperty list uchar float texcoord\nend_header\n"
    body = "".join(f"{row} 0 0\n" for row in rows(CORNERS).splitlines())
    body += "".join(f"3 {' '.join(map(str, f))} 6 0 0 1 0 0 1\n" for f in FACES)
    assert classifier(write(tmp_path / "a.ply", header + body)) == plain
    wood = {
        "images": [{"uri": "none.png"}],
        "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}] * 2,
    }
    with caplog.at_level(logging.DEBUG):
        assert volume(read_shape(write(tmp_path / "a.glb", scene(**wood)))) == pytest.approx(4 * TETRAHEDRON)
    assert capfd.readouterr().err == ""
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_binary_ply_says_the_same_as_text(tmp_path):
    """Triangles and quads mixed, both byte orders; clouds with normals."""
    texts, binaries = ply_files(text=True), ply_files(text=False)
    for i, content in enumerate(binaries):
        text = read_shape(write(tmp_path / "text.ply", texts[i % 2]))
        shape = read_shape(write(tmp_path / "binary.ply", content))
        assert np.array_equal(shape.vertices, text.vertices)
        if i % 2:
            assert shape.faces is None and np.array_equal(shape.normals, text.normals)
        else:
            assert shape.faces.tolist() == text.faces.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3]]


PLY = "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PLY.replace("z", "w") + "end_header\n0 0 0\n", "no z of the vertices, expected properties x, y, z"),
        (
            PLY.replace("ascii", "ebcdic") + "end_header\n0 0 0\n",
            "header line 'format ebcdic 1.0', expected a format",
        ),
        (PLY.replace("1\n", "-1\n", 2) + "end_header\n0 0 0\n", "header line"),
        (PLY.replace("float x", "quad x") + "end_header\n0 0 0\n", "header line 'property quad x'"),
        (
            PLY.replace("float y", "float x") + "end_header\n0 0 0\n",
            "properties x, x, z, expected different names",
        ),
        (
            PLY.replace("format ascii 1.0\n", "") + "end_header\n0 0 0\n",
            "no line 'format' before 'element vertex 1', expected one of ascii",
        ),
        (PLY + "0 0 0\n", "header line '0 0 0'"),
        (PLY, "truncated, no end_header"),
        (PLY + "end_header\n0 0 0\n1 1 1\n", "1 lines behind the last element, expected none"),
        (PLY + "end_header\n0 0\n", "a line of element vertex is '0 0', 2 numbers, expected x, y, z"),
        (
            PLY + "end_header\n0 0 1,5\n",
            "'1,5' among the numbers of vertex z, expected numbers",
        ),
        (
            PLY.replace("float x", "uchar x") + "end_header\n300 0 0\n",
            "'300' among the numbers of vertex x, expected whole numbers from 0 to 255",
        ),
        (PLY + "element face 1\nproperty int a\nend_header\n0 0 0\n7\n", "faces of a, expected a list"),
        (
            PLY + "element polygon 1\nproperty list int int vertex_indices\nend_header\n0 0 0\n3 0 0 0\n",
            "faces in an element 'polygon', expected one called 'face'",
        ),
        (
            PLY
            + "element face 1\nproperty list int int vertex_index\nelement tristrips 1\nproperty list int int i\n"
            + "end_header\n0 0 0\n3 0 0 0\n3 0 0 0\n",
            "triangle strips, expected an element 'face' alone",
        ),
        (
            PLY + "element tristrips 1\nproperty list int int i\nend_header\n0 0 0\n3 0 0 0\n",
            "triangle strips",
        ),
        (
            PLY + "element face 1\nproperty list float int i\nend_header\n0 0 0\n1 0\n",
            "lengths of an integer type",
        ),
        (
            PLY + "element face 1\nproperty list uchar float i\nend_header\n0 0 0\n3 0 0 0\n",
            "faces of type float64",
        ),
        (
            PLY.replace("ascii", "binary_little_endian") + "end_header\n" + "\0" * 11,
            "truncated in row 0 of element",
        ),
        (
            PLY.replace("ascii", "binary_big_endian") + "end_header\n" + "\0" * 12 + "\1",
            "1 bytes behind the last element",
        ),
        (
            PLY.replace("vertex 1", f"vertex {10**12}") + "end_header\n0 0 0\n",
            "1 lines .* found, expected 1000000000000",
        ),
    ],
)
def test_ply_files_that_contradict_themselves(tmp_path, content, message):
    with pytest.raises(ShapeError, match=rf"a\.ply: .*{message}"):
        read_shape(write(tmp_path / "a.ply", content))


def test_long_headers_take_no_longer_than_they_are(tmp_path):
    many = "".join(f"element e{i} 0\n" for i in range(40_000))
    path = write(tmp_path / "a.ply", PLY + many + "end_header\n1 2 3\n")
    with limited_time() as clock:
        clock(3.0)  # of the processor; comparing all names with each other takes 20 s and more
        assert read_shape(path).vertices.tolist() == [[1, 2, 3]]


STL = stl_files(text=True)[0].decode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (STL[: STL.index("endsolid")], "truncated, no 'endsolid' of the last solid"),
        (STL[: STL.rindex("endsolid")], "truncated, no 'endsolid' of the last solid"),
        (STL.replace("vertex 1 0 0\n", "", 1), "line 6 is 'endloop', expected 'vertex'"),
        (STL.replace("vertex 1 0 0", "vertex 1 0", 1), "line 6 is 'vertex 1 0', expected 'vertex x y z'"),
        (STL.replace("vertex 1 0 0", "vertex 1 0 0,5", 1), "'0,5' among the vertices, expected numbers"),
        (STL.replace("solid 2\n", "", 1), "line 17 is 'facet normal 0 0 1', expected 'solid'"),
        (STL.replace("endsolid 0\n", ""), "line 16 is 'solid 2', expected 'facet' or 'endsolid'"),
        ("solid a\nendsolid a\n", "no vertices found"),
        (
            stl_files(text=False)[0][:-1],
            r"283 bytes \(truncated\), expected 284 for the 4 triangles of its header",
        ),
        (stl_files(text=False)[0] + b"\1", r"285 bytes \(1 behind the last triangle\), expected 284"),
    ],
)
def test_stl_files_that_are_not_complete(tmp_path, content, message):
    with pytest.raises(ShapeError, match=rf"a\.stl: .*{message}"):
        read_shape(write(tmp_path / "a.stl", content))


@pytest.mark.parametrize("kind", ["cloud", "mesh"])
def test_map_coordinates(tmp_path, classifier, kind):
    """UTM metres, where float32 would round to half a metre."""
    points = np.random.default_rng(0).normal(size=(30, 3)) if kind == "cloud" else CORNERS
    faces = () if kind == "cloud" else FACES.tolist()
    near = classifier(write(tmp_path / "near.off", off(points, faces)))
    far = points + np.array([500_000.125, 5_400_000.5, 100])
    paths = [write(tmp_path / "far.off", off(far, faces)), write(tmp_path / "far.obj", obj(far, faces))]
    if kind == "cloud":
        header = f"ply\nformat binary_little_endian 1.0\nelement vertex 30\n{PLY[PLY.index('property') :]}"
        header = header.replace("float", "double") + "end_header\n"
        paths.append(write(tmp_path / "far.ply", header.encode() + far.astype("<f8").tobytes()))
        paths.append(write(tmp_path / "far.xyz", rows(far)))
    for path in paths:
        assert classifier(path).probability == pytest.approx(near.probability, abs=1e-5)
