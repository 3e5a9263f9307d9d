"""Colours on [0, 1] from bytes, 16 bits, packed words and floats."""

import numpy as np
import pytest

from ccnn_geo.io.scans.frames import read_frame
from ccnn_geo.io.scans.point_colours import unit_colours
from tests.io.las_on_disk import las_bytes

COLOURS = np.array([[255, 0, 51, 0], [0, 128, 255, 255], [51, 102, 204, 127], [200, 250, 7, 255]])
WORDS = (COLOURS[:, 3] << 24) | (COLOURS[:, 0] << 16) | (COLOURS[:, 1] << 8) | COLOURS[:, 2]


def told(columns, names):
    return np.column_stack([columns[name] for name in names])


@pytest.mark.parametrize("kind", ["<u4", ">u4", "<i4", "<f4", ">f4", "<i8"])
def test_packed_words(kind):
    """Of 200 and alpha 255 the float is NaN."""
    words = WORDS.astype("u4").view("f4").astype(kind) if kind[1] == "f" else WORDS.astype("u4").astype(kind)
    found = unit_colours({"rgba": words, "curvature": np.arange(4)})
    assert np.allclose(told(found, ("red", "green", "blue", "alpha")), COLOURS / 255)
    assert found["curvature"].tolist() == [0, 1, 2, 3] and "rgba" not in found
    found = unit_colours({"rgb": words})
    assert np.allclose(told(found, ("red", "green", "blue")), COLOURS[:, :3] / 255) and "alpha" not in found


def test_a_packed_float_that_was_read_from_text():
    words = (COLOURS[:, 0] << 16) | (COLOURS[:, 1] << 8) | COLOURS[:, 2]
    texts = [repr(float(value)) for value in words.astype("u4").view("f4")]
    found = unit_colours({"rgb": np.array(texts, dtype=np.float64)})
    assert np.allclose(told(found, ("red", "green", "blue")), COLOURS[:, :3] / 255)


@pytest.mark.parametrize(("kind", "largest"), [("u1", 255), ("<u2", 65535), ("<f4", 1)])
def test_channels_by_the_largest_of_their_type(kind, largest):
    values = (COLOURS / 255 * largest).astype(kind)
    names = ("red", "green", "blue", "alpha")
    found = unit_colours(dict(zip(names, values.T, strict=True)) | {"label_": values[:, 0]})
    assert np.allclose(told(found, names), COLOURS / 255, atol=1e-5)
    assert np.array_equal(found["label_"], values[:, 0])


@pytest.mark.parametrize("kind", ["u1", "<u2", "<u4", "<i4"])
def test_bytes_in_wider_columns_are_bytes(kind):
    names = ("red", "green", "blue", "alpha")
    found = unit_colours(dict(zip(names, COLOURS.astype(kind).T, strict=True)))
    assert np.allclose(told(found, names), COLOURS / 255)
    beside = {"red": np.array([255, 300], "<u2"), "intensity": np.array([5, 6], "<u2")}
    found = unit_colours(beside)  # one above says that they are none, and of an intensity they say nothing
    assert np.allclose(told(found, beside), np.array([[255, 5], [300, 6]]) / 65535)


@pytest.mark.parametrize(
    ("kind", "one"),
    [
        ("i1", 127),
        ("u1", 255),
        (">i2", 32767),
        ("<u2", 65535),
        *((kind, 65535) for kind in ("<i4", ">u4", "<i8", "<u8")),
    ],
)
def test_intensities_of_every_type(kind, one):
    """Those of numpy's usual integers are those of LAS, whatever else is stored in 32 or 64 bits."""
    values = np.array([0, 5, 100], kind)
    assert np.array_equal(unit_colours({"Intensity": values})["Intensity"], np.array([0, 5, 100]) / one)


@pytest.mark.parametrize(("largest", "one"), [(255, 255), (256, 65535), (65535, 65535), (65536, 2**63 - 1)])
def test_colours_in_64_bits(largest, one):
    found = unit_colours({"red": np.array([7, largest]), "green": np.array([0, 9])})
    assert np.array_equal(told(found, ("red", "green")), np.array([[7, 0], [largest, 9]]) / one)
    part = unit_colours({"red": np.array([7])}, largest)  # the rest of the file says how many bits
    assert part["red"].tolist() == [7 / one]


@pytest.mark.parametrize("way", ["ascii", "binary"])
@pytest.mark.parametrize("kind", ["F", "U"])
def test_packed_words_of_a_pcd(tmp_path, way, kind):
    """A float of alpha 255 and red from 128 on is NaN, which a text cannot hold."""
    words = WORDS if way == "binary" or kind == "U" else WORDS & 0xFFFFFF
    rows = np.zeros(4, [("xyz", "<f4", 3), ("rgba", "<u4"), ("intensity", "u1"), ("label", "<u2")])
    rows["xyz"], rows["rgba"], rows["intensity"], rows["label"] = np.eye(4, 3), words, 51, [1, 2, 65535, 0]
    head = "VERSION 0.7\nFIELDS x y z rgba intensity label\nSIZE 4 4 4 4 1 2\n"
    head += f"TYPE F F F {kind} U U\nWIDTH 4\nHEIGHT 1\nDATA {way}\n"
    texts = [
        str(w) if kind == "U" else repr(float(f))
        for w, f in zip(words, words.astype("u4").view("f4"), strict=True)
    ]
    lines = [
        f"{' '.join(map(str, p))} {t} 51 {n}\n"
        for p, t, n in zip(np.eye(4, 3), texts, rows["label"], strict=True)
    ]
    (tmp_path / "a.pcd").write_bytes(
        head.encode() + ("".join(lines).encode() if way == "ascii" else rows.tobytes())
    )
    frame = read_frame(tmp_path / "a.pcd")
    expected = COLOURS if words is WORDS else COLOURS * [1, 1, 1, 0]
    assert np.allclose(told(frame.fields, ("red", "green", "blue", "alpha")), expected / 255)
    assert frame.fields["intensity"].tolist() == [0.2] * 4 and frame.labels.tolist() == [1, 2, 65535, 0]
    assert np.array_equal(frame.xyz, np.eye(4, 3))


def test_alpha_of_a_ply(tmp_path):
    head = "ply\nformat ascii 1.0\nelement vertex 2\n" + "".join(f"property float {a}\n" for a in "xyz")
    head += "".join(f"property uchar {c}\n" for c in ("red", "green", "blue", "alpha")) + "end_header\n"
    (tmp_path / "a.ply").write_text(head + "0 0 0 255 0 51 51\n1 0 0 0 255 0 255\n")
    assert np.allclose(read_frame(tmp_path / "a.ply").fields["alpha"], [0.2, 1])


@pytest.mark.parametrize(("factor", "expected"), [(1, 1 / 255), (257, 257 / 65535), (256, 256 / 65535)])
def test_las_that_fills_8_of_16_bits(tmp_path, factor, expected):
    rgb, ones = COLOURS[:, :3] * factor, np.ones(4, int)
    grid = np.arange(12).reshape(4, 3)
    (tmp_path / "a.las").write_bytes(las_bytes(grid, ones, ones, ones, ones, kind=2, rgb=rgb))
    fields = read_frame(tmp_path / "a.las").fields
    assert np.allclose(told(fields, ("red", "green", "blue")), COLOURS[:, :3] * expected)


def test_colours_by_their_first_letters():
    columns = {name: np.array([255, 51], np.uint8) for name in "rgb"}
    assert [v.tolist() for v in unit_colours(columns).values()] == [[1.0, 0.2]] * 3
    alone = {"r": np.array([255], np.uint8), "b": np.array([1], np.uint8)}  # of something else
    assert unit_colours(alone)["r"].tolist() == [255]
