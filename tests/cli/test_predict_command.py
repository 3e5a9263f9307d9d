import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from ccnn_geo.export import Prediction, Predictor, predict
from ccnn_geo.training.data.shapes import ShapesDataModule
from ccnn_geo.training.module import Classifier
from tests.fixtures.shapes_on_disk import write_clouds

DATA = {"dataset": "folder", "root": "shapes", "num_points": 48, "num_samples": 64}
NETWORK = {
    "hidden_channels": 8,
    "num_blocks": 1,
    "kernel_hidden": 4,
    "omega_0": 0.5,
    "window_init": 0.3,
    "num_neighbors": 8,
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    """A network that has seen one batch, stored as training stores it."""
    folder = tmp_path_factory.mktemp("stored")
    write_clouds(folder / "shapes", {"train": 12})
    torch.manual_seed(0)
    model = Classifier(NETWORK, ["ball", "disc"], 6, data=DATA)
    data = ShapesDataModule(**{**DATA, "root": folder / "shapes"})
    data.setup("fit")
    model.network.train()(next(iter(data.train_dataloader())))
    stored = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    torch.save(stored, folder / "a.ckpt")
    return folder / "a.ckpt"


@pytest.fixture
def checkpoint(stored, project) -> Path:
    """A copy of it beside shapes."""
    return shutil.copy(stored, project / "a.ckpt")


def test_path_array_and_data_agree(checkpoint, project):
    classifier = Predictor.load(checkpoint)
    path = project / "shapes" / "test" / "disc" / "0.npy"
    array = np.load(path)
    pos, normal = torch.from_numpy(array).split(3, dim=1)
    expected = predict(checkpoint, path)
    assert isinstance(expected, Prediction)
    sources = [
        str(path),
        array,
        torch.from_numpy(array),
        Data(pos=pos, normal=normal, y=torch.zeros(1), z=pos),
    ]
    assert all(predict(classifier, s) == expected for s in sources)
    assert expected.probability == expected.probabilities[expected.label]
    assert sum(expected.probabilities.values()) == pytest.approx(1)
    assert list(expected.probabilities) == ["ball", "disc"]


def test_clouds_without_normals_and_meshes(checkpoint, project):
    array = np.load(project / "shapes" / "test" / "ball" / "0.npy")
    assert predict(checkpoint, array[:, :3]) == predict(checkpoint, Data(pos=torch.from_numpy(array[:, :3])))
    (project / "t.off").write_text(
        "OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 1 2 3\n3 0 3 2\n"
    )
    corners = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    face = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]).T
    assert predict(checkpoint, "t.off") == predict(checkpoint, Data(pos=corners, face=face))


def test_units_do_not_matter(checkpoint, project):
    array = np.load(project / "shapes" / "test" / "disc" / "1.npy")
    moved = array * ([1024.0] * 3 + [1.0] * 3) + np.array([2048.0] * 3 + [0.0] * 3)
    assert predict(checkpoint, moved).probability == pytest.approx(
        predict(checkpoint, array).probability, abs=1e-4
    )


def test_agrees_with_the_data_module(checkpoint, project):
    """The points of a data set of clouds no larger than num_points are all of them, in another order."""
    write_clouds(project / "whole", {"test": 2})
    settings = {**DATA, "root": "whole", "num_points": 64}
    model = Classifier(NETWORK, ["ball", "disc"], 6, data=settings)
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    model.load_state_dict(weights)
    stored = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    torch.save(stored, "b.ckpt")
    data = ShapesDataModule(**settings)
    data.setup("test")
    batch = next(iter(data.test_dataloader()))
    with torch.no_grad():
        expected = model.eval()(batch).softmax(dim=1)[:, 0].tolist()
    found = [predict("b.ckpt", Path("whole") / name).probabilities["ball"] for name in batch.name]
    assert found == pytest.approx(expected, abs=2e-3)  # stored points are rounded to 1.5e-5


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (np.zeros((4, 5)), ValueError, r"\[4, 5\]"),
        (np.zeros((0, 3)), ValueError, "N > 0"),
        (np.full((4, 3), np.nan), ValueError, "NaN"),
        (np.array([["a"]]), ValueError, "real numbers"),
        (Data(x=torch.zeros(3)), ValueError, "expected pos"),
        (np.full((4, 3), 1e200), ValueError, r"at most 1e\+100"),
        (Data(pos=torch.eye(3), face=torch.zeros(3, 1)), ValueError, r"face \[3, F\] of integers"),
        (Data(pos=torch.eye(3), face=torch.zeros(4, 1).long()), ValueError, r"face \[3, F\].*\[4, 1\]"),
        (
            Data(pos=torch.eye(3), face=torch.tensor([[0], [1], [3]])),
            ValueError,
            "face of 0 to 2, got 0 to 3",
        ),
        (Data(pos=torch.eye(3), face=torch.tensor([[0], [1], [-1]])), ValueError, "got -1 to 1"),
        (
            Data(pos=torch.eye(3), normal=torch.zeros(2, 3)),
            ValueError,
            r"normal \[3, 3\] as pos, got \[2, 3\]",
        ),
        (3, TypeError, "int"),
        ("nowhere.off", ValueError, "no such file"),
    ],
)
def test_sources_that_are_no_shape(checkpoint, source, error, message):
    with pytest.raises(error, match=message):
        predict(checkpoint, source)


def test_checkpoints_that_are_none(checkpoint, project):
    (project / "empty.ckpt").touch()
    torch.save({"state_dict": {}, "hyper_parameters": {"network": {}}}, "other.ckpt")
    for path in ("empty.ckpt", "other.ckpt"):
        with pytest.raises(ValueError, match="not a checkpoint of ccnn-geo train"):
            predict(path, np.zeros((4, 3)))
    stored = torch.load(checkpoint, weights_only=True)
    stored["state_dict"].popitem()
    torch.save({**stored, "state_dict": {"network.x": torch.zeros(1)}}, "unfit.ckpt")
    with pytest.raises(ValueError, match="do not fit"):
        predict("unfit.ckpt", np.zeros((4, 3)))
    stored["state_dict"]["network.head.linear.bias"] = torch.zeros(3)
    torch.save(stored, "unfit.ckpt")
    message = (
        r"^unfit\.ckpt: the weights do not fit the network: expected head\.linear\.bias \[2\], got \[3\]"
    )
    with pytest.raises(ValueError, match=message):
        predict("unfit.ckpt", np.zeros((4, 3)))


def test_table_json_and_bad_files(checkpoint, project, run_cli):
    good = ["shapes/test/ball/0.npy", "shapes/test/disc/0.npy"]
    code, output, errors = run_cli("predict", "a.ckpt", *good)
    assert (code, errors) == (0, "")
    rows = [line.split() for line in output.splitlines()]
    assert rows[0] == ["file", "class", "probability"]
    assert [row[0] for row in rows[1:]] == good

    (project / "bad.off").write_text("junk")
    code, output, errors = run_cli("predict", "a.ckpt", good[0], "bad.off", good[1], "--json")
    assert code == 1
    found = json.loads(output)
    assert [entry["file"] for entry in found] == good
    assert [entry["class"] for entry in found] == [row[1] for row in rows[1:]]
    assert set(found[0]["probabilities"]) == {"ball", "disc"}
    lines = errors.splitlines()
    assert lines[0].startswith("ccnn-geo: bad.off: ")
    assert lines[1] == "ccnn-geo: no prediction for 1 of 3 files: bad.off"


def test_one_bad_file_does_not_stop_the_others(checkpoint, project, run_cli, monkeypatch):
    good = "shapes/test/ball/0.npy"
    np.save(project / "huge.npy", np.load(good)[:, :3] * 1e300)
    (project / "flat.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n")
    (project / "large.off").write_text("OFF\n3 1 0\n0 0 0\n1e90 0 0\n0 1e90 0\n3 0 1 2\n")
    bad = ["huge.npy", "./flat.off", "large.off"]
    code, output, errors = run_cli("predict", "a.ckpt", good, *bad, good)
    assert code == 1 and len(output.splitlines()) == 3
    assert [line.split(": ")[1] for line in errors.splitlines()[:3]] == [
        "huge.npy",
        "./flat.off",
        "large.off",
    ]

    prepare = Predictor.prepare
    fails = lambda self, file: prepare(self, file) if file == good else [][1]  # noqa: E731 (any error at all)
    monkeypatch.setattr(Predictor, "prepare", fails)
    code, output, errors = run_cli("predict", "a.ckpt", "x.off", good)
    assert code == 1 and len(output.splitlines()) == 2 and "x.off: IndexError: " in errors


def test_probabilities_are_finite(checkpoint, project):
    classifier = Predictor.load(checkpoint)
    torch.nn.init.constant_(classifier.network.head.linear.weight, float("nan"))
    with pytest.raises(ValueError, match=r"0\.npy: the network gives .*nan"):
        classifier("shapes/test/ball/0.npy")


def test_half_precision_and_devices(checkpoint):
    cloud = torch.randn(50, 3).bfloat16()
    assert predict(checkpoint, cloud) == predict(checkpoint, cloud.double())
    with pytest.raises(ValueError, match="'cuda:99'"):
        predict(checkpoint, cloud, device="cuda:99")


def test_the_folder_of_a_run_stands_for_its_best_checkpoint(checkpoint, project, run_cli):
    (project / "run" / "checkpoints").mkdir(parents=True)
    assert "best.ckpt: no such checkpoint" in run_cli("predict", "run", "shapes/test/ball/0.npy")[2]
    checkpoint.rename(project / "run" / "checkpoints" / "best.ckpt")
    assert run_cli("predict", "run", "shapes/test/ball/0.npy")[0] == 0
    assert run_cli("info", "run")[0] == 0
