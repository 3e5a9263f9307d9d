"""Labels of faces and points: in the file or beside it, and what is wrong with those that do not fit."""

from pathlib import Path

import numpy as np
import pytest

from ccnn_geo.io import ShapeError
from ccnn_geo.io.shapes.part_labels import read_labelled_shape
from ccnn_geo.io.shapes.read import read_shape

# a triangle, a quadrilateral and an edge, which has no area
OFF = "OFF\n5 3 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n2 0 0\n3 1 4 2\n4 0 1 2 3\n2 0 1\n"


def mesh(folder: Path, **beside: str) -> Path:
    (folder / "a.off").write_text(OFF)
    for end, text in beside.items():
        (folder / f"a{end.replace('__', '.')}").write_text(text)
    return folder / "a.off"


def test_princeton(tmp_path: Path) -> None:
    path = mesh(tmp_path, _labels__txt="upper leg\n2\nfoot\n1\n")
    shape, parts = read_labelled_shape(path)
    assert parts.names == ("upper leg", "foot")
    assert parts.index.tolist() == [1, 0, -1]
    assert shape.num_parts == 3
    assert shape.polygon.tolist() == [0, 1, 1]


def test_numbers_beside(tmp_path: Path) -> None:
    _, parts = read_labelled_shape(mesh(tmp_path, __seg="7\n-1\n2\n"))
    assert parts.names == ("2", "7")
    assert parts.index.tolist() == [1, -1, 0]


def test_names_come_first(tmp_path: Path) -> None:
    _, parts = read_labelled_shape(mesh(tmp_path, _labels__txt="leg\n1 2 3\n", __seg="0\n0\n0\n"))
    assert parts.names == ("leg",)


PLY = """ply
format ascii 1.0
element vertex 3
property float x
property float y
property float z
{vertex}element face {faces}
property list uchar int vertex_indices
{face}end_header
"""


def test_property_of_faces(tmp_path: Path) -> None:
    head = PLY.format(vertex="", faces=2, face="property int label\n")
    (tmp_path / "a.ply").write_text(head + "0 0 0\n1 0 0\n0 1 0\n3 0 1 2 4\n3 2 1 0 3\n")
    _, parts = read_labelled_shape(tmp_path / "a.ply")
    assert (parts.names, parts.index.tolist()) == (("3", "4"), [1, 0])


def test_property_of_points(tmp_path: Path) -> None:
    head = PLY.format(vertex="property uchar part\n", faces=0, face="")
    (tmp_path / "a.ply").write_text(head + "0 0 0 5\n1 0 0 5\n0 1 0 6\n")
    _, parts = read_labelled_shape(tmp_path / "a.ply", label="part")
    assert (parts.names, parts.index.tolist()) == (("5", "6"), [0, 0, 1])
    with pytest.raises(ShapeError, match=r"a.ply: no labels of its points, expected a_labels.txt or a.seg"):
        read_labelled_shape(tmp_path / "a.ply")
    with pytest.raises(ShapeError, match=r"a.ply: no label 'parts', expected one of x, y, z, part"):
        read_labelled_shape(tmp_path / "a.ply", label="parts")


def test_columns_of_text(tmp_path: Path) -> None:
    """ShapeNet's parts: positions, normals and the number of a part."""
    path = tmp_path / "a.txt"
    path.write_text("0 0 0 0 0 1 12.0\n1 0 0 0 0 1 13.0\n")
    shape, parts = read_labelled_shape(path, ["x", "y", "z", "nx", "ny", "nz", "label"])
    assert (parts.names, parts.index.tolist()) == (("12", "13"), [0, 1])
    assert shape.normals is not None
    path.write_text("x,y,z,class\n0,0,0,1\n1,0,0,0\n")
    assert read_labelled_shape(path)[1].index.tolist() == [1, 0]
    path.write_text("0 0 0\n1 0 0\n")
    with pytest.raises(ShapeError, match="no labels of its points"):
        read_labelled_shape(path)


def test_array_of_an_archive(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", pos=np.eye(3), label=np.array([4, 4, -1]))
    _, parts = read_labelled_shape(tmp_path / "a.npz")
    assert (parts.names, parts.index.tolist()) == (("4",), [0, 0, -1])
    whole = {"pos": np.eye(3), "Class": np.array(7), "piece": np.ones((2, 3))}
    np.savez(tmp_path / "a.npz", **whole, label=np.array([4, 4, -1]))
    assert read_labelled_shape(tmp_path / "a.npz")[1].names == ("4",)  # the class of the whole is no part
    for labels, asked, words in (
        ({"label": np.arange(4)}, "label", r"label \[4\], expected \[3\], one per point"),
        ({"label": np.arange(3)}, "piece", r"piece \[2, 3\], expected \[3\]"),
        ({}, None, r"Class \[\], expected \[3\]"),
    ):
        np.savez(tmp_path / "a.npz", **whole, **labels)
        with pytest.raises(ShapeError, match=rf"a\.npz: {words}"):
            read_labelled_shape(tmp_path / "a.npz", label=asked)


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        ({"_labels__txt": "leg\n1 2\nfoot\n"}, "a_labels.txt: line 3 is 'foot', expected pairs"),
        ({"_labels__txt": "leg\n1 2\nfoot\n2 3\n"}, "a_labels.txt: face 2 is of 'leg' and of 'foot'"),
        ({"_labels__txt": "leg\n\n1 2\n\n"}, "a_labels.txt: line 3 is '1 2', expected pairs"),
        ({"_labels__txt": "1\n\n2\n\n"}, "a_labels.txt: no face has a part"),
        ({"_labels__txt": ""}, "a_labels.txt: no face has a part"),
        ({"_labels__txt": "leg\n1 4\n"}, "a_labels.txt: 'leg' has faces 1 to 4, expected 1 to 3"),
        ({"_labels__txt": "leg\n0 1\n"}, "a_labels.txt: 'leg' has faces 0 to 1, expected 1 to 3"),
        ({"_labels__txt": "leg\nfoot\n"}, "a_labels.txt: 'foot'"),
        ({"__seg": "0\n1\n"}, "a.seg: 2 labels, expected 3, the number of faces"),
        ({"__seg": "0\n1.5\n1\n"}, "a.seg: label is 1.5 at point 1"),
        ({"__seg": "0\none\n1\n"}, "a.seg: 'one' among the labels"),
        ({}, "a.off: no labels of its faces, expected a_labels.txt or a.seg beside it, or a column 'label'"),
    ],
)
def test_wrong_labels(tmp_path: Path, beside: dict[str, str], words: str) -> None:
    with pytest.raises(ShapeError) as error:
        read_labelled_shape(mesh(tmp_path, **beside))
    assert words in str(error.value)


@pytest.mark.parametrize("kind", ["off", "obj", "ply"])
def test_corners_of_polygons(tmp_path: Path, kind: str) -> None:
    """Triangles of a fan belong to the polygon that they were made of, whatever the format."""
    rows = ["1 4 2", "0 1 2 3"]
    text = {
        "off": "OFF\n5 2 0\n"
        + "\n".join(["0 0 0", "1 0 0", "1 1 0", "0 1 0", "2 0 0", "3 1 4 2", "4 0 1 2 3"]),
        "obj": "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 2 0 0\nf 2 5 3\nf 1 2 3 4\n",
        "ply": PLY.format(vertex="", faces=2, face="").replace("vertex 3", "vertex 5")
        + "0 0 0\n1 0 0\n1 1 0\n0 1 0\n2 0 0\n"
        + "".join(f"{len(row.split())} {row}\n" for row in rows),
    }[kind]
    (tmp_path / f"a.{kind}").write_text(text + "\n")
    shape = read_shape(tmp_path / f"a.{kind}")
    assert shape.corners is not None
    assert shape.corners.tolist() == [3, 4]
    assert shape.polygon.tolist() == [0, 1, 1]
    assert shape.faces is not None
    assert [sorted(face) for face in shape.faces.tolist()] == [[1, 2, 4], [0, 1, 2], [0, 2, 3]]


def test_names_as_they_are_written(tmp_path: Path) -> None:
    """A ``#`` begins no comment there, a part may have no faces, and lines may end as on Windows."""
    path = mesh(tmp_path)
    (tmp_path / "a_labels.txt").write_bytes("\ufeffleg #1\r\n2\r\nleg #2\r\n\r\n#3\r\n1\r\n".encode())
    _, parts = read_labelled_shape(path)
    assert parts.names == ("leg #1", "leg #2", "#3")
    assert parts.index.tolist() == [2, 0, -1]
    (tmp_path / "a_labels.txt").write_bytes("Fu\u00df\n1\n".encode("latin-1"))
    with pytest.raises(ShapeError, match="not in UTF-8"):
        read_labelled_shape(path)


@pytest.mark.parametrize("where", ["inside", "seg", "names"])
@pytest.mark.filterwarnings("ignore::ccnn_geo.io.shapes.missing.MissingPoints")
def test_labels_stay_with_their_points(tmp_path: Path, where: str) -> None:
    """Points without a position are left out, and their labels with them."""
    rows = ["1 0 0 7", "nan nan nan 3", "2 0 0 3", "3 0 0 7"]
    head = PLY.format(vertex="property int label\n" if where == "inside" else "", faces=0, face="")
    head = head.replace("vertex 3", "vertex 4")
    lines = rows if where == "inside" else [row[:-2] for row in rows]
    (tmp_path / "a.ply").write_text(head + "\n".join(lines) + "\n")
    if where == "seg":
        (tmp_path / "a.seg").write_text("\n".join(row[-1] for row in rows))
    elif where == "names":
        (tmp_path / "a_labels.txt").write_text("7\n1 4\n3\n2 3\n")
    shape, parts = read_labelled_shape(tmp_path / "a.ply")
    assert shape.vertices[:, 0].tolist() == [1, 2, 3]
    assert [parts.names[i] for i in parts.index] == ["7", "3", "7"]
