from pathlib import Path

import numpy as np
import pytest
import trimesh

from ccnn_geo.io import EXTENSIONS, Shape, ShapeError, read_shape

OFF = Path(__file__).resolve().parents[3] / "../shared/data/off"

TETRAHEDRON = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def off_text(header: str = "OFF\n4 4 6") -> str:
    rows = [" ".join(map(str, v)) for v in TETRAHEDRON] + ["3 " + " ".join(map(str, f)) for f in FACES]
    return header + "\n" + "\n".join(rows) + "\n"


def area(shape: Shape) -> float:
    a, b, c = shape.vertices[shape.faces].swapaxes(0, 1)
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()


def volume(shape: Shape) -> float:
    a, b, c = shape.vertices[shape.faces].swapaxes(0, 1)
    return (a * np.cross(b, c)).sum() / 6


@pytest.mark.parametrize("name", ["bed_0519", "chair_0896", "toilet_0353"])
def test_malformed_off_header_reads_like_the_good_file(name):
    if not OFF.is_dir():
        pytest.skip(f"no shared data at {OFF}")
    good, bad = read_shape(OFF / f"{name}.off"), read_shape(OFF / f"broken_header_{name}.off")
    assert np.array_equal(good.vertices, bad.vertices)
    assert np.array_equal(good.faces, bad.faces)


def test_off_agrees_with_trimesh_on_real_meshes():
    if not OFF.is_dir():
        pytest.skip(f"no shared data at {OFF}")
    files = sorted(OFF.glob("[!b]*.off"))
    assert len(files) >= 8
    for path in files:
        shape, oracle = read_shape(path), trimesh.load_mesh(path, process=False)
        assert np.array_equal(shape.vertices, oracle.vertices)
        assert np.array_equal(shape.faces, oracle.faces)


@pytest.mark.parametrize(
    "header",
    [
        "OFF\n4 4 6",
        "OFF4 4 6",
        "OFF 4 4 6",
        "# made by hand\n\nOFF # yes\n\n4 4 0",
        "off\n4 4",
        "\ufeffOFF\n4 4 6",
    ],
)
def test_off_headers(tmp_path, header):
    path = tmp_path / "t.off"
    path.write_text(off_text(header), encoding="utf-8")
    shape = read_shape(path)
    assert np.array_equal(shape.vertices, TETRAHEDRON)
    assert np.array_equal(shape.faces, FACES)
    assert shape.vertices.dtype == np.float64 and shape.faces.dtype == np.int64


def test_off_colours_polygons_and_windows_line_ends(tmp_path):
    text = "COFF\r\n5 4 0\r\n" + "".join(
        f"{x} {y} 0 255 0 0 255\r\n" for x, y in [(0, 0), (2, 0), (3, 1), (2, 2), (0, 2)]
    )
    text += "5 0 1 2 3 4 0.1 0.2 0.3\r\n3 0 1 2\r\n2 0 1\r\n1 0\r\n"
    path = tmp_path / "p.off"
    path.write_bytes(text.encode())
    shape = read_shape(path)
    assert shape.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 1, 2]]
    assert area(Shape(shape.vertices, shape.faces[:3])) == pytest.approx(5.0)


@pytest.mark.parametrize("separator", [" ", "\n"])
def test_off_with_line_ends_anywhere(tmp_path, separator):
    shape = read_shape(write(tmp_path / "w.off", off_text().replace("\n", " ").replace(" ", separator)))
    assert np.array_equal(shape.vertices, TETRAHEDRON) and np.array_equal(shape.faces, FACES)
    shape = read_shape(write(tmp_path / "v.off", "OFF 3 1 0\n0 0 0 1 0 0 0 1 0\n3 0 1 2"))
    assert shape.faces.tolist() == [[0, 1, 2]] and shape.vertices[1].tolist() == [1, 0, 0]


def test_obj_with_tabs(tmp_path):
    shape = read_shape(write(tmp_path / "t.obj", "v\t0 0 0\nv \t1\t0\t0\nv\t0 1 0\nf\t1\t2 3\n"))
    assert shape.faces.tolist() == [[0, 1, 2]] and shape.vertices[1].tolist() == [1, 0, 0]


def test_off_without_faces_is_a_cloud(tmp_path):
    shape = read_shape(write(tmp_path / "c.off", "OFF\n2 0 0\n1 2 3\n4 5 6\n"))
    assert shape.faces is None
    assert shape.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("suffix", ["ply", "stl", "glb", "obj", "off"])
def test_every_mesh_format_keeps_area_and_volume(tmp_path, suffix):
    mesh = trimesh.creation.box(extents=[1, 2, 3])
    mesh.export(tmp_path / f"box.{suffix}")
    shape = read_shape(str(tmp_path / f"box.{suffix}"))
    assert area(shape) == pytest.approx(22.0)
    assert volume(shape) == pytest.approx(6.0)  # outside is outside
    assert shape.normals is None


def test_scene_parts_are_joined_in_their_places(tmp_path):
    scene = trimesh.Scene()
    box = trimesh.creation.box()
    scene.add_geometry(box, transform=trimesh.transformations.translation_matrix([10, 0, 0]))
    scene.add_geometry(box, transform=trimesh.transformations.scale_matrix(2))
    scene.export(tmp_path / "scene.glb")
    shape = read_shape(tmp_path / "scene.glb")
    assert volume(shape) == pytest.approx(1 + 8)
    assert shape.vertices.max(0) == pytest.approx([10.5, 1, 1])


def test_obj_quads_negative_indices_objects_and_colours(tmp_path):
    text = """# two squares
o a
v 0 0 0 1 0 0
v 1 0 0 1 0 0
v 1 1 0 1 0 0
v 0 1 0 1 0 0
vt 0 0
f 1/1/1 2/1/1 3//1 4
o b
v 0 0 1
v 1 0 1
v 1 1 1
v 0 1 1
f -4 -3 \\
 -2 -1
l 1 2
"""
    shape = read_shape(write(tmp_path / "q.obj", text))
    assert shape.faces.tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]]
    assert area(shape) == pytest.approx(2.0)


@pytest.mark.parametrize("extra", ["", "p 1\np 2\n", "l 1 2\n"])
def test_obj_of_points_or_lines_is_a_cloud(tmp_path, extra):
    shape = read_shape(write(tmp_path / "p.obj", "v 1 2 3\nv 4 5 6\nvn 0 0 1\nvn 0 1 0\n" + extra))
    assert shape.faces is None
    assert shape.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert shape.normals.tolist() == [[0, 0, 1], [0, 1, 0]]


PLY = """ply
format ascii 1.0
element vertex 4
property float x
property float y
property float z
{normal}element face {faces}
property list uchar int vertex_indices
end_header
"""
NORMAL = "property float nx\nproperty float ny\nproperty float nz\n"


def test_ply_cloud_with_normals(tmp_path):
    rows = "".join(f"{i} 0 0 0 {i} 1\n" for i in range(4))
    shape = read_shape(write(tmp_path / "c.ply", PLY.format(normal=NORMAL, faces=0) + rows))
    assert shape.faces is None
    assert shape.vertices[:, 0].tolist() == [0, 1, 2, 3]
    assert shape.normals[:, 1].tolist() == [0, 1, 2, 3]


def test_binary_ply_cloud(tmp_path):
    points = np.random.default_rng(0).normal(size=(50, 3))
    trimesh.PointCloud(points).export(tmp_path / "c.ply")
    shape = read_shape(tmp_path / "c.ply")
    assert shape.faces is None and shape.normals is None
    assert shape.vertices == pytest.approx(points, abs=1e-6)


def test_arrays(tmp_path):
    points = np.random.default_rng(0).normal(size=(7, 6))
    points[:, 3:] /= np.linalg.norm(points[:, 3:], axis=1, keepdims=True)
    np.save(tmp_path / "a.npy", points.astype(np.float32))
    np.save(tmp_path / "b.npy", np.arange(9).reshape(3, 3))
    np.savez(tmp_path / "c.npz", pos=points[:, :3], normal=points[:, 3:])
    np.savez(tmp_path / "d.npz", points)
    np.savez(tmp_path / "e.npz", pos=points[:, :3], label=np.zeros(7))
    np.savetxt(tmp_path / "f.xyz", np.column_stack([points, points]))
    a, b, c, d, e, f = (
        read_shape(tmp_path / n) for n in ["a.npy", "b.npy", "c.npz", "d.npz", "e.npz", "f.xyz"]
    )
    assert a.vertices == pytest.approx(points[:, :3], abs=1e-6) and a.normals.shape == (7, 3)
    assert b.vertices.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]] and b.normals is None
    for shape in (c, d, f):
        assert np.array_equal(shape.vertices, points[:, :3]) and np.array_equal(shape.normals, points[:, 3:])
    assert np.array_equal(e.vertices, points[:, :3]) and e.normals is None


def test_large_coordinates_keep_their_digits(tmp_path):
    shape = read_shape(
        write(tmp_path / "utm.xyz", "500000.125 5400000.0625 100\n500000.25 5400000.125 101\n")
    )
    assert shape.to_data().pos.diff(dim=0).tolist() == [[0.125, 0.0625, 1.0]]


def test_to_data(tmp_path):
    data = read_shape(write(tmp_path / "t.off", off_text())).to_data()
    assert data.face.tolist() == FACES.T.tolist() and data.pos.dtype.is_floating_point
    assert "normal" not in data


def damaged(folder: Path) -> dict[str, str]:
    """File name -> what the error must mention."""
    mesh = trimesh.creation.box()
    for suffix in ("ply", "stl", "glb"):
        mesh.export(folder / "box.tmp", file_type=suffix)
        (folder / f"cut.{suffix}").write_bytes((folder / "box.tmp").read_bytes()[:-30])
    np.save(folder / "columns.npy", np.zeros((5, 4)))
    np.save(folder / "flat.npy", np.zeros(5))
    np.save(folder / "complex.npy", np.zeros((5, 3), dtype=complex))
    np.save(folder / "pickle.npy", np.array([{"a": 1}], dtype=object))
    np.save(folder / "none.npy", np.zeros((0, 3)))
    np.save(folder / "nan.npy", np.array([[0, 0, 0], [0, np.nan, 0.0]]))
    np.savez(folder / "keys.npz", a=np.zeros((5, 3)), b=np.zeros((5, 3)))
    np.savez(folder / "pair.npz", pos=np.zeros((5, 3)), normal=np.zeros((4, 3)))
    (folder / "cut.npy").write_bytes((folder / "none.npy").read_bytes()[:40])
    (folder / "cut.npz").write_bytes((folder / "keys.npz").read_bytes()[:-60])
    (folder / "empty.off").touch()
    (folder / "folder.off").mkdir()
    texts = {
        "lines.off": off_text()[:-8],
        "half.off": "OFF\n4 4 0\n0 0 0\n",
        "counts.off": "OFF\nfour 4 0\n0 0 0\n",
        "head.off": "PLY\n1 0 0\n0 0 0\n",
        "blank.off": "\n\n# nothing\n",
        "face.off": off_text().replace("3 1 2 3", "3 1 2"),
        "range.off": off_text().replace("3 1 2 3", "3 1 2 4"),
        "negative.off": off_text().replace("3 1 2 3", "3 1 2 -1"),
        "two.off": off_text().replace("0.0 0.0 1.0", "0.0 0.0"),
        "inf.off": off_text().replace("0.0 0.0 1.0", "0.0 0.0 inf"),
        "word.off": off_text().replace("0.0 0.0 1.0", "0.0 0.0 x"),
        "none.off": "OFF\n0 0 0\n",
        "zero.obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n",
        "range.obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n",
        "none.obj": "# nothing\n",
        "columns.obj": "v 0 0\n",
        "cut_text.ply": PLY.format(normal="", faces=1) + "0 0 0\n1 0 0\n0 1 0\n1 1 0\n",
        "range.ply": PLY.format(normal="", faces=1) + "0 0 0\n1 0 0\n0 1 0\n1 1 0\n3 0 1 7\n",
        "text.ply": "hello",
        "text.stl": "solid nothing\n",
        "text.glb": "hello",
        "four.xyz": "1 2 3 4\n5 6 7 8\n",
        "huge.xyz": "1 2 3\n4 5 1e200\n",
        "words_cut.off": " ".join(off_text().split()[:-1]),
        "words_more.off": " ".join(off_text().split()) + " 1",
        "ragged.xyz": "1 2 3\n4 5\n",
        "words.xyz": "x y z\n",
        "comment.xyz": "# nothing\n",
        "what.docx": "hello",
    }
    for name, text in texts.items():
        write(folder / name, text)
    return {
        **dict.fromkeys(
            [*texts, "cut.ply", "cut.stl", "cut.glb", "cut.npy", "cut.npz", "keys.npz"], "expected"
        ),
        **dict.fromkeys(
            ["columns.npy", "flat.npy", "complex.npy", "none.npy", "nan.npy", "pair.npz"], "expected"
        ),
        **dict.fromkeys(["text.ply", "text.glb", "cut.ply", "cut.glb", "cut.npy", "cut.npz"], "."),
        "pickle.npy": "allow_pickle",
        "empty.off": "empty",
        "folder.off": "directory",
        "missing.off": "no such file",
        "what.docx": "extension '.docx'",
        "half.off": "truncated",
        "cut_text.ply": "truncated",
        "nan.npy": "NaN or Inf",
        "range.off": "vertices 0 to 4, expected 0 to 3",
    }


def test_every_damaged_file_is_refused_by_name(tmp_path):
    for name, words in damaged(tmp_path).items():
        with pytest.raises(ShapeError) as caught:
            read_shape(tmp_path / name)
        assert name in str(caught.value) and words in str(caught.value), str(caught.value)


def test_extensions():
    assert set(EXTENSIONS) == {".off", ".obj", ".ply", ".stl", ".glb", ".npy", ".npz", ".xyz", ".pcd"} | {
        *(".txt", ".csv", ".pts", ".las", ".laz")
    }
