"""A network for parts of meshes, trained, tested and asked through the command line."""

import json
import shutil

import numpy as np
import pytest
import torch
import yaml

from ccnn_geo import load
from ccnn_geo.io import read_shape
from ccnn_geo.io.shapes.part_labels import read_labelled_shape
from ccnn_geo.nn.point_field import PointField
from tests.fixtures.commands import without_pictures

NETWORK = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 8}


def write_dumbbell(path, seed, names=("left", "right"), polygons=False):
    """Two tetrahedra (or, of polygons, a square each) far apart, whose parts are by the sign of x."""
    rng = np.random.default_rng(seed)
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) if polygons else np.eye(4)[:, :3]
    apart = np.array([3.5, 0.0, 0.0])
    vertices = np.concatenate([corners - apart, corners + apart]) + rng.normal(size=3)
    own = [[0, 1, 2, 3]] if polygons else [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]
    faces = own + [[i + 4 for i in face] for face in own]
    rows = [" ".join(map(str, row)) for row in vertices] + [
        f"{len(f)} {' '.join(map(str, f))}" for f in faces
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["OFF", f"8 {len(faces)} 0", *rows, ""]))
    half = [" ".join(str(i + 1 + k * len(own)) for i in range(len(own))) for k in range(2)]
    path.with_name(f"{path.stem}_labels.txt").write_text(f"{names[0]}\n{half[0]}\n{names[1]}\n{half[1]}\n")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A run on shapes in ``run``, shapes in ``shapes``."""
    from ccnn_geo.cli._main import main

    place = tmp_path_factory.mktemp("parts")
    for split, count in (("train", 6), ("validation", 2), ("test", 2)):
        for i in range(count):
            write_dumbbell(place / "shapes" / split / "bell" / f"{i}.off", 10 * i + len(split))
            write_dumbbell(place / "shapes" / split / "box" / f"{i}.off", 7 * i, ("lid", "floor"), True)
    config = {
        "model": NETWORK,
        "optim": {"lr": 0.02, "warmup_epochs": 0},
        "data": {"dataset": "parts", "root": "shapes", "batch_size": 4, "num_points": 48, "num_samples": 64},
        "trainer": {"max_epochs": 6},
    }
    (place / "c.yaml").write_text(yaml.safe_dump(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        without_pictures(patch)
        assert main(["train", "--config", "c.yaml", "--out", "run"]) == 0
    return place


def test_train_and_test_say_iou(parts, monkeypatch, run_cli, no_pictures):
    monkeypatch.chdir(parts)
    code, output, errors = run_cli("test", "run")
    assert (code, errors) == (0, "")
    assert "mean IoU" in output
    found = json.loads((parts / "run/results.json").read_text())["test_points"]
    assert set(found["iou"]) == {"bell/left", "bell/right", "box/floor", "box/lid"}
    assert found["mean_iou"] > 0.5, "the sign of x tells parts, and their category is given"


def test_faces_are_asked_where_they_are(parts, monkeypatch):
    monkeypatch.chdir(parts)
    model = load("run")
    path = "shapes/test/box/0.off"
    answer = model(path)
    assert answer.labels.shape == answer.probability.shape == (2,), (
        "polygons of the file, not their triangles"
    )
    assert len({answer.classes[i].split("/")[0] for i in answer.labels}) == 1, "of one category"
    sample = model.prepare(path)
    logits = PointField(model.network, sample.x, sample.pos)(sample.at).double().softmax(dim=1)
    totals = torch.stack([logits[:, :2].sum(), logits[:, 2:].sum()])
    start = 2 * int(totals.argmax())
    own = logits[:, start : start + 2] / logits[:, start : start + 2].sum(dim=1, keepdim=True)
    np.testing.assert_allclose(answer.probability, own.max(dim=1).values, rtol=1e-5)
    assert answer.labels.tolist() == (own.argmax(dim=1) + start).tolist()
    cloud = read_shape(path).vertices
    assert model(cloud).labels.shape == (8,)


def test_answers_are_meshes(parts, monkeypatch, run_cli):
    monkeypatch.chdir(parts)
    (parts / "bad.off").write_text("OFF\n")
    np.savetxt(parts / "cloud.xyz", np.random.default_rng(0).normal(size=(60, 3)))
    code, _, errors = run_cli("predict", "run", "shapes/test", "bad.off", "cloud.xyz", "--out", "answers")
    assert code == 1
    assert "no prediction for 1 of 6 files: bad.off" in errors
    model = load("run")
    for name in ("bell/0", "bell/1", "box/0", "box/1"):
        given = read_shape(f"shapes/test/{name}.off")
        shape, labels = read_labelled_shape(parts / "answers/shapes/test" / f"{name}.ply")
        np.testing.assert_array_equal(shape.vertices, given.vertices)
        np.testing.assert_array_equal(shape.faces, given.faces)
        numbers = [int(labels.names[i]) for i in labels.index]
        assert numbers == model(f"shapes/test/{name}.off").labels[given.polygon].tolist()
    assert len(read_labelled_shape(parts / "answers/cloud.ply")[1].index) == 60
    rows = json.loads((parts / "answers/predictions.json").read_text())
    assert [row["points"] for row in rows["answers"] if "points" in row] == [8, 8, 2, 2, 60]


def test_an_answer_does_not_replace_its_shape(parts, monkeypatch, run_cli):
    monkeypatch.chdir(parts)
    run_cli("predict", "run", "shapes/test/bell/0.off", "--out", "again")
    before = (parts / "again/0.ply").read_bytes()
    (parts / "alone").mkdir()
    (parts / "again/0.ply").rename(parts / "alone/0.ply")
    code, _, errors = run_cli("predict", "run", "alone/0.ply", "--out", "alone")
    assert code == 1
    assert "the prediction for alone/0.ply would replace the file itself; expected another folder" in errors
    assert (parts / "alone/0.ply").read_bytes() == before


def test_answers_in_a_folder_of_the_shapes_are_not_asked(parts, monkeypatch, run_cli):
    monkeypatch.chdir(parts)
    shutil.copytree("shapes/test", "some")
    code, _, errors = run_cli("predict", "run", "some", "--out", "some")
    assert code == 1
    assert (
        "predictions would lie among the input files, expected another folder, such as some/answers" in errors
    )
    for _ in range(2):
        code, output, errors = run_cli("predict", "run", "some", "--out", "some/answers")
        assert (code, errors) == (0, "") and output.startswith("4 of 4 files")
    assert "4 of them earlier" in output
    gone = parts / "some/answers/box/0.ply"
    given = gone.read_bytes()
    gone.unlink()
    code, output, errors = run_cli("predict", "run", "some", "--out", "some/answers")
    assert (code, errors) == (0, "") and "4 of 4 files" in output and "3 of them earlier" in output
    assert gone.read_bytes() == given


def test_table_for_people_and_export(parts, monkeypatch, run_cli):
    monkeypatch.chdir(parts)
    code, output, errors = run_cli("predict", "run", "shapes/test/box/0.off", "cloud.xyz")
    assert (code, errors) == (0, "")
    assert [line.split()[-2:] for line in output.splitlines()[1:]] == [["2", "faces"], ["60", "points"]]
    code, output, _ = run_cli("predict", "run", "shapes/test/bell/0.off", "shapes/test/box/0.off", "--json")
    for row in json.loads(output):
        assert {name.split("/")[0] for name, count in row["classes"].items() if count} == {row["category"]}
    assert run_cli("export", "run", "model")[0] == 0
    assert load("model").pipeline == load("run").pipeline
    np.testing.assert_array_equal(load("model")("cloud.xyz").labels, load("run")("cloud.xyz").labels)


def test_other_carriers_are_refused(parts, monkeypatch, run_cli):
    monkeypatch.chdir(parts)
    code, _, errors = run_cli("train", "--config", "c.yaml", "--data.carrier", "grid", "--out", "no")
    assert code == 1
    assert "data.carrier: expected 'points' for parts, got 'grid'" in errors
    assert not (parts / "no").exists()
