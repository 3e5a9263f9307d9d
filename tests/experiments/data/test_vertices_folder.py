"""Vertices of meshes as clouds: the shapes that validate are those of the list."""

import numpy as np
import pytest

from ccnn_geo.experiments.data import vertices_folder


def write(path, names, rng):
    classes = sorted({name.rpartition("_")[0] for name in names})
    np.savez(
        path,
        pos=rng.integers(-vertices_folder.LARGEST, vertices_folder.LARGEST, (len(names), 6, 3)).astype(
            np.int16
        ),
        label=np.array([classes.index(name.rpartition("_")[0]) for name in names], np.uint8),
        name=np.array(names),
        scale=rng.uniform(1, 9, len(names)).astype(np.float32),
        class_names=np.array(classes),
    )
    return np.load(path)


def test_names_decide(tmp_path, capsys):
    held = sorted(vertices_folder.validation_names())
    names = [*held, "airplane_0001", "tv_stand_0001"]
    assert not {"airplane_0001", "tv_stand_0001"} & set(held)
    given = write(tmp_path / "v.npz", names, np.random.default_rng(0))
    vertices_folder.main([str(tmp_path / "v.npz"), str(tmp_path / "out")])
    assert capsys.readouterr().out.endswith(f"out: 2 train, {len(held)} validation\n")
    assert sorted(path.stem for path in (tmp_path / "out/validation").rglob("*.npy")) == held
    cloud = np.load(tmp_path / "out/train/tv_stand/tv_stand_0001.npy")
    np.testing.assert_allclose(cloud, given["pos"][-1] * (given["scale"][-1] / 32767), rtol=1e-5)


def test_a_tenth_of_each_class_validates():
    counts = {}
    for name in vertices_folder.validation_names():
        counts[name.rpartition("_")[0]] = counts.get(name.rpartition("_")[0], 0) + 1
    assert len(counts) == 33 and counts["chair"] == 88 and counts["bowl"] == 6


def test_other_archives_are_refused(tmp_path):
    write(tmp_path / "v.npz", ["airplane_0001"], np.random.default_rng(0))
    with pytest.raises(
        ValueError, match=r"expected all 7.. validation shapes, 7.. are missing, such as airplane"
    ):
        vertices_folder.main([str(tmp_path / "v.npz"), str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
