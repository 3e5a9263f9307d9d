"""Text files of shapes: numbers that are none, comments, counts, dialects, byte order marks, normals nobody uses."""

import numpy as np
import pytest
import torch

from ccnn_geo.experiments.fuzz.fuzz_seeds import stl_files
from ccnn_geo.io import Shape, ShapeError, as_shape, read_shape
from ccnn_geo.io.shapes.missing import MissingPoints
from ccnn_geo.transforms import SampleShape

TRIANGLE = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
PLY = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n{}end_header\n"
NORMALS = "property float nx\nproperty float ny\nproperty float nz\n"
FACE = "element face 1\nproperty list uchar int vertex_indices\n"
PCD = (
    "VERSION .7\nFIELDS x y z{0}\nSIZE 4 4 4{1}\nTYPE F F F{2}\nWIDTH {3}\nHEIGHT 1\nPOINTS {3}\nDATA ascii\n"
)


@pytest.fixture
def read(tmp_path):
    def read(name, content, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return read_shape(path)

    return read


def files(number: str) -> dict[str, str]:
    """Three vertices of which the last begins with a word, in every text format."""
    rows = f"0 0 0\n1 0 0\n{number} 1 0\n"
    lines = rows.splitlines()
    facet = "facet normal 0 0 1\nouter loop\n" + "".join(f"vertex {line}\n" for line in lines)
    return {
        "a.off": f"OFF\n3 1 0\n{rows}3 0 1 2\n",
        "a.obj": "".join(f"v {line}\n" for line in lines) + "f 1 2 3\n",
        "a.xyz": rows,
        "a.ply": PLY.format("") + rows,
        "a.pcd": PCD.format("", "", "", 3) + rows,
        "a.stl": f"solid a\n{facet}endloop\nendfacet\nendsolid a\n",
    }


NAMES = tuple(files("0"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "word", ["1.#QNAN", "-1.#IND", "1.#INF", "-1.#IND00e+000", "1.#SNAN", "-nan(ind)", "nan", "infinity"]
)
def test_coordinates_that_are_not_finite_as_any_library_prints_them(read, name, word):
    content = files(word)[name]
    if name in ("a.ply", "a.pcd") and "inf" not in word.lower():  # where NaN says that there is no point
        with pytest.warns(MissingPoints, match=f"{name}: 1 of 3 points have NaN"):
            assert len(read(name, content).vertices) == 2
        return
    with pytest.raises(ShapeError, match=r"a\.\w+: NaN or Inf in 1 vertices \(first: number 2\)"):
        read(name, content)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "word", ["1_000", "0x10", "1d5", "1,5", "-", "1.0-2.0", "1#2", "\u0661", "1e", "--1"]
)
def test_words_that_are_no_numbers(read, name, word):
    found = repr(word) if name in ("a.off", "a.obj", "a.xyz", "a.stl") else "'"  # the others are Latin
    with pytest.raises(ShapeError, match=r"a\.\w+: '.*' among the .*, expected numbers") as caught:
        read(name, files(word)[name])
    assert found in str(caught.value) and "could not convert" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("word", ["-0.25e1", "+2", ".5", "5.", "1E-3"])
def test_words_that_are_numbers(read, name, word):
    vertices = read(name, files(word)[name]).vertices
    assert vertices.tolist() == [
        [0, 0, 0],
        [1, 0, 0],
        [np.float32(word) if name == "" else float(word), 1, 0],
    ]


@pytest.mark.parametrize(("word", "found"), [("1_0", "1_0"), ("1.0", "1.0"), ("x", "x"), ("9" * 30, "999")])
def test_indices_that_are_no_whole_numbers(read, word, found):
    for name in ("a.off", "a.obj"):
        content = files("0")[name].replace("0 1 2\n", f"0 1 {word}\n").replace("1 2 3\n", f"1 2 {word}\n")
        with pytest.raises(
            ShapeError, match=rf"'{found}\d*' among the corners of faces, expected whole numbers"
        ):
            read(name, content)


def test_comments_begin_at_the_start_or_after_a_blank(read):
    commented = "# all\nOFF#x\n3 1 0\t# counts\n0 0 0 #a\n1 0 0 # b # c\n#\n0 1 0\n3 0 1 2\n# end"
    shape = read("a.off", commented)
    assert shape.vertices.tolist() == TRIANGLE and shape.faces.tolist() == [[0, 1, 2]]
    shape = read("a.obj", "v 0 0 0 # \\\nv 1 0 0\n  # v 9 9 9\nv 0 1 0\nf 1 \\\n 2 3 # f 3 2 1\n")
    assert shape.vertices.tolist() == TRIANGLE and shape.faces.tolist() == [[0, 1, 2]]
    assert read("a.xyz", "# x y z\n0 0 0 # first\n1 0 0\n").vertices.tolist() == TRIANGLE[:2]


@pytest.mark.parametrize("name", [*NAMES, "b.stl"])
def test_byte_order_marks(read, name):
    content = {**files("0.5"), "b.stl": stl_files(text=True)[0].decode()}[name]
    expected = read(name, content)
    found = read(name, content, "utf-8-sig")
    assert np.array_equal(found.vertices, expected.vertices)
    if name[2:] in ("off", "obj", "xyz", "stl"):
        assert np.array_equal(read(name, content, "utf-16").vertices, expected.vertices)


# Counts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "OFF\n2 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
            "4 lines of data found, expected 2 vertices and 1 faces",
        ),
        ("OFF\n2 2 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "face 0 is '0 1 0', expected a count of 1 or more"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n-1 0\n", "face 0 is '-1 0', expected a count"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2 0 0\n", "as many indices, and perhaps a colour of 1, 3"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n3 2 1 0\n", "5 lines of data found, expected 3"),
        ("OFF\n4 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "truncated, 4 lines of data found, expected 4"),
        ("OFF\n3 1 0 7\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "counts '3 1 0 7', expected vertices, faces, edges"),
        ("OFF\n3.0 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "counts '3.0 1 0'"),
        ("OFF 2 1 0 0 0 0 1 0 0 0 1 0 3 0 1 2", "expected vertices, faces, edges"),
        ("4OFF\n1 0 0\n0 0 0 1\n", "4OFF, vertices with four or n coordinates, expected OFF, with three"),
        ("nOFF\n3\n1 0 0\n0 0 0\n", "nOFF, vertices with four or n coordinates"),
        ("OFF BINARY\n1 0 0\n", "binary OFF, expected text"),
    ],
)
def test_off_counts_that_lie(read, content, message):
    with pytest.raises(ShapeError, match=rf"a\.off: .*{message}"):
        read("a.off", content)


@pytest.mark.parametrize(("header", "more"), [("NOFF", " 0 0 1"), ("STCNOFF", " 0 0 1 .5 .5 .5 1 0 0")])
def test_off_with_more_columns(read, header, more):
    rows = "".join(f"{' '.join(map(str, row))}{more}\n" for row in TRIANGLE)
    shape = read("a.off", f"{header}\n3 1 0\n{rows}3 0 1 2 255 0 0\n")
    assert shape.vertices.tolist() == TRIANGLE and shape.faces.tolist() == [[0, 1, 2]]


def test_arrays_that_go_on_behind_their_end(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.save(file, np.zeros((2, 3)))
        np.save(file, np.ones((2, 3)))  # as a second cloud in the same file
    with pytest.raises(ShapeError, match=r"a\.npy: 224 bytes, expected 48 of \[2, 3\] float64"):
        read_shape(tmp_path / "a.npy")


# Dialects -----------------------------------------------------------------------------------------

OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"


@pytest.mark.parametrize(
    "lines",
    [
        "f 1 2 3\nf 1 2\nf 3\n",
        "f 1/ 2/ 3/\nl 1 2\np 1\n",
        "f 1// 2// 3//\n",
        "f -3/1/1 -2//1 -1\n",
        "f 1 \\\n2 \\\n3\n",
        "f 1 \\\n\nf 1 2 3\n",
        "f 1 2 3\nv 5 5 5\nf -1 -2\n",
        "fo 1 2 3\n",
    ],
)
def test_faces_of_obj(read, lines):
    shape = read("a.obj", OBJ + lines)
    assert shape.faces.tolist() == [[0, 1, 2]] and shape.vertices[:3].tolist() == TRIANGLE


def test_vertices_of_obj_with_weights_and_colours(read):
    shape = read("a.obj", "v 0 0 0 1\nv 1 0 0 .5 .5 .5\nv 0 1 0\nf 1 2 3\n")
    assert shape.vertices.tolist() == TRIANGLE


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("f 1 2 3\nf 0 1\n", "face 'f 0 1', expected one or more indices that are not 0"),
        ("f\n", "face 'f ', expected one or more indices"),
        ("f 1 2 -4\n", "faces use vertices -1 to 1, expected 0 to 2"),
        ("f 1,2,3\n", "'1,2,3' among the corners of faces, expected whole numbers"),
        ("cstype bezier\nsurf 0 1 0 1 1 2 3\n", "1 free-form surfaces, expected polygons, lines 'f i j k'"),
        ("v 1 2\n", "row '1 2' of the vertices has 2 columns, expected 3 or more"),
    ],
)
def test_lines_of_obj_that_are_wrong(read, lines, message):
    with pytest.raises(ShapeError, match=rf"a\.obj: {message}"):
        read("a.obj", OBJ + lines)


LOOP = "{0}outer loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\n"
FACET = f"facet normal 0 0 1\n{LOOP.format('')}endloop\nendfacet\n"


@pytest.mark.parametrize(
    "content",
    [
        f"solid a\n{FACET}color 0.5 0.5 0.5\n{FACET}endsolid a\n",
        f"solid a\ncolor 1 0 0\n{FACET}\n{FACET}color 1 1 1\nend solid a\n",
        f"solid a\n{FACET * 2}endsolid".replace("endloop", "end loop").replace("endfacet", "end facet"),
        f"SOLID A\n{FACET * 2}ENDSOLID A".replace("vertex", "VERTEX").replace("facet", "Facet"),
        f"solid facet normal vertex\n{FACET}endsolid outer\n\nsolid\n{FACET}endsolid\n",
        f"solid a\n{FACET * 2}endsolid".replace("normal 0 0 1", "normal nan 1.#QNAN x"),
        f"solid a\n{FACET * 2}endsolid\n".ljust(1024, "\0"),
        f"solid a\n{FACET * 2}endsolid".replace("endfacet", "color 1 0 0\nendfacet").replace("\n", "\r\n   "),
    ],
)
def test_dialects_of_text_stl(read, content):
    for mark in ("", "\ufeff"):
        shape = read("a.stl", mark + content)
        assert shape.vertices.reshape(2, 3, 3).tolist() == [TRIANGLE, TRIANGLE]
        assert shape.faces.tolist() == [[0, 1, 2], [3, 4, 5]] and shape.normals is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"solid a\n{FACET}{LOOP.format('')}", "line 9 is 'outer loop', expected 'facet' or 'endsolid'"),
        (f"solid a\n{FACET}endsolid\ncolor 1 1 1\n", "line 10 is 'color 1 1 1', expected 'solid'"),
        (
            f"solid a\n{FACET}".replace("vertex 1 0 0", "vertex 1 0 0 9"),
            "line 5 is 'vertex 1 0 0 9', expected",
        ),
        (f"solid a\n{FACET}".replace("endfacet\n", "endsolid"), "line 8 is 'endsolid', expected 'endfacet'"),
        ("hello", "starts with b'hello', 5 bytes, expected 'solid', or 84 bytes and 50 per triangle"),
        ("<html>" + " " * 90, "starts with b'<html> .*, 96 bytes, expected 'solid'"),
        (
            b"solid".ljust(84, b"\0") + b"\1",
            r"85 bytes \(1 behind the last triangle\), expected 84 for the 0",
        ),
        (
            b"solid".ljust(80, b"\0") + b"\1\0\0\0",
            r"84 bytes \(truncated\), expected 134 for the 1 triangles",
        ),
    ],
)
def test_lines_of_stl_that_are_wrong(read, content, message):
    with pytest.raises(ShapeError, match=rf"a\.stl: {message}"):
        read("a.stl", content)


# Normals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["nan nan nan", "0 0 0", "inf 0 0", "-1.#IND 0 1", "1e300 1e300 0"])
def test_useless_normals_of_clouds_are_replaced(tmp_path, bad):
    """By the same ones for files as for arrays with the same numbers."""
    points = np.random.default_rng(0).normal(size=(20, 3)).round(3)
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    table = [" ".join(map(repr, row)) for row in np.column_stack([points, normals]).tolist()]
    table[4] = " ".join([*map(repr, points[4].tolist()), bad])
    rows = "\n".join(table) + "\n"
    numbers = np.column_stack([points, normals])
    numbers[4, 3:] = np.nan
    np.save(tmp_path / "a.npy", numbers)
    np.savez(tmp_path / "a.npz", pos=points, normal=numbers[:, 3:])
    (tmp_path / "a.xyz").write_text(rows)
    (tmp_path / "a.ply").write_text(PLY.replace("vertex 3", "vertex 20").format(NORMALS) + rows)
    fields = (" normal_x normal_y normal_z", " 4 4 4", " F F F")
    (tmp_path / "a.pcd").write_text(PCD.format(*fields, 20) + rows)
    lines = [line.split() for line in table]
    (tmp_path / "a.obj").write_text(
        "".join(f"v {' '.join(w[:3])}\n" for w in lines) + "".join(f"vn {' '.join(w[3:])}\n" for w in lines)
    )
    sample = SampleShape(20, k=8)
    shapes = [read_shape(path) for path in sorted(tmp_path.iterdir())]
    shapes.append(as_shape(Shape(points, None, numbers[:, 3:])))
    for shape in shapes:
        torch.manual_seed(0)
        found = sample(shape.to_data())
        torch.manual_seed(0)
        expected = sample(Shape(points, None, numbers[:, 3:]).to_data())
        assert torch.isfinite(found.normal).all()
        assert torch.allclose(found.normal, expected.normal) and torch.allclose(found.pos, expected.pos)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ply", PLY.format(NORMALS + FACE) + "0 0 0 nan 0 0\n1 0 0 1.#QNAN 0 0\n0 1 0 0 0 0\n3 0 1 2\n"),
        ("a.obj", OBJ + "vn 0 0 1\nvn nan 0 0\nvn x\nf 1//1 2//2 3//3\n"),
        ("a.off", "NOFF\n3 1 0\n0 0 0 nan nan nan\n1 0 0 -1.#IND 0 0\n0 1 0 0 0 1\n3 0 1 2\n"),
    ],
)
def test_normals_of_meshes_are_not_looked_at(read, name, content):
    shape = read(name, content)
    assert shape.vertices.tolist() == TRIANGLE and shape.faces.tolist() == [[0, 1, 2]]
    assert shape.normals is None


def test_normals_of_a_mesh_in_memory_are_not_looked_at():
    shape = as_shape(Shape(np.array(TRIANGLE, dtype=float), np.array([[0, 1, 2]]), np.full((3, 3), np.nan)))
    assert shape.normals is None and shape.faces.tolist() == [[0, 1, 2]]


PLY_HEAD = "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\n"
LIST = "element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "3 0 0",
            "a line of element face is '3 0 0', 3 numbers, expected vertex_indices .a length and that many",
        ),
        (
            "3 0 0.5 0",
            "'0.5' among the numbers of face vertex_indices, expected whole numbers from -2147483648",
        ),
    ],
)
def test_lines_of_ply_that_are_wrong(read, line, message):
    with pytest.raises(ShapeError, match=rf"a\.ply: {message}"):
        read("a.ply", f"{PLY_HEAD}{LIST}{line}\n")


@pytest.mark.parametrize("sign", ["\u2028", "\x85", "\x1c", "\x0b"])
def test_signs_in_names_are_no_ends_of_lines(read, sign):
    shape = read("a.obj", f"# made by{sign}v 9 9 9\ng a{sign}v 8 8 8\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert shape.vertices.tolist() == TRIANGLE and shape.faces.tolist() == [[0, 1, 2]]


def test_a_file_that_reads_another(read):
    with pytest.raises(
        ShapeError, match=r"a\.obj: 'call part\.obj' refers to another file, expected a single file"
    ):
        read("a.obj", OBJ + "call part.obj\n")


def test_blanks_behind_the_last_item(read):
    shape = read("a.stl", stl_files(text=False)[0] + b"\r\n\0")
    assert len(shape.faces) == 4


@pytest.mark.parametrize(("counts", "faces"), [("4 1 0", 2), ("5 0 0", 2)])
def test_counts_of_off_that_cancel(read, counts, faces):
    rows = "0 0 0 1\n1 0 0 1\n0 1 0 1\n" + "3 0 1 2\n" * faces
    with pytest.raises(ShapeError, match=r"a\.off: vertices with 4 columns, expected 3, or also normals"):
        read("a.off", f"OFF\n{counts}\n{rows}")
