"""Columns that no header names, and points that are not there."""

import numpy as np
import pytest

from ccnn_geo.io import MissingPoints, ShapeError, read_shape
from ccnn_geo.io.shapes.columns import normals_of
from ccnn_geo.transforms.pipelines.shape_sources import read_source

RNG = np.random.default_rng(0)
POS = RNG.normal(size=(200, 3))
NORMALS = RNG.normal(size=(200, 3))
NORMALS /= np.linalg.norm(NORMALS, axis=1, keepdims=True)
BYTES = RNG.integers(0, 256, (200, 3)).astype(float)
GREY = np.full((200, 3), 0.577) + RNG.uniform(-0.003, 0.003, (200, 3))


def sources(tmp_path, columns):
    """The same numbers in every form that does not name its columns."""
    array = np.column_stack([POS, *columns])
    np.savetxt(tmp_path / "a.xyz", array, "%.9g")
    yield tmp_path / "a.xyz"
    if array.shape[1] == 6:
        np.save(tmp_path / "a.npy", array)
        np.savez(tmp_path / "a.npz", array)
        yield from (tmp_path / "a.npy", tmp_path / "a.npz", array)


FEW = NORMALS.copy()
FEW[:10], FEW[10:20] = 1, 0  # as benchmarks have them
HALF = NORMALS * (np.arange(200) % 2)[:, None]  # estimated where there were neighbours enough


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([NORMALS], NORMALS),
        ([FEW], FEW),
        ([np.abs(NORMALS)], np.abs(NORMALS)),
        ([np.tile([0.0, 0, 1], (200, 1))], np.tile([0.0, 0, 1], (200, 1))),
        ([NORMALS.round(2)], NORMALS.round(2)),
        ([NORMALS * 3], NORMALS * 3),
        ([BYTES - 128], BYTES - 128),
        ([NORMALS, BYTES], NORMALS),
        ([BYTES, NORMALS], NORMALS),
        ([BYTES / 255, NORMALS, BYTES[:, 0]], NORMALS),
        ([BYTES], None),
        ([BYTES * 257], None),
        ([BYTES / 255], None),
        ([(BYTES / 255).round(2)], None),
        ([BYTES, BYTES[:, 0]], None),
        ([BYTES, BYTES / 255], None),
        ([np.zeros((200, 3))], None),
        ([HALF], HALF),
    ],
)
def test_normals_and_colours(tmp_path, columns, expected):
    for source in sources(tmp_path, columns):
        data = read_source(source)
        assert np.abs(data.pos.numpy() - POS).max() < 1e-7
        assert ("normal" in data) == (expected is not None), source
        assert expected is None or np.abs(data.normal.numpy() - expected).max() < 1e-7


@pytest.mark.parametrize(
    "columns",
    [
        [NORMALS * 3, BYTES],
        [np.abs(NORMALS) * 3],
        [BYTES + 0.5],
        [BYTES * 300],
        [GREY],  # a colour, or a normal with three digits
        [RNG.uniform(-2000, 0, 200), BYTES],  # intensity, colour
    ],
)
def test_neither_or_both(tmp_path, columns):
    words = r"columns 4 to 6 are from .* as vectors of length .* to .*, expected normals .* or colours"
    for source in sources(tmp_path, columns):
        with pytest.raises(ShapeError, match=words) as caught:
            read_source(source)
        assert str(caught.value).startswith("predict: " if isinstance(source, np.ndarray) else f"{source}: ")


def test_colours_do_not_change_what_a_cloud_is(tmp_path, classifier):
    plain = classifier(POS)
    assert classifier(np.column_stack([POS, BYTES])) == plain != classifier(np.column_stack([POS, NORMALS]))


def test_numbers_that_are_none_are_left_to_others():
    column = np.full((3, 3), np.nan)
    assert np.isnan(normals_of("a", column)).all()


NAN = np.array([[0, 0, 0], [np.nan, np.nan, np.nan], [1, 2, 3], [4, 5, np.nan]])


def texts(tmp_path):
    rows = "".join(" ".join(map(str, row)) + "\n" for row in NAN)
    head = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
    pcd = "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nWIDTH 2\nHEIGHT 2\nDATA"
    (tmp_path / "a.ply").write_text(head + rows)
    (tmp_path / "a.pcd").write_text(f"{pcd} ascii\n{rows}")
    (tmp_path / "b.pcd").write_bytes(f"{pcd} binary\n".encode() + NAN.astype("<f4").tobytes())
    return sorted(p for p in tmp_path.iterdir() if p.is_file())


def test_points_without_a_position_are_left_out_and_counted(tmp_path):
    for path in texts(tmp_path):
        with pytest.warns(MissingPoints, match=rf"{path.name}: 2 of 4 points have NaN as position") as told:
            shape = read_shape(path)
        assert shape.vertices.tolist() == [[0, 0, 0], [1, 2, 3]] and len(told) == 1


def test_arrays_and_tables_need_all_their_points(tmp_path):
    np.save(tmp_path / "a.npy", NAN)
    np.savez(tmp_path / "a.npz", pos=NAN)
    np.savetxt(tmp_path / "a.xyz", NAN)
    for name in ("a.npy", "a.npz", "a.xyz"):
        with pytest.raises(ShapeError, match=rf"{name}: NaN or Inf in 2 vertices"):
            read_shape(tmp_path / name)
    with pytest.raises(ValueError, match="expected finite positions, got NaN"):
        read_source(NAN)


def test_a_mesh_needs_all_its_vertices(tmp_path):
    (tmp_path / "a.off").write_text("OFF\n4 1 0\n0 0 0\n1 0 0\n0 1 0\nnan 0 0\n3 0 1 2\n")
    with pytest.raises(ShapeError, match="NaN or Inf in 1 vertices"):
        read_shape(tmp_path / "a.off")
    np.save(tmp_path / "b.npy", np.full((4, 3), np.nan))
    with pytest.raises(ShapeError, match="NaN or Inf in 4 vertices"):
        read_shape(tmp_path / "b.npy")
    head = "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
    (tmp_path / "c.ply").write_text(f"{head}0 0 inf\nnan 0 0\n")
    with pytest.warns(MissingPoints), pytest.raises(ShapeError, match="NaN or Inf in 1 vertices"):
        read_shape(tmp_path / "c.ply")


def test_masked_numbers_are_missing():
    with pytest.raises(ValueError, match="expected finite positions, got NaN"):
        read_source(np.ma.masked_array(POS, POS > 2))
    few = np.column_stack([POS, NORMALS])
    data = read_source(np.ma.masked_array(few, np.arange(1200).reshape(200, 6) == 9))
    assert np.isnan(data.normal.numpy()).sum() == 1 and np.array_equal(data.pos.numpy(), POS)
