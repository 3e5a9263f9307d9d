"""Clouds in text: headers, separators, further columns, counts; and scans as shapes."""

import itertools

import numpy as np
import pytest

from ccnn_geo.datasets.shapes.shape_folder import ShapeFolder
from ccnn_geo.io import ShapeError, as_shape, read_shape
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline
from tests.io.las_on_disk import las_bytes

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(6, 3)).round(3)
NORMALS = POINTS[:, ::-1] / np.linalg.norm(POINTS, axis=1, keepdims=True)
LABELS = np.arange(6) % 2 * 7.0


def text_of(array, separator=" ", header=""):
    return header + "\n".join(separator.join(f"{v:.9g}" for v in row) for row in array) + "\n"


def cloud(tmp_path, text, name="a.txt", **options):
    (tmp_path / name).write_text(text)
    return read_shape(tmp_path / name, **options)


@pytest.mark.parametrize(
    ("suffix", "separator"),
    list(itertools.product(["xyz", "txt", "csv", "pts"], [" ", ",", ", ", ";", "\t", "  "])),
)
def test_separators(tmp_path, suffix, separator):
    shape = cloud(tmp_path, text_of(np.hstack([POINTS, NORMALS]), separator), f"a.{suffix}")
    assert np.allclose(shape.vertices, POINTS) and np.allclose(shape.normals, NORMALS) and shape.faces is None


@pytest.mark.parametrize(
    "header",
    ["label,x,y,z,nx,ny,nz", "//Label X Y Z Nx Ny Nz", '"id";"x";"y";"z";"normal_x";"normal_y";"normal_z"'],
)
def test_a_header_names_the_columns(tmp_path, header):
    separator = next((sign for sign in ",;" if sign in header), " ")
    table = np.hstack([LABELS[:, None], POINTS, NORMALS])
    shape = cloud(tmp_path, text_of(table, separator, header + "\n"))
    assert np.allclose(shape.vertices, POINTS) and np.allclose(shape.normals, NORMALS)


def test_a_header_of_positions_alone_knows_no_normals(tmp_path):
    shape = cloud(tmp_path, text_of(np.hstack([POINTS, NORMALS]), header="x y z a b c\n"))
    assert np.allclose(shape.vertices, POINTS) and shape.normals is None


def test_an_option_names_the_columns(tmp_path):
    table = np.hstack([POINTS, LABELS[:, None], NORMALS, LABELS[:, None]])
    columns = ["x", "y", "z", "_", "nx", "ny", "nz", "label"]
    for header in ("", "a b c d e f g h\n"):
        shape = cloud(tmp_path, text_of(table, header=header), columns=columns)
        assert np.allclose(shape.vertices, POINTS) and np.allclose(shape.normals, NORMALS)
    assert np.allclose(as_shape(tmp_path / "a.txt", columns).normals, NORMALS)
    assert np.allclose(ShapePipeline(columns=columns).read(tmp_path / "a.txt").normal, NORMALS)
    swapped = cloud(tmp_path, text_of(POINTS[:, ::-1]), columns=["z", "y", "x"])
    assert np.allclose(swapped.vertices, POINTS)


@pytest.mark.parametrize("width", [3, 4, 6, 7])
@pytest.mark.parametrize("count", ["", "6\n"])
def test_pts(tmp_path, width, count):
    table = np.hstack([POINTS, -1200 * np.ones((6, 1)), RNG.integers(0, 256, (6, 3))])
    table = table[:, [0, 1, 2, 4, 5, 6]] if width == 6 else table[:, :width]
    shape = cloud(tmp_path, text_of(table, header=count), "a.pts")
    assert np.allclose(shape.vertices, POINTS) and shape.normals is None


@pytest.mark.parametrize(
    ("name", "text", "options", "words"),
    [
        ("a.pts", "3\n1 2 3\n4 5 6\n", {}, "truncated, 2 points, expected 3"),
        ("a.pts", "1\n1 2 3\n4 5 6\n", {}, ": 2 points, expected 1"),
        ("a.pts", "9" * 5000 + "\n1 2 3\n", {}, "truncated, 1 points, expected 9{18}$"),
        ("a.txt", "2\n1 2 3\n4 5 6\n", {}, r"columns, expected 3 or more"),
        ("a.txt", "a b c\n1 2 3\n", {}, "'a b c', does not name x, y, z once, .* option 'columns'"),
        ("a.txt", "x x y z\n1 2 3 4\n", {}, "does not name x once"),
        ("a.txt", "x y z\n", {}, "no points found"),
        ("a.csv", "x,y,z,nx,ny\n1,2,3\n", {}, "3 columns, expected 5: x, y, z, nx, ny"),
        ("a.csv", "1,2,3,4\n", {}, "4 columns, expected 3 .* option 'columns' names them"),
        ("a.csv", "1,,3\n1,2,3\n", {}, "'1,,3' has empty cells"),
        ("a.csv", "1,2,3,\n", {}, "has empty cells"),
        ("a.csv", "1,5;2,5;3,5\n", {}, "semicolons and commas, expected decimals with a point"),
        (
            "a.txt",
            "1,5 2,5 3,5\n",
            {},
            "'1,5' among the points, expected numbers between separators of one kind",
        ),
        ("a.txt", "1 2 3 4\n", {"columns": ["x", "y", "z"]}, "4 columns, expected 3: x, y, z"),
        ("a.txt", "Dear reader, this is a letter\nof two lines\n", {}, "'of' among the points"),
        ("a.las", "LASF", {}, "a.las: .* expected a LAS header"),
    ],
)
def test_what_is_refused(tmp_path, name, text, options, words):
    with pytest.raises(ShapeError, match=words):
        cloud(tmp_path, text, name, **options)


@pytest.mark.parametrize(
    "columns", [["x", "y"], ["x", "y", "z", "z"], "xyz", ["x", "y", "z", "nx"], ["x", "y", "z", "nx", "ny"]]
)
def test_columns_that_cannot_be(tmp_path, columns):
    with pytest.raises(ValueError, match="columns: expected different names, x, y, z among them"):
        cloud(tmp_path, "1 2 3\n", columns=columns)


def test_folders_of_such_files(tmp_path):
    table = np.hstack([POINTS, LABELS[:, None]])
    for name in ("cup", "mug"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "a.txt").write_text(text_of(table))
    sizes = {"num_points": 6, "num_samples": 6}
    with pytest.raises(ShapeError, match=r"2 of 2 files could not be read:[\s\S]*option 'columns'"):
        ShapeFolder(tmp_path, "train", **sizes)
    named = ShapeFolder(tmp_path, "train", columns=["x", "y", "z", "_"], **sizes)
    np.save(tmp_path / "train/cup/b.npy", POINTS)
    assert named.names == ["train/cup/a.txt", "train/mug/a.txt"]
    with pytest.warns(UserWarning, match=r"left out: 1 .txt file \(in the folder 'cup'\)"):
        mixed = ShapeFolder(tmp_path, "train", columns=["x", "y", "z", "_"], **sizes)
    assert mixed.names == ["train/cup/b.npy", "train/mug/a.txt"]


def test_a_scan_is_a_cloud(tmp_path):
    grid, ones = RNG.integers(-1000, 1000, (6, 3)), np.ones(6)
    (tmp_path / "a.las").write_bytes(las_bytes(grid, ones, ones, ones, ones, offset=(5e5, 5e6, 100)))
    shape = read_shape(tmp_path / "a.las")
    assert np.allclose(shape.vertices, grid / 100 + np.array([5e5, 5e6, 100])) and shape.normals is None
