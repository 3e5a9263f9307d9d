"""Molecules and tiles as files with targets: what is written, and what the ground below a tree is."""

import numpy as np
import pytest

from ccnn_geo.datasets import Clouds
from ccnn_geo.experiments.data import lidar_heights, qm7_folder


def test_every_molecule_is_in_one_part_with_its_energy(tmp_path, capsys):
    rng = np.random.default_rng(0)
    sizes = rng.integers(2, 6, 30)
    offset = np.concatenate([[0], sizes.cumsum()])
    z, pos = (
        rng.choice([1, 6], offset[-1]).astype(np.uint8),
        rng.normal(size=(offset[-1], 3)).astype(np.float32),
    )
    energy = rng.normal(size=(30, 2))
    np.savez(tmp_path / "qm7.npz", z=z, pos=pos, offset=offset, energy=energy)
    qm7_folder.main([str(tmp_path / "qm7.npz"), str(tmp_path / "out")])
    assert capsys.readouterr().out.endswith("3 test, 3 validation, 24 train\n")
    seen = {}
    for split in ("train", "validation", "test"):
        data = Clouds(tmp_path / "out", split, features=["z"], normalize=False)
        assert data.target_scale().units == ("kcal/mol",)
        seen.update({int(sample.name[-8:-4]): sample for sample in data})
    assert sorted(seen) == list(range(30))
    for number, sample in seen.items():
        assert float(sample.y) == pytest.approx(energy[number, 0], rel=1e-6)
        np.testing.assert_array_equal(sample.x[:, 0], z[offset[number] : offset[number + 1]])


def test_height_is_over_the_ground_and_not_over_the_sea():
    """A slope of which every point is known: heights are what was added to it."""
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 50, (400, 2))
    above = np.where(np.arange(400) % 2, rng.uniform(1, 20, 400), 0.0)
    slope = 0.3 * xy[:, 0] - 0.1 * xy[:, 1]
    xyz = np.column_stack([xy, slope + above])
    found = lidar_heights.heights(xyz, np.where(above > 0, 1, 2))
    inside = ((xy > 8) & (xy < 42)).all(axis=1)
    np.testing.assert_allclose(found[inside], above[inside], atol=1e-9)
    assert np.isfinite(found).all()  # beyond the last ground point, too
    with pytest.raises(ValueError, match="expected points of class 2, the ground, got 0"):
        lidar_heights.heights(xyz, np.ones(400))


def test_tiles_hold_every_point_once(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for scene in lidar_heights.SCENES:
        arrays[f"{scene}_xyz"] = rng.uniform(0, [100, 20, 5], (2000, 3)).astype(np.float32)
        arrays[f"{scene}_classification"] = rng.choice([1, 2], 2000).astype(np.uint8)
    np.savez(tmp_path / "scenes.npz", **arrays)
    counts = lidar_heights.convert(tmp_path / "scenes.npz", tmp_path / "out")
    assert counts == {"train": 9, "validation": 3, "test": 3}  # fifths along x
    first = [np.load(path) for path in sorted((tmp_path / "out").glob("*/Topography_*.npz"))]
    together = np.concatenate([tile["pos"] for tile in first])
    expected = arrays["Topography_xyz"].astype(float)
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(expected, axis=0))
    test = next(np.load(path) for path in (tmp_path / "out/test").glob("Topography_*.npz"))
    assert test["pos"][:, 0].min() >= 80
