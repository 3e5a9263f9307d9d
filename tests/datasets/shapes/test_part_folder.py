"""Shapes with labelled parts: every point has the part of the face that it lies on, whatever the order of files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ccnn_geo.datasets import PartFolder, ShapeFolder
from ccnn_geo.io import ShapeError

# two squares far apart: parts by the sign of x, whatever their numbers in the file are
SQUARES = [[x + dx, dy, 0.0] for x in (-5.0, 4.0) for dx in (0.0, 1.0) for dy in (0.0, 1.0)]
FACES = [[0, 1, 3], [0, 3, 2], [4, 5, 7], [4, 7, 6]]


def write_mesh(
    folder: Path, name: str, left: str, right: str, right_first: bool = False, gap: int = 0
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    faces = FACES[2:] + FACES[:2] if right_first else FACES
    rows = [f"{x} {y} {z}" for x, y, z in SQUARES] + [f"3 {a} {b} {c}" for a, b, c in faces]
    (folder / f"{name}.off").write_text("\n".join(["OFF", "8 4 0", *rows, ""]))
    sides = {left: "3 4" if right_first else "1 2", right: ("1 2" if right_first else "3 4")[gap:]}
    (folder / f"{name}_labels.txt").write_text(
        "".join(f"{part}\n{numbers}\n" for part, numbers in sides.items())
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split in ("train", "validation"):
        write_mesh(tmp_path / split / "cup", "a", "handle", "body")
        write_mesh(tmp_path / split / "cup", "b", "handle", "body", right_first=True)
        write_mesh(tmp_path / split / "chair", "a", "seat", "body")
    return tmp_path


def test_points_have_the_part_of_their_face(root: Path) -> None:
    data = PartFolder(root, "train", num_points=300)
    assert data.classes == ["chair/body", "chair/seat", "cup/body", "cup/handle"]
    assert data.categories == ["chair", "cup"]
    assert data.num_classes == 4
    assert data.y.tolist() == [0, 1, 1]
    parts = {"chair": ("chair/seat", "chair/body"), "cup": ("cup/handle", "cup/body")}
    for sample in data:
        left, right = parts[sample.name.split("/")[1]]
        assert sample.y.dtype == torch.int64
        expected = torch.where(sample.pos[:, 0] < 0, data.classes.index(left), data.classes.index(right))
        assert torch.equal(sample.y, expected)


def test_one_category_needs_no_name(tmp_path: Path) -> None:
    write_mesh(tmp_path / "train" / "cup", "a", "handle", "body", gap=2)
    data = PartFolder(tmp_path, "train", num_points=400)
    assert data.classes == ["body", "handle"]
    known = {"left": data[0].y[data[0].pos[:, 0] < 0], "right": data[0].y[data[0].pos[:, 0] > 0]}
    assert set(known["left"].tolist()) == {1}
    assert set(known["right"].tolist()) == {-1, 0}


def test_numbers_of_train_hold_for_other_splits(root: Path) -> None:
    """A split with fewer parts numbers them alike; one with others is refused."""
    for path in (root / "validation" / "cup").iterdir():
        path.write_text(path.read_text().replace("handle\n3 4\n", "").replace("handle\n1 2\n", ""))
    found = PartFolder(root, "validation", num_points=100)
    assert found.classes == PartFolder(root, "train").classes
    assert set(torch.cat([sample.y for sample in found]).tolist()) == {-1, 0, 1, 2}
    file = root / "validation" / "chair" / "a_labels.txt"
    file.write_text(file.read_text().replace("seat", "wheel"))
    with pytest.raises(
        ValueError, match=r"validation has the parts 'chair/wheel', expected only those of train"
    ):
        PartFolder(root, "validation")


def test_without_train_a_split_has_its_own(root: Path) -> None:
    (root / "train").rename(root / "test")
    assert PartFolder(root, "test").classes == ["chair/body", "chair/seat", "cup/body", "cup/handle"]


def test_labels_that_change_are_read_again(root: Path) -> None:
    before = PartFolder(root, "train").processed_file
    assert PartFolder(root, "train").processed_file == before
    file = root / "train" / "chair" / "a_labels.txt"
    file.write_text(file.read_text().replace("seat", "shelf"))
    assert PartFolder(root, "train").classes[1] == "chair/shelf"


def test_clouds_of_numbers(tmp_path: Path) -> None:
    """As ShapeNet's parts come: positions, normals and a number, in the order of the numbers and not of the words."""
    rng = np.random.default_rng(0)
    (tmp_path / "train" / "02691156").mkdir(parents=True)
    for i in range(2):
        pos = rng.normal(size=(90, 3))
        label = np.where(pos[:, 0] < 0, 2, 10)
        rows = np.column_stack([pos, np.tile([0.0, 0.0, 1.0], (90, 1)), label])
        np.savetxt(tmp_path / "train" / "02691156" / f"{i}.txt", rows, fmt="%.6f")
    columns = ["x", "y", "z", "nx", "ny", "nz", "part"]
    data = PartFolder(tmp_path, "train", columns=columns, label="part", num_points=90)
    assert data.classes == ["2", "10"]
    for sample in data:
        assert len(sample.y) == 90
        middle = (sample.pos[sample.y == 0, 0].max() + sample.pos[sample.y == 1, 0].min()) / 2
        assert torch.equal(sample.y, (sample.pos[:, 0] > middle).long())
    with pytest.raises(ShapeError, match=r"2 of 2 files could not be read(.|\n)*no labels of its points"):
        PartFolder(tmp_path, "train", columns=columns)


def test_names_of_parts_are_told_from_those_of_categories(root: Path) -> None:
    file = root / "train" / "chair" / "a_labels.txt"
    file.write_text(file.read_text().replace("seat", "arm/left"))
    with pytest.raises(ShapeError, match="the part 'arm/left', expected names without '/'"):
        PartFolder(root, "train")


def test_labels_that_no_part_can_be_learned_from(tmp_path: Path) -> None:
    write_mesh(tmp_path / "train" / "cup", "a", "handle", "body")
    (tmp_path / "train" / "cup" / "a_labels.txt").unlink()
    (tmp_path / "train" / "cup" / "a.seg").write_text("-1\n" * 4)
    with pytest.raises(ValueError, match="no part is known in train, expected labels"):
        PartFolder(tmp_path, "train")


def test_more_parts_than_are_stored(tmp_path: Path) -> None:
    (tmp_path / "train" / "cup").mkdir(parents=True)
    number = np.arange(40_000)
    np.savez(
        tmp_path / "train" / "cup" / "a.npz", pos=np.random.default_rng(0).random((40_000, 3)), label=number
    )
    with pytest.raises(ShapeError, match="40000 different labels, expected at most 32767 parts"):
        PartFolder(tmp_path, "train", num_points=8)


def test_labels_of_cells_at_the_surface_are_of_no_others(tmp_path: Path) -> None:
    (tmp_path / "train" / "cup").mkdir(parents=True)
    grid = np.zeros((6, 6, 6), dtype=bool)
    grid[1:5, 1:5, 1:5] = True  # 64 cells, 56 of them at the surface
    np.save(tmp_path / "train" / "cup" / "a.npy", grid)
    (tmp_path / "train" / "cup" / "a.seg").write_text("0\n1\n" * 28)
    assert len(PartFolder(tmp_path, "train")[0].y) == 56
    with pytest.raises(ShapeError, match="expected cells='surface' for parts"):
        PartFolder(tmp_path, "train", cells="occupied")


@pytest.mark.parametrize("text", [False, True])
def test_a_data_set_without_parts_says_who_reads_the_labels(root: Path, text: bool, run_cli) -> None:
    """``.txt`` are samples only where there are no meshes: where such are left out, none is expected."""
    for path in root.glob("*/*/*_labels.txt"):
        if not text:  # as numbers
            path.with_name(path.name.replace("_labels.txt", ".seg")).write_text("0\n0\n1\n1\n")
            path.unlink()
    end = "_labels.txt" if text else ".seg"
    told = (
        rf"{root}/train: 3 shapes; left out: 3 {end} files \(in the folders 'chair', 'cup'\); labels of parts, which a "
        r"training with --config parts/ccnn_4_32 learns; expected \.off \.obj .*"
        + (r"\.pcd, or without any of these \.txt .*\.laz" if text else r"\.pcd \.txt .*\.laz")
    )
    with pytest.warns(UserWarning, match=told) as said:
        ShapeFolder(root, "train", num_points=16, num_samples=16)
    assert len(said) == 1
    _, output, _ = run_cli("data", "check", str(root), "--kind", "shapes")
    assert "left out: 3 " + end in output
