import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ccnn_geo.datasets import Clouds
from ccnn_geo.datasets.clouds import cloud_store
from ccnn_geo.transforms.pipelines.base import make_pipeline

sys.path.append(str(Path(__file__).parent))
from clouds_on_disk import KINDS, write_molecules

COUNTS = {"train": 6, "test": 3}
ATOMS = {"features": ["z", "constant"], "one_hot": ["z"]}


@pytest.mark.parametrize("folders", [True, False])
def test_samples_are_what_the_files_and_the_table_say(tmp_path, folders):
    written = write_molecules(tmp_path, COUNTS, folders)
    data = Clouds(tmp_path, "test", targets=["energy"], **ATOMS)
    assert data.names == [name for name, _ in written["test"]]
    edges = [np.ptp(np.load(tmp_path / name)["pos"], axis=0).max() for name, _ in written["train"]]
    for sample, (name, energy) in zip(data, written["test"], strict=True):
        stored = np.load(tmp_path / name)
        pos = stored["pos"]
        middle = (pos.min(0) + pos.max(0)) / 2
        np.testing.assert_allclose(sample.pos, (pos - middle) / (max(edges) / 2), rtol=1e-5, atol=1e-6)
        expected = np.column_stack([stored["z"][:, None] == KINDS, np.ones(len(pos))])
        np.testing.assert_array_equal(sample.x, expected)
        assert sample.name == name and sample.y.shape == (1, 1)
        assert float(sample.y) == pytest.approx(energy, rel=1e-6)
    assert Clouds.truths(tmp_path, {}) == ("regression", "global")
    assert Clouds.layout(tmp_path, {}).splits == ["train", "test"]


def test_the_scale_is_that_of_the_samples_at_hand(tmp_path):
    written = write_molecules(tmp_path, COUNTS)
    data = Clouds(tmp_path, targets=["energy"], **ATOMS)
    for part, chosen in ((data, [0, 1, 2, 3, 4, 5]), (data[torch.tensor([1, 4])], [1, 4])):
        energies = np.array([written["train"][i][1] for i in chosen])
        scale = part.target_scale()
        assert (scale.names, scale.units) == (("energy",), ("kcal/mol",))
        assert (scale.mean[0], scale.std[0]) == pytest.approx((energies.mean(), energies.std()))


def test_fields_of_points_are_columns_of_the_files(tmp_path):
    written = write_molecules(tmp_path, COUNTS)
    shutil.rmtree(tmp_path / "test")
    (tmp_path / "train" / "targets.csv").unlink()  # no table is needed
    data = Clouds(tmp_path, point_targets=["height [m]"], features=["pos", "z"], normalize=True)
    arrays = [np.load(tmp_path / name) for name, _ in written["train"]]
    z = np.concatenate([stored["z"] for stored in arrays]).astype(float)
    for sample, stored in zip(data, arrays, strict=True):
        np.testing.assert_allclose(sample.y[:, 0], stored["height"], rtol=1e-6)
        np.testing.assert_allclose(sample.x[:, 3], (stored["z"] - z.mean()) / z.std(), rtol=1e-5)
        torch.testing.assert_close(sample.x[:, :3], sample.pos)
    scale = data.target_scale()
    height = np.concatenate([stored["height"] for stored in arrays])
    assert (scale.names, scale.units) == (("height",), ("m",))
    assert (scale.mean[0], scale.std[0]) == pytest.approx((height.mean(), height.std()))
    assert Clouds.truths(tmp_path, {"point_targets": ["height"]}) == ("regression", "node")


def test_prediction_needs_the_file_and_plain_settings_alone(tmp_path):
    written = write_molecules(tmp_path, COUNTS)
    data = Clouds(tmp_path, "test", targets=["energy"], **ATOMS)
    pipeline = make_pipeline(data.pipeline.settings())
    assert pipeline == data.pipeline or pipeline.settings() == data.pipeline.settings()
    sample = pipeline(pipeline.read(tmp_path / written["test"][0][0]))
    assert torch.equal(sample.x, data[0].x) and torch.equal(sample.pos, data[0].pos)
    with pytest.raises(TypeError, match="expected a path or a Cloud, got int"):
        pipeline.read(3)


def test_files_are_read_once_and_again_when_they_change(tmp_path, monkeypatch):
    written = write_molecules(tmp_path, COUNTS)
    read = []
    reader = cloud_store.read_cloud
    monkeypatch.setattr(cloud_store, "read_cloud", lambda path: read.append(path) or reader(path))
    Clouds(tmp_path, targets=["energy"], **ATOMS)
    Clouds(tmp_path, targets=["energy"], **ATOMS)
    assert len(read) == COUNTS["train"]
    os.utime(tmp_path / written["train"][0][0], (1, 1))
    Clouds(tmp_path, targets=["energy"], **ATOMS)
    assert len(read) == 2 * COUNTS["train"]


def test_values_that_are_not_known(tmp_path):
    write_molecules(tmp_path, COUNTS)
    table = tmp_path / "train" / "targets.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], lines[1].split(",")[0] + ",,1", *lines[2:]]))
    data = Clouds(tmp_path, **ATOMS)
    assert bool(data[0].y[0, 0].isnan()) and float(data[0].y[0, 1]) == 1
    assert data.target_scale().std[1] == 1  # it never changes


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda root: None, {"targets": ["gap"]}, "no target gap, expected some of energy, other"),
        (lambda root: None, {"features": ["charge"]}, "0.npz: no charge, the file has z, height"),
        (lambda root: None, {"point_targets": ["gap"]}, "0.npz: no gap"),
        (lambda root: None, {"one_hot": ["z"]}, "expected one_hot to be some of the files' features"),
        (lambda root: None, {"targets": ["energy"], "point_targets": ["height"]}, "got both"),
        (lambda root: (root / "train/2.npz").unlink(), {}, "2.npz: no such file, but"),
        (lambda root: (root / "train/targets.csv").unlink(), {}, "no targets.csv, expected one"),
        (lambda root: np.savez(root / "train/1.npz", pos=np.ones((3, 2))), {}, "positions in 2 D"),
        (lambda root: (root / "train/1.npz").write_bytes(b"PK"), {}, "1.npz: damaged"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, arguments, message):
    write_molecules(tmp_path, COUNTS)
    change(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        Clouds(tmp_path, **arguments)
    assert message in str(caught.value)


def test_an_atom_that_the_training_part_has_not(tmp_path):
    write_molecules(tmp_path, COUNTS)
    np.savez(tmp_path / "test/0.npz", pos=np.ones((1, 3)), z=np.array([92]))
    with pytest.raises(ValueError, match="expected z to be one of 1, 6, 8, got 92"):
        _ = Clouds(tmp_path, "test", targets=["energy"], **ATOMS)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,split,a\nall/train_0.npz,fold1,1\n", "the split 'fold1', expected one of train"),
        ("file,split,a\nall/train_0.npz,test,1\n", "targets.csv: no split 'train', found test"),
    ],
)
def test_one_table_for_all(tmp_path, text, message):
    write_molecules(tmp_path, COUNTS, folders=False)
    (tmp_path / "targets.csv").write_text(text)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        Clouds(tmp_path)
    assert message in str(caught.value)
