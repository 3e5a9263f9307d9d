"""Networks of scans and for regression, trained, tested and asked through the command line."""

import csv
import json

import numpy as np
import pytest
import yaml

from ccnn_geo import load
from ccnn_geo.io import read_frame
from tests.fixtures.commands import without_pictures

NETWORK = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 8}


def write_scan(path, seed):
    """Ground and walls in a text PLY, with intensity, labels, and a column that nobody asks for."""
    rng = np.random.default_rng(seed)
    xyz = rng.uniform(0, 20, (400, 3)) * [1, 1, 0.02]
    wall = rng.random(400) < 0.4
    xyz[wall, 2] += 3 * rng.random(wall.sum())
    rows = np.column_stack([xyz, rng.random(400), np.where(wall, 6, 2), np.arange(400)])
    names = ["x", "y", "z", "intensity", "label", "number"]
    kinds = ["float", "float", "float", "float", "int", "int"]
    head = ["ply", "format ascii 1.0", "element vertex 400"]
    head += [f"property {kind} {name}" for kind, name in zip(kinds, names, strict=True)]
    lines = (" ".join([*(f"{v:.6f}" for v in row[:4]), *(f"{int(v)}" for v in row[4:])]) for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*head, "end_header", *lines]) + "\n")


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A run on scans in ``run``, scans in ``scans``."""
    from ccnn_geo.cli._main import main

    place = tmp_path_factory.mktemp("scans")
    for split, count in (("train", 3), ("validation", 1), ("test", 2)):
        for i in range(count):
            write_scan(place / "scans" / split / f"{i}.ply", 10 * i + len(split))
    options = {
        "classes": [2, 6],
        "features": ["intensity", "z"],
        "tile": 10.0,
        "voxel": 1.0,
        "label": "label",
    }
    config = {
        "model": NETWORK,
        "optim": {"lr": 0.02, "warmup_epochs": 0},
        "data": {"dataset": "lidar", "root": "scans", "batch_size": 4, "dataset_args": options},
        "trainer": {"max_epochs": 3},
    }
    (place / "c.yaml").write_text(yaml.safe_dump(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        without_pictures(patch)
        assert main(["train", "--config", "c.yaml", "--out", "run"]) == 0
    return place


def test_a_test_counts_every_point_of_whole_scans(scans, monkeypatch, run_cli, no_pictures):
    monkeypatch.chdir(scans)
    code, output, errors = run_cli("test", "run")
    assert (code, errors) == (0, "") and "at full resolution: accuracy" in output
    found = json.loads((scans / "run/results.json").read_text())["test_lidar"]["full_resolution"]
    model = load("run")
    right, both = 0, np.zeros((2, 2))
    for i in range(2):
        path = scans / "scans/test" / f"{i}.ply"
        truth = read_frame(path, label="label").labels == 6
        answer = model(path).labels
        right += np.mean(answer == truth) / 2
        both += np.histogram2d(truth, answer, bins=2)[0]
    assert found["accuracy"] == pytest.approx(right)
    iou = np.diag(both) / (both.sum(0) + both.sum(1) - np.diag(both))
    assert found["mean_iou"] == pytest.approx(iou.mean())


def test_labelled_scans_keep_all_that_they_had(scans, monkeypatch, run_cli):
    monkeypatch.chdir(scans)
    (scans / "bad.ply").write_text("ply\n")
    code, _, errors = run_cli(
        "predict", "run", "scans/test", "bad.ply", "--out", "labelled", "--rotations", "2"
    )
    assert code == 1 and "bad.ply: " in errors and "no prediction for 1 of 3 files: bad.ply" in errors
    rows = list(csv.DictReader((scans / "labelled/predictions.csv").read_text().splitlines()))
    assert [row["points"] for row in rows] == ["400", "400"] and set(rows[0]) == {"file", "points", "2", "6"}
    for i in range(2):
        before = read_frame(scans / "scans/test" / f"{i}.ply", label="label")
        after = read_frame(scans / "labelled/scans/test" / f"{i}.ply", label="label")
        for name in ("intensity", "number"):
            np.testing.assert_array_equal(before.fields[name], after.fields[name])
        np.testing.assert_array_equal(before.labels, after.labels)
        assert set(np.unique(after.fields["predicted"])) <= {2, 6}
        assert (after.fields["predicted"] == 6).sum() == int(rows[i]["6"])
        assert ((after.fields["probability"] >= 0.5) & (after.fields["probability"] <= 1)).all()
    assert not list((scans / "labelled").rglob("bad*"))


def test_arrays_are_scans(scans, monkeypatch, run_cli):
    """The same points in a .npy are answered alike, and trained on alike."""
    monkeypatch.chdir(scans)
    for path in sorted((scans / "scans").rglob("*.ply")):
        frame = read_frame(path, label="label")
        columns = {**dict(zip("xyz", frame.xyz.T, strict=True)), **frame.fields, "label": frame.labels}
        rows = np.zeros(len(frame.xyz), [(name, values.dtype) for name, values in columns.items()])
        for name, values in columns.items():
            rows[name] = values
        target = scans / "arrays" / path.relative_to(scans / "scans").with_suffix(".npy")
        target.parent.mkdir(parents=True, exist_ok=True)
        np.save(target, rows)
    assert run_cli("predict", "run", "arrays/test", "--out", "answered")[0] == 0
    model = load("run")
    for i in range(2):
        given, found = (np.load(scans / folder / f"{i}.npy") for folder in ("arrays/test", "answered"))
        answer = model(scans / f"scans/test/{i}.ply")
        np.testing.assert_array_equal(found["predicted"], np.array([2, 6])[answer.labels])
        np.testing.assert_allclose(found["probability"], answer.probability, atol=1e-5)
        for name in given.dtype.names:
            np.testing.assert_array_equal(found[name], given[name])
    train = "train", "--config", "c.yaml", "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1"
    lines = [run_cli(*train, "--data.root", folder)[1].splitlines() for folder in ("scans", "arrays")]
    first, second = ([line for line in part if line.startswith(("data:", "epoch 1/1"))] for part in lines)
    assert len(first) == 2 and [line.rsplit("  ", 1)[0] for line in first] == [
        line.rsplit("  ", 1)[0] for line in second
    ]


def test_options_of_scans(scans, monkeypatch, run_cli):
    monkeypatch.chdir(scans)
    code, output, errors = run_cli("predict", "run", "scans/test", "--json")
    assert (code, errors) == (0, "")
    answers = [load("run")(f"scans/test/{i}.ply") for i in range(2)]
    counts = [{name: int((a.labels == k).sum()) for k, name in enumerate(a.classes)} for a in answers]
    assert [row["classes"] for row in json.loads(output)] == counts
    assert run_cli("predict", "run", "scans/test", "--out", "turned", "--rotations", "2")[0] == 0
    code, _, errors = run_cli("predict", "run", "scans/test", "--out", "turned", "--rotations", "3")
    assert (
        code == 1 and "turned: holds the predictions.json of another model, number of votes or axis" in errors
    )
    assert run_cli("export", "run", "model")[0] == 0
    assert load("model").pipeline.settings() == load("run").pipeline.settings()


def test_values_with_their_units(tmp_path, monkeypatch, run_cli, no_pictures):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for split, count in (("train", 24), ("validation", 6), ("test", 5)):
        folder = tmp_path / "mols" / split
        folder.mkdir(parents=True)
        rows = []
        for i in range(count):
            size = rng.integers(4, 12)
            np.savez(folder / f"{i}.npz", pos=rng.normal(size=(size, 3)), z=rng.choice([1, 6], size))
            rows.append(f"{i}.npz,{-100.0 * size + rng.normal():.3f}")
        (folder / "targets.csv").write_text("\n".join(["file,energy [kcal/mol]", *rows]))
    config = {
        "model": {**NETWORK, "pool": "sum", "composition": True},
        "optim": {"lr": 0.01, "warmup_epochs": 0},
        "data": {
            "dataset": "clouds", "root": "mols", "batch_size": 6,
            "dataset_args": {"features": ["z"], "one_hot": ["z"]},
        },
        "trainer": {"max_epochs": 2},
    }  # fmt: skip
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    code, output, errors = run_cli("train", "--config", "c.yaml", "--out", "run")
    assert (code, errors) == (0, "") and "data: 24 training samples; 6 validation samples" in output
    code, output, errors = run_cli("test", "run")
    assert (code, errors) == (0, "")
    results = json.loads((tmp_path / "run/results.json").read_text())["test_clouds"]["targets"]["energy"]
    assert run_cli("export", "run", "model")[0] == 0
    for model in ("run", "model"):
        code, output, errors = run_cli("predict", model, "mols/test", "--csv")
        assert (code, errors) == (0, "")
        rows = list(csv.DictReader(output.splitlines()))
        truths = dict(csv.reader((tmp_path / "mols/test/targets.csv").read_text().splitlines()))
        answers = [float(row["energy [kcal/mol]"]) for row in rows]
        wrong = [
            abs(a - float(truths[row["file"].rpartition("/")[2]]))
            for a, row in zip(answers, rows, strict=True)
        ]
        assert np.mean(wrong) == pytest.approx(results["mae"], rel=1e-4)
    code, output, errors = run_cli("predict", "run", "mols/test/0.npz")
    assert "kcal/mol" in output.splitlines()[1] and output.splitlines()[0].split() == ["file", "prediction"]
