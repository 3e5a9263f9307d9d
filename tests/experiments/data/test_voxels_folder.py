"""Voxel grids as a folder of grids."""

import numpy as np

from ccnn_geo.experiments.data import voxels_folder


def test_parts_classes_and_grids(tmp_path, capsys):
    rng = np.random.default_rng(0)
    grids = rng.random((13, 30, 30, 30)) < 0.1
    grids[3] = False  # as a few of the source are
    is_test = np.arange(13) >= 11
    np.savez(
        tmp_path / "voxels.npz",
        voxels=np.packbits(grids.reshape(13, -1), axis=1),
        label=np.zeros(13, dtype=np.uint8),
        class_names=np.array(["bed"]),
        is_test=is_test,
    )
    voxels_folder.main([str(tmp_path / "voxels.npz"), str(tmp_path / "out")])
    found = {path.relative_to(tmp_path / "out").as_posix(): np.load(path) for path in tmp_path.rglob("*.npy")}
    trained = [i for i in range(11) if i != 3]
    assert sorted(found) == sorted(
        f"{'validation' if rank % 5 == 4 else 'train'}/bed/{i:04d}.npy" for rank, i in enumerate(trained)
    )
    assert all(np.array_equal(grid, grids[int(name[-8:-4])]) for name, grid in found.items())
    assert capsys.readouterr().out.endswith("out: 8 train, 2 validation\n")
    voxels_folder.main([str(tmp_path / "voxels.npz"), str(tmp_path / "all"), "--test"])
    assert sorted(path.name for path in (tmp_path / "all/test/bed").iterdir()) == ["0011.npy", "0012.npy"]
    voxels_folder.main([str(tmp_path / "voxels.npz"), str(tmp_path / "late"), "--late"])
    assert sorted(path.name for path in (tmp_path / "late/validation/bed").iterdir()) == [
        "0009.npy",
        "0010.npy",
    ]
    assert len(list((tmp_path / "late/train/bed").iterdir())) == 8
    voxels_folder.main([str(tmp_path / "voxels.npz"), str(tmp_path / "half"), "--all", "--half"])
    assert sorted(path.name for path in (tmp_path / "half/train/bed").iterdir()) == [
        f"{i:04d}.npy" for i in trained
    ]
    assert [path.name for path in (tmp_path / "half").iterdir()] == ["train"]
    coarse = np.load(tmp_path / "half/train/bed/0007.npy")
    assert coarse.shape == (15, 15, 15)
    for cell in np.ndindex(coarse.shape):
        block = tuple(slice(2 * i, 2 * i + 2) for i in cell)
        assert coarse[cell] == grids[7][block].any()
