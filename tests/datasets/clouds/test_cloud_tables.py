"""Clouds in tables of points: the same samples as in files of their own, and through the command line."""

import csv

import numpy as np
import pytest
import torch
import yaml

from ccnn_geo import load
from ccnn_geo.datasets import Clouds
from ccnn_geo.io.cloud_file import members, read_cloud
from ccnn_geo.io.cloud_table import read_cloud_table

pa = pytest.importorskip("pyarrow", reason="pyarrow (extra 'parquet') is not installed")
pq = pytest.importorskip("pyarrow.parquet")
RNG = np.random.default_rng(0)


def molecules(count, first=0):
    """Name, positions, kinds of atoms and energy of each."""
    for i in range(first, first + count):
        size = int(RNG.integers(3, 8))
        z = RNG.choice([1, 6], size)
        yield f"m{i}", RNG.normal(size=(size, 3)), z, float(-10.0 * z.sum() - 1)


def write_files(root, split, some):
    (root / split).mkdir(parents=True)
    rows = ["file,energy [eV]"]
    for name, pos, z, energy in some:
        np.savez(root / split / f"{name}.npz", pos=pos, z=z)
        rows.append(f"{name}.npz,{energy!r}")
    (root / split / "targets.csv").write_text("\n".join(rows))


def write_table(path, some, shuffle=False, **more):
    rows = [(name, *p, int(k), energy) for name, pos, z, energy in some for p, k in zip(pos, z, strict=True)]
    order = RNG.permutation(len(rows)) if shuffle else range(len(rows))
    names = ["sample", "pos_x", "pos_y", "pos_z", "z", "energy [eV]"]
    columns = dict(zip(names, zip(*(rows[i] for i in order), strict=True), strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({**{k: list(v) for k, v in columns.items()}, **more}), path)


def by_name(data):
    return {sample.name.rsplit("/")[-1].removesuffix(".npz"): sample for sample in data}


@pytest.mark.parametrize("whole", [False, True])
def test_samples_are_those_of_files(tmp_path, whole):
    parts = {"train": list(molecules(8)), "val": list(molecules(3, 20))}
    for split, some in parts.items():
        write_files(tmp_path / "files", split, some)
    if whole:
        every = [one for some in parts.values() for one in some]
        split = [name for name, some in parts.items() for _, pos, *_ in some for _ in pos]
        write_table(tmp_path / "tables/all.parquet", every, split=split, words=["x"] * len(split))
    else:
        for split, some in parts.items():
            write_table(tmp_path / f"tables/{split}.parquet", some, shuffle=True)
    options = {"features": ["z"], "one_hot": ["z"], "targets": ["energy"]}
    assert Clouds.layout(tmp_path / "tables", options).splits == ["train", "validation"]
    for split in ("train", "validation"):
        one, other = (Clouds(tmp_path / root, split, **options) for root in ("files", "tables"))
        scale, same = one.target_scale(), other.target_scale()
        assert scale.units == same.units == ("eV",) and len(one) == len(other)
        assert scale.mean + scale.std == pytest.approx(same.mean + same.std)
        expected = by_name(one)
        for name, sample in by_name(other).items():
            near = torch.cdist(sample.pos, expected[name].pos).argmin(1)  # points come in another order
            torch.testing.assert_close(sample.pos, expected[name].pos[near])
            assert torch.equal(sample.x, expected[name].x[near]) and torch.equal(sample.y, expected[name].y)


def test_a_table_is_as_a_folder(tmp_path):
    some = list(molecules(3))
    write_table(tmp_path / "a.parquet", some)
    paths = members(tmp_path / "a.parquet")
    assert paths == [str(tmp_path / "a.parquet" / name) for name, *_ in some]
    for path, (_, pos, z, _) in zip(paths, some, strict=True):
        cloud = read_cloud(path)
        np.testing.assert_array_equal(cloud.pos, pos)
        np.testing.assert_array_equal(cloud.fields["z"], z)
    with pytest.raises(ValueError, match=r"3 samples, expected one; name it, as in .*a\.parquet/m0"):
        read_cloud(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="no sample 'm9' among 3"):
        read_cloud(tmp_path / "a.parquet/m9")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"sample": [1], "y": [0.0]}, "the columns sample, y, expected 'sample' and positions"),
        ({"sample": ["../a"], "x": [0.0]}, "the sample name '../a', expected one that a file can have"),
        ({"sample": ["a", None], "x": [0.0, 1.0]}, "1 of 2 rows have no sample, expected one"),
        (
            {"sample": ["a", "b", "b"], "x": [0.0, 1.0, 2.0], "split": ["train", "train", "test"]},
            "the sample b has a split 'train' and 'test', expected one",
        ),
        ({"sample": [1.0, np.nan], "x": [0.0, 1.0]}, "1 of 2 rows have no sample, expected one"),
        ({"sample": [1, None, None], "x": [0.0, 1.0, 2.0]}, "2 of 3 rows have no sample, expected one"),
        ({"sample": [], "x": []}, "no rows, expected one per point"),
        (
            {"sample": ["a"], "x": [0.0], "e [eV]": [1.0], "e [kcal/mol]": [2.0]},
            r"repeated columns e \[eV\], e \[kcal/mol\], expected different names",
        ),
        ({"sample": ["a"], "x": [np.nan]}, "NaN, Inf or numbers beyond"),
    ],
)
def test_other_tables_are_refused(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=message):
        read_cloud_table(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:50])
    with pytest.raises(ValueError, match=r"b\.parquet: not parquet"):
        read_cloud_table(tmp_path / "b.parquet")


def test_what_is_wrong_with_targets(tmp_path):
    pq.write_table(
        pa.table({"sample": [1, 1, 2], "x": [0.0, 1, 2], "a": [1.0, 2, 3]}), tmp_path / "train.parquet"
    )
    for options, message in (
        ({}, "expected targets, names of columns of the tables"),
        ({"targets": ["b"]}, "no target b, the table has a"),
        ({"targets": ["a"]}, "the sample 1 has several values of a, expected one at all its points"),
        ({"targets": ["a"], "features": ["z"]}, "no z, the table has a"),
    ):
        with pytest.raises(ValueError, match=message):
            Clouds(tmp_path, **options)
    assert Clouds(tmp_path, point_targets=["a"])[0].y.tolist() == [[1], [2]]
    write_table(tmp_path / "other.parquet", molecules(1))
    with pytest.raises(ValueError, match="expected one, or one for each split"):
        Clouds(tmp_path, targets=["a"])


@pytest.mark.parametrize("names", [("valid", "val"), ("train", "Train")])
def test_two_tables_of_one_split_are_refused(tmp_path, names):
    for name in ("train", *names):
        write_table(tmp_path / f"{name}.parquet", molecules(2))
    first, second = sorted(names)
    message = f"the tables '{first}.parquet' and '{second}.parquet' both mean the split"
    with pytest.raises(ValueError, match=message):
        Clouds(tmp_path, targets=["energy"])


@pytest.mark.parametrize("place", ["train/a", "below/train"])
@pytest.mark.parametrize("options", [{"targets": ["energy"]}, {"point_targets": ["z"]}])
def test_tables_in_folders_are_refused(tmp_path, place, options):
    write_table(tmp_path / f"{place}.parquet", molecules(2))
    with pytest.raises(
        ValueError, match=rf"tables '{place}.parquet' in folders, expected .*/<split>.parquet"
    ):
        Clouds(tmp_path, **options)


def test_through_the_command_line(tmp_path, monkeypatch, run_cli):
    monkeypatch.chdir(tmp_path)
    for split, count in (("train", 24), ("validation", 6), ("test", 5)):
        write_table(tmp_path / f"mols/{split}.parquet", molecules(count))
    assert "no targets: the option 'targets' names" in run_cli("data", "check", "mols")[2]
    code, output, errors = run_cli("data", "check", "mols", "--option", "targets=[energy]")
    assert (code, errors) == (
        0,
        "",
    ) and "clouds/ccnn_4_32 --data.root mols --data.dataset_args.targets" in output
    config = {
        "model": {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "pool": "sum", "composition": True},
        "optim": {"lr": 0.01, "warmup_epochs": 0},
        "data": {
            "dataset": "clouds", "root": "mols", "batch_size": 6,
            "dataset_args": {"features": ["z"], "one_hot": ["z"], "targets": ["energy"]},
        },
        "trainer": {"max_epochs": 2},
    }  # fmt: skip
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    code, output, errors = run_cli("train", "--config", "c.yaml", "--out", "run")
    assert (code, errors) == (0, "") and "data: 24 training samples; 6 validation samples" in output
    assert run_cli("test", "run")[0] == 0
    code, output, errors = run_cli("predict", "run", "mols/test.parquet", "--csv")
    assert (code, errors) == (0, "")
    rows = list(csv.DictReader(output.splitlines()))
    assert [row["file"] for row in rows] == members("mols/test.parquet") and len(rows) == 5
    answer = load("run")("mols/test.parquet/m2")
    assert float(rows[2]["energy [eV]"]) == pytest.approx(answer.values["energy"], rel=1e-5)
