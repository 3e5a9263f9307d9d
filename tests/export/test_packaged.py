"""Names of networks that come with the package, and folders here that are called so."""

import pytest

from ccnn_geo import load
from ccnn_geo.export.packaged import packaged_folder, packaged_models


def test_other_folders_do_not_hide_a_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits" / "train").mkdir(parents=True)
    assert packaged_folder("digits") == packaged_models()["digits"]["folder"]
    (tmp_path / "digits" / "001" / "checkpoints").mkdir(parents=True)
    (tmp_path / "digits" / "001" / "checkpoints" / "last.ckpt").touch()
    assert packaged_folder("digits") is None
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "config.json").touch()
    (tmp_path / "shapes10").touch()
    assert packaged_folder("parts") is None
    assert packaged_folder("shapes10") is None


def test_an_unknown_name_is_answered_with_the_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"modelnet11: no such checkpoint, .* did you mean modelnet10\?"
    ):
        load("modelnet11")
    (tmp_path / "modelnet11").mkdir()
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        load("modelnet11")
