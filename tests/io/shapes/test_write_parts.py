"""Answers as PLY: read again by our reader and by trimesh."""

from pathlib import Path

import numpy as np
import pytest

from ccnn_geo.io.shapes.part_labels import read_labelled_shape
from ccnn_geo.io.shapes.ply_elements import read_elements
from ccnn_geo.io.shapes.read import read_shape
from ccnn_geo.io.shapes.shape import Shape
from ccnn_geo.io.shapes.write_parts import write_parts

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 1e6]])
FACES = np.array([[1, 4, 2], [0, 1, 2], [0, 2, 3]])


def test_mesh(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    shape = Shape(SQUARE, FACES, corners=np.array([3, 4, 2]))
    write_parts(tmp_path / "a.ply", shape, np.array([1, 0, -1]), np.array([0.5, 0.75, 0.0]), ["leg", "füß"])
    found, parts = read_labelled_shape(tmp_path / "a.ply")
    assert np.array_equal(found.vertices, SQUARE)
    assert np.array_equal(found.faces, FACES)
    assert (parts.names, parts.index.tolist()) == (("0", "1"), [1, 0, 0])
    faces = read_elements(tmp_path / "a.ply")["face"]
    assert faces["probability"].tolist() == [0.5, 0.75, 0.75]
    assert "comment label 1 füß" in (tmp_path / "a.ply").read_bytes().decode(errors="replace")
    other = trimesh.load(tmp_path / "a.ply", process=False)
    assert np.array_equal(other.faces, FACES)
    colours = other.visual.face_colors[:, :3]
    assert np.array_equal(colours[1], colours[2])
    assert not np.array_equal(colours[0], colours[1])


def test_cloud(tmp_path: Path) -> None:
    normals = np.tile([0.0, 0.0, 1.0], (5, 1))
    label, probability = np.array([0, 1, 1, 0, -1]), np.linspace(0.0, 1.0, 5)
    write_parts(tmp_path / "out" / "a.ply", Shape(SQUARE, None, normals), label, probability, ["a", "b"])
    found = read_shape(tmp_path / "out" / "a.ply")
    assert np.array_equal(found.vertices, SQUARE)
    assert np.array_equal(found.normals, normals)
    table = read_elements(tmp_path / "out" / "a.ply")["vertex"]
    assert table["label"].tolist() == label.tolist()
    assert (table["red"][4], table["green"][4], table["blue"][4]) == (127, 127, 127)


def test_other_numbers_of_labels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a.ply: 2 labels and 3 probabilities, expected 3 of each"):
        write_parts(tmp_path / "a.ply", Shape(SQUARE, FACES), np.zeros(2, int), np.zeros(3), ["a"])
    assert not (tmp_path / "a.ply").exists()
