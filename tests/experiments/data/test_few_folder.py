"""A few shapes of each class: which train, which validate, and nothing by halves."""

import numpy as np
import pytest

from ccnn_geo.experiments.data import few_folder as module
from ccnn_geo.experiments.data.few_folder import few_folder


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.glob("*/*/*"))


def test_more_shapes_hold_fewer_and_validation_stays(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "VALIDATION", 2)
    for name in ("cup", "mug"):
        (tmp_path / "root/train" / name).mkdir(parents=True)
        for i in range(5):
            np.save(tmp_path / "root/train" / name / f"{i}.npy", np.zeros((4, 3)))
    few = few_folder(tmp_path / "root", tmp_path / "one", 1)
    module.main([str(tmp_path / "root"), str(tmp_path / "three"), "--per-class", "3"])
    assert capsys.readouterr().out == f"{tmp_path / 'three'}: 6 train, 4 validation\n"
    held = [f"validation/{name}/{i}.npy" for name in ("cup", "mug") for i in (3, 4)]
    assert names(few) == ["train/cup/0.npy", "train/mug/0.npy", *held]
    assert (
        names(tmp_path / "three") == [f"train/{n}/{i}.npy" for n in ("cup", "mug") for i in range(3)] + held
    )
    with pytest.raises(
        ValueError, match=r"expected 4 shapes of each class, 1 or more, and 2 to validate, got cup \(5\)"
    ):
        few_folder(tmp_path / "root", tmp_path / "four", 4)
    assert not (tmp_path / "four").exists()
