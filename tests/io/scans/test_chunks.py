"""Scans read in parts are those read at once."""

import laspy
import numpy as np
import pytest

from ccnn_geo.io.scans.chunks import read_chunks
from ccnn_geo.io.scans.frames import read_frame
from ccnn_geo.io.shapes.missing import MissingPoints

RNG = np.random.default_rng(0)


def write_las(path, num=1000, colour=255, kind=3):
    scan = laspy.create(point_format=kind, file_version="1.2")
    scan.header.scales, scan.header.offsets = [0.01] * 3, [483_000, 5_200_000, 0]
    scan.xyz = RNG.uniform(0, 50, (num, 3)) + np.array([483_000, 5_200_000, 0])
    scan.intensity, scan.classification = RNG.integers(0, 60_000, num), RNG.integers(0, 20, num)
    scan.red = RNG.integers(0, 50, num)
    scan.red[-1] = colour  # in the last part alone
    scan.write(path)


def write_bin(path, num=1000, labels=True):
    rows = RNG.uniform(0, 40, (num, 4)).astype("<f4")
    rows[:, 3] /= 40
    rows.tofile(path)
    if labels:
        RNG.integers(0, 9, num).astype("<u4").tofile(path.with_suffix(".label"))
    return rows


def joined(path, **options):
    parts = list(read_chunks(path, at_once=300, **options))
    assert parts[-1].end == 1000
    fields = {n: np.concatenate([p.frame.fields[n] for p in parts]) for n in parts[0].frame.fields}
    xyz, labels = (np.concatenate([getattr(p.frame, n) for p in parts]) for n in ("xyz", "labels"))
    return len(parts), xyz, fields, labels, np.concatenate([p.places for p in parts])


@pytest.mark.parametrize("colour", [255, 60_000])
@pytest.mark.parametrize("name", ["a.las", "a.laz", "a.bin"])
def test_parts_are_the_whole(tmp_path, name, colour):
    path = tmp_path / name
    write_bin(path) if name == "a.bin" else write_las(path, colour=colour)
    num, xyz, fields, labels, places = joined(path)
    whole = read_frame(path)
    assert num == 4 and np.array_equal(places, np.arange(1000))
    assert np.array_equal(xyz, whole.xyz) and np.array_equal(labels, whole.labels)
    assert fields.keys() == whole.fields.keys()
    assert all(np.array_equal(fields[n], whole.fields[n]) for n in fields)


def test_points_without_a_position_keep_the_places_of_the_others(tmp_path):
    rows = write_bin(tmp_path / "a.bin")
    rows[[0, 310, 999], 1] = np.nan
    rows.tofile(tmp_path / "a.bin")
    with pytest.warns(MissingPoints, match=r"a\.bin: 3 of 1000 points have NaN"):
        _, xyz, _, _, places = joined(tmp_path / "a.bin")
    assert np.array_equal(places, np.delete(np.arange(1000), [0, 310, 999]))
    assert np.array_equal(xyz, rows[places, :3])


def test_a_part_that_is_damaged_names_the_file(tmp_path):
    rows = write_bin(tmp_path / "a.bin", labels=False)
    rows[800, 3] = np.inf
    rows.tofile(tmp_path / "a.bin")
    with pytest.raises(ValueError, match=r"a\.bin: "):
        list(read_chunks(tmp_path / "a.bin", at_once=300))
    (tmp_path / "b.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"b\.bin: no points"):
        list(read_chunks(tmp_path / "b.bin"))
