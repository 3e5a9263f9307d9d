"""LAS files of every version and point format, bit by bit; and files that are none."""

import struct

import numpy as np
import pytest

from ccnn_geo.io.las import read_las
from tests.io.las_on_disk import HEADERS, las_bytes

pytest.importorskip("laspy", reason="LAS is read by laspy: pip install 'ccnn_geo[data]'")

RNG = np.random.default_rng(0)
N = 50
MAX = {False: (7, 31), True: (15, 255)}  # largest number of returns and class, before and since format 6


def sample(kind):
    returns, classes = MAX[kind >= 6]
    return {
        "grid": RNG.integers(-(2**31), 2**31 - 1, (N, 3)),
        "intensity": RNG.integers(0, 65536, N),
        "return_number": RNG.integers(0, returns + 1, N),
        "num_returns": RNG.integers(0, returns + 1, N),
        "classification": RNG.integers(0, classes + 1, N),
    }


@pytest.mark.parametrize("kind", range(11))
@pytest.mark.parametrize("version", [0, 2, 3, 4])
def test_every_field_comes_back(tmp_path, kind, version):
    fields = sample(kind)
    rgb, time = RNG.integers(0, 65536, (N, 3)), RNG.normal(size=N)
    path = tmp_path / "a.las"
    path.write_bytes(
        las_bytes(
            **fields,
            version=version,
            kind=kind,
            scale=(0.01, 0.001, 1e-4),
            offset=(5e5, -4e6, 7.5),
            rgb=rgb,
            time=time,
            extra=7 * (version % 2),
            records=b"any records of variable length" * (version > 0),
            legacy_count=version < 4,
        )
    )
    points = read_las(path)
    assert np.array_equal(points.xyz, fields["grid"] * np.array([0.01, 0.001, 1e-4]) + [5e5, -4e6, 7.5])
    assert points.xyz.dtype == np.float64 and points.intensity.dtype == np.uint16
    for name in ("intensity", "return_number", "num_returns", "classification"):
        assert np.array_equal(getattr(points, name), fields[name]), name
    assert (points.rgb is not None) == (kind in (2, 3, 5, 7, 8, 10))
    assert points.rgb is None or np.array_equal(points.rgb, rgb)
    assert (points.time is not None) == (kind in (1, 3, 4, 5, 6, 7, 8, 9, 10))
    assert points.time is None or np.array_equal(points.time, time)


def changed(place, form, *values, **kwargs):
    content = bytearray(las_bytes(**sample(0), **kwargs))
    struct.pack_into(form, content, place, *values)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: b"", r"starts with b'', 0 bytes, expected a LAS header"),
        (lambda: b"ply\n" + bytes(400), r"starts with b'ply"),
        (lambda: b"LASF" + bytes(100), "104 bytes, expected a LAS header"),
        (lambda: changed(24, "BB", 1, 5), r"LAS 1\.5, expected 1\.0 to 1\.4"),
        (lambda: changed(24, "BB", 2, 0), r"LAS 2\.0"),
        (lambda: changed(104, "B", 0x80), "expected 50 compressed points of 20 bytes, got no record"),
        (lambda: changed(104, "B", 11), "point format 11, expected 0 to 10"),
        (lambda: changed(104, "B", 3), "20 bytes per point, expected 34"),
        (lambda: changed(105, "<H", 0), "0 bytes per point"),
        (lambda: changed(107, "<I", 51), "truncated, 1000 bytes of points, expected 51 of 20"),
        (lambda: changed(247, "<Q", 2**60, version=4), f"expected {2**60} of 20 bytes"),
        (lambda: changed(94, "<H", 100), "a header of 100 bytes"),
        (lambda: changed(96, "<I", 4), "points from byte 4"),
        (lambda: changed(96, "<I", 2**31), "truncated, 0 bytes of points"),
        (lambda: changed(131, "<d", 0.0), "scale .*expected finite, scale not 0"),
        (lambda: changed(163, "<d", float("nan")), "offset .*nan"),
        (lambda: las_bytes(**sample(0))[:-1], "truncated, 999 bytes"),
        (lambda: las_bytes(**sample(0), version=4)[: HEADERS[3]], "a header of 375 bytes"),
    ],
)
def test_files_that_are_none(tmp_path, content, words):
    path = tmp_path / "a.las"
    path.write_bytes(content())
    with pytest.raises(ValueError, match=words):
        read_las(path)


@pytest.mark.parametrize("kind", [0, 6])
def test_real_scenes_come_back_exactly(shared, tmp_path, kind):
    with np.load(shared("lidR_scenes.npz")) as archive:
        scenes = {
            k.removesuffix("_xyz"): {
                f: archive[k[:-3] + f] for f in ("intensity", "classification", "return_number")
            }
            | {"xyz": archive[k]}
            for k in archive
            if k.endswith("_xyz")
        }
    assert {name: len(scene["xyz"]) for name, scene in scenes.items()} == {
        "Topography": 73403,
        "MixedConifer": 37657,
        "Megaplot": 81590,
        "dbh": 1369,
    }
    for name, scene in scenes.items():
        grid = np.round(scene["xyz"].astype(np.float64) / 2.5e-4).astype(np.int64)
        returns = scene["return_number"]
        path = tmp_path / f"{name}.las"
        path.write_bytes(
            las_bytes(
                grid,
                scene["intensity"],
                returns,
                returns,
                scene["classification"],
                kind=kind,
                version=4,
                scale=2.5e-4,
            )
        )
        points = read_las(path)
        assert np.array_equal(points.xyz, grid * 2.5e-4)
        assert np.abs(points.xyz - scene["xyz"]).max() < 2e-5  # the archive's float32, a step is 2.5e-4
        for field in ("intensity", "classification", "return_number"):
            assert np.array_equal(getattr(points, field), scene[field]), (name, field)
