"""Voxel grids as folders of surface cells: which cells, where they lie, and which shapes validate."""

import numpy as np

from ccnn_geo.experiments.data import voxels_folder


def test_cells_with_an_empty_neighbour_across_a_face_and_no_others():
    cells = np.random.default_rng(0).random((30, 30, 30)) < 0.8
    expected = []
    for i, j, k in np.argwhere(cells):
        around = [(i + 1, j, k), (i - 1, j, k), (i, j + 1, k), (i, j - 1, k), (i, j, k + 1), (i, j, k - 1)]
        if any(min(a) < 0 or max(a) > 29 or not cells[a] for a in around):
            expected.append(((i + 0.5) / 12 - 1.25, (j + 0.5) / 12 - 1.25, (k + 0.5) / 12 - 1.25))
    found = voxels_folder.surface(cells)
    assert 0 < len(found) < cells.sum()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_every_fifth_shape_of_a_class_validates_and_the_test_part_stays(tmp_path, capsys):
    grids = np.zeros((9, 30, 30, 30), dtype=bool)
    grids[:, 3:27, 3:27, 3:27] = True
    grids[1] = False  # empty in the source
    archive = {
        "voxels": np.packbits(grids.reshape(9, -1), axis=1),
        "label": np.array([0, 0, 0, 0, 0, 0, 1, 1, 0]),
        "is_test": np.arange(9) == 8,
        "class_names": np.array(["bed", "chair"]),
    }
    np.savez(tmp_path / "voxels.npz", **archive)
    voxels_folder.main([str(tmp_path / "voxels.npz"), str(tmp_path / "out")])
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.npy"))
    beds = [f"train/bed/{i:04d}.npy" for i in (0, 2, 3, 4)]
    assert found == [*beds, "train/chair/0006.npy", "train/chair/0007.npy", "validation/bed/0005.npy"]
    cloud = np.load(tmp_path / "out" / beds[0])
    assert len(cloud) == 24**3 - 22**3 and np.abs(cloud).max() < 1  # the longest side covers [-1, 1]
    assert "6 train, 1 validation" in capsys.readouterr().out
