import hashlib
import shutil
import zipfile

import pytest
import torch

from ccnn_geo.datasets import ModelNet10, ModelNet40

COUNTS = {"train": 9, "test": 4}


@pytest.fixture
def small(monkeypatch):
    """ModelNet10 with the number of shapes of the archive below."""
    monkeypatch.setattr(ModelNet10, "counts", COUNTS)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def archive(shared, tmp_path):
    """The real meshes at hand, some with malformed headers, in the layout of the official archive."""
    folder = tmp_path / "make/ModelNet10"
    for path in sorted(shared("off").glob("*.off")):
        broken = path.name.startswith("broken_header_")
        name = path.name.removeprefix("broken_header_")
        label = name.rsplit("_", 1)[0]
        # the three broken ones and one more are the test part
        split = "test" if broken or label == "sofa" else "train"
        target = folder / label / split / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (folder / "README.txt").write_text("ModelNet10")
    with zipfile.ZipFile(tmp_path / "ModelNet10.zip", "w", zipfile.ZIP_DEFLATED) as handle:
        for path in sorted(folder.rglob("*")):
            handle.write(path, path.relative_to(folder.parent))
    shutil.rmtree(tmp_path / "make")
    return tmp_path / "ModelNet10.zip"


def test_official_numbers():
    assert ModelNet10.counts == {"train": 3991, "test": 908} and len(ModelNet10.all_classes) == 10
    assert ModelNet40.counts == {"train": 9843, "test": 2468} and len(set(ModelNet40.all_classes)) == 40
    for cls in (ModelNet10, ModelNet40):
        assert list(cls.all_classes) == sorted(cls.all_classes)
        assert len(cls.sha256) == 64
    assert set(ModelNet10.all_classes) <= set(ModelNet40.all_classes)


def test_from_the_network_to_samples(tmp_path, serve, archive, small, monkeypatch):
    content = archive.read_bytes()
    server = serve(content, breaks=[2**14])
    archive.unlink()
    monkeypatch.setattr(ModelNet10, "url", server.url)
    monkeypatch.setattr(ModelNet10, "sha256", hashlib.sha256(content).hexdigest())
    root = tmp_path / "root"
    train, test = (ModelNet10(root, split, num_samples=256, num_points=128) for split in COUNTS)
    assert server.ranges == [None, "bytes=16384-"]  # fetched once, continued
    assert (len(train), len(test)) == (9, 4) and train.num_classes == 10
    assert test.names[0] == "bed/test/bed_0519.off" and test.y.tolist() == [1, 2, 7, 9]
    data = test[0]
    assert data.pos.shape == data.normal.shape == (128, 3) and data.y.tolist() == [1]

    # stored points are enough: neither the meshes nor the network are needed any more
    shutil.rmtree(root / "ModelNet10")
    (root / "ModelNet10.zip").unlink()
    again = ModelNet10(root, "test", num_samples=256, num_points=128)
    assert torch.equal(again[3].pos, test[3].pos)


def test_malformed_headers_give_the_same_points(tmp_path, archive, small):
    test = ModelNet10(tmp_path, "test", checksum=None, num_samples=64, num_points=64)
    good = tmp_path / "good"
    shutil.copytree(tmp_path / "ModelNet10", good / "ModelNet10")
    for path in (good / "ModelNet10").glob("*/test/*.off"):
        path.write_text(path.read_text().replace("OFF", "OFF\n", 1).replace("OFF\n\n", "OFF\n", 1))
    assert sum(p.read_text().startswith("OFF\n") for p in (tmp_path / "ModelNet10").glob("*/test/*.off")) == 1
    repaired = ModelNet10(good, "test", num_samples=64, num_points=64)
    for a, b in zip(test, repaired, strict=True):
        assert torch.equal(a.pos, b.pos) and torch.equal(a.normal, b.normal)


def test_a_zip_placed_by_hand_is_verified(tmp_path, archive, small):
    with pytest.raises(ValueError, match=f"expected {ModelNet10.sha256}"):
        ModelNet10(tmp_path, "test")
    assert len(ModelNet10(tmp_path, "test", checksum=None, num_samples=64, num_points=64)) == 4


def test_incomplete_folders(tmp_path, write_box):
    write_box(tmp_path / "ModelNet40/car/train/car_0001.off")
    with pytest.raises(ValueError, match=r"1 files in .* expected 9843"):
        ModelNet40(tmp_path, "train")
    part = ModelNet40(tmp_path, "train", check_counts=False)
    assert len(part) == 1 and part.classes[int(part.y)] == "car" and part.num_classes == 40
    write_box(tmp_path / "ModelNet40/bed/train/bed_0001.off")
    assert len(ModelNet40(tmp_path, "train", check_counts=False)) == 2
    with pytest.raises(ValueError, match="0 files"):
        ModelNet40(tmp_path, "test", check_counts=False)


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="splits train, test, got 'validation'"):
        ModelNet40(tmp_path, "validation")
    with pytest.raises(FileNotFoundError, match=r"ModelNet40\.zip"):
        ModelNet40(tmp_path, download=False)
