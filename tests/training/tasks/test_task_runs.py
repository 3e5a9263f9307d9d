"""From files to results: energies of molecules, a field of points, classes of points."""

import json
import sys
from pathlib import Path

import fake_data
import pytest
import torch
import yaml
from torch_geometric.data import Data

from ccnn_geo.io.models.checkpoint import load_checkpoint
from ccnn_geo.training import Learner
from ccnn_geo.training.callbacks import read_metrics
from ccnn_geo.training.data.families import make_data
from ccnn_geo.training.metrics_file import to_csv

sys.path.append(str(Path(__file__).parents[2] / "datasets" / "clouds"))
from clouds_on_disk import write_molecules

SIZES = "hidden_channels: 8, num_blocks: 1, kernel_hidden: 4, num_neighbors: 6"
TRAINER = "accelerator: cpu, max_epochs: 3"
ENERGIES = f"""
name: energies
model: {{{SIZES}, pool: sum, composition: true}}
optim: {{lr: 0.01, loss: l1}}
data:
  dataset: clouds
  root: molecules
  batch_size: 8
  dataset_args: {{features: [z], one_hot: [z], targets: [energy]}}
trainer: {{{TRAINER}}}
"""
FIELD = f"""
name: field
model: {{{SIZES}}}
optim: {{lr: 0.05}}
data:
  dataset: clouds
  root: molecules
  batch_size: 8
  dataset_args: {{features: [pos], point_targets: ["height [m]"]}}
trainer: {{{TRAINER}}}
"""


@pytest.fixture
def molecules(tmp_path, monkeypatch):
    write_molecules(tmp_path / "molecules", {"train": 32, "validation": 8, "test": 8})
    (tmp_path / "energies.yaml").write_text(ENERGIES)
    (tmp_path / "field.yaml").write_text(FIELD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def results(run: Path) -> dict:
    return json.loads((run / "results.json").read_text())


def test_energies_of_molecules(run_cli, molecules):
    code, output, errors = run_cli(
        "train", "--config", "energies.yaml", "--out", "run", "--task", "regression"
    )
    assert (code, errors) == (0, "")
    assert "validation (best checkpoint): energy: MAE " in output and "run/parity.png" in output
    found = results(Path("run"))["validation"]["targets"]["energy"]
    assert found["unit"] == "kcal/mol" and found["mae"] < 0.2 * found["mae_of_mean"]
    rows = read_metrics(Path("run/metrics.csv"))
    best = min(float(row["val_error"]) for row in rows)
    mae = {float(row["val_error"]): float(row["val_mae_energy"]) for row in rows}[best]
    assert found["mae"] == pytest.approx(mae, rel=1e-4)  # the best checkpoint is that of the smallest error
    stored = load_checkpoint(Path("run/checkpoints/best.ckpt"))["hyper_parameters"]
    assert (stored["task"], stored["classes"], stored["loss"]) == ("regression", [], "l1")
    assert stored["targets"]["names"] == ["energy"] and stored["targets"]["units"] == ["kcal/mol"]
    assert (Path("run/parity.png").exists(), Path("run/confusion.png").exists()) == (True, False)
    code, output, errors = run_cli("test", "run")
    assert (code, errors) == (0, "") and output.startswith("test (clouds): energy: MAE ")
    model = Learner.load_from_checkpoint("run/checkpoints/best.ckpt", weights_only=True).eval()
    data = make_data(stored["data"])
    data.setup("test")
    batch = next(iter(data.test_dataloader()))
    with torch.no_grad():
        expected = (model.task.shown(model(batch)) - batch.y).abs().mean()
    assert results(Path("run"))["test_clouds"]["targets"]["energy"]["mae"] == pytest.approx(
        float(expected), rel=1e-4
    )


@pytest.mark.usefixtures("no_pictures")
def test_a_resumed_regression_is_the_unbroken_one(run_cli, molecules):
    assert run_cli("train", "--config", "energies.yaml", "--out", "whole")[0] == 0
    assert (
        run_cli("train", "--config", "energies.yaml", "--out", "cut", "--trainer.max_time", "00:00:00:00")[0]
        == 1
    )
    stop = ("--trainer.limit_train_batches", "1.0")
    assert run_cli("train", "--config", "energies.yaml", "--out", "part", *stop)[0] == 0
    whole, part = (load_checkpoint(Path(name) / "checkpoints/last.ckpt") for name in ("whole", "part"))
    assert all(torch.equal(whole["state_dict"][k], v) for k, v in part["state_dict"].items())
    code, output, errors = run_cli("train", "--resume", "part", "--trainer.max_epochs", "4")
    assert (code, errors) == (0, "") and "epoch 4/4" in output
    code, _, errors = run_cli("train", "--resume", "part", "--data.dataset_args.targets", '["other"]')
    assert code == 1 and "the checkpoint predicts energy [kcal/mol], the training set has other" in errors


def test_a_field_of_points(run_cli, molecules):
    code, output, errors = run_cli(
        "train", "--config", "field.yaml", "--out", "run", "--trainer.max_epochs", "6"
    )
    assert (code, errors) == (0, "") and "run/scene.png" in output
    found = results(Path("run"))["validation"]["targets"]["height"]
    assert found["mae"] < found["mae_of_mean"]
    code, output, errors = run_cli("test", "run")
    assert (code, errors) == (0, "") and Path("run/scene_test_clouds.png").exists()


@pytest.mark.usefixtures("no_pictures")
def test_training_ends_when_it_gets_no_better(run_cli, molecules):
    again = ("--config", "energies.yaml", "--optim.lr", "1e-12", "--trainer.max_epochs", "9")
    code, output, errors = run_cli("train", *again, "--out", "run", "--early_stopping", "2")
    assert (code, errors) == (0, "")
    assert "early stopping: 2 validations without improvement" in output
    rows = read_metrics(Path("run/metrics.csv"))
    ranks = [(-float(row["val_error"]), -float(row["val_loss"])) for row in rows]
    assert len(rows) < 9 and all(max(ranks[:-2]) >= rank for rank in ranks[-2:])
    code, output, errors = run_cli("train", "--resume", "run")
    assert (code, errors) == (0, "") and "a larger early_stopping continues it" in output
    assert len(read_metrics(Path("run/metrics.csv"))) == len(rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--task", "segmentation"), "--task: expected regression, the task of clouds"),
        (("--optim.loss", "cross_entropy"), "optim.loss: expected one of mse, l1, huber for regression"),
        (("--optim.label_smoothing", "0.1"), "optim.label_smoothing: expected none for regression"),
        (("--early_stopping", "0"), "--early_stopping: expected 1 validation or more"),
        (("--data.dataset_args.targets", '["gap"]'), "no target gap, expected some of energy, other"),
    ],
)
def test_errors_are_one_line(run_cli, molecules, arguments, message):
    code, _, errors = run_cli("train", "--config", "energies.yaml", *arguments)
    assert code == 1 and message in errors and errors.count("\n") == 1


@pytest.fixture
def scenes(tmp_path, monkeypatch):
    fake_data.register(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    data = "data: {dataset: scenes, root: ., batch_size: 8}"
    text = f"model: {{{SIZES}}}\noptim: {{lr: 0.05}}\n{data}\ntrainer: {{{TRAINER}}}\n"
    (tmp_path / "scenes.yaml").write_text(text)
    return tmp_path


def test_classes_of_points(run_cli, scenes):
    code, output, errors = run_cli(
        *("train", "--config", "scenes.yaml", "--out", "run"),
        *("--optim.class_weights", "balanced", "--optim.logit_adjustment", "0.5"),
    )
    assert (code, errors) == (0, "") and "mean IoU" in output
    found = results(Path("run"))["validation"]
    assert found["mean_iou"] == pytest.approx(sum(found["iou"].values()) / len(found["iou"]))
    rows = read_metrics(Path("run/metrics.csv"))
    assert max(float(row["val_miou"]) for row in rows) == pytest.approx(found["mean_iou"], abs=1e-6)
    for picture in ("confusion", "scene"):
        assert Path(f"run/{picture}.png").exists()
    assert list(rows[0])[3:8] == ["train_loss", "train_acc", "val_loss", "val_acc", "val_mean_acc"]
    stored = load_checkpoint(Path("run/checkpoints/best.ckpt"))["hyper_parameters"]
    assert (stored["task"], stored["class_weights"], stored["targets"]) == ("segmentation", "balanced", None)


@pytest.mark.usefixtures("no_pictures")
def test_a_run_of_before_there_were_tasks_goes_on(run_cli, scenes):
    """Its checkpoint, its configuration and its metrics do not know of them."""
    assert run_cli("train", "--config", "scenes.yaml", "--out", "run", "--trainer.max_epochs", "2")[0] == 0
    last = Path("run/checkpoints/last.ckpt")
    stored = load_checkpoint(last)
    for key in ("task", "targets", "loss", "class_weights", "logit_adjustment"):
        del stored["hyper_parameters"][key]
    (state,) = (found for key, found in stored["callbacks"].items() if key.startswith("ModelCheckpoint"))
    for key in ("metric", "stale"):
        del state[key]
    state["best_model_score"] = 2.0  # no accuracy is as good
    torch.save(stored, last)
    config = yaml.safe_load(Path("run/config.yaml").read_text())
    config["optim"] = {
        key: config["optim"][key]
        for key in config["optim"]
        if key not in ("loss", "class_weights", "logit_adjustment")
    }
    Path("run/config.yaml").write_text(
        yaml.safe_dump({k: config[k] for k in config if k not in ("task", "early_stopping")})
    )
    metrics = Path("run/metrics.csv")
    rows = [{k: v for k, v in row.items() if k != "val_miou"} for row in read_metrics(metrics)]
    metrics.write_text(to_csv(rows))
    best = Path("run/checkpoints/best.ckpt").read_bytes()
    code, output, errors = run_cli("train", "--resume", "run", "--trainer.max_epochs", "3")
    assert (code, errors) == (0, "") and "epoch 3/3" in output
    assert [bool(row.get("val_miou")) for row in read_metrics(metrics)] == [False, False, True]
    assert Path("run/checkpoints/best.ckpt").read_bytes() == best
    code, _, errors = run_cli("train", "--resume", "run", "--task", "classification")
    assert code == 1 and "--task: expected segmentation" in errors


def test_rare_classes_weigh_more(scenes):
    data = make_data({"dataset": "scenes", "root": ".", "batch_size": 8})
    data.setup("fit")
    labels = torch.cat([sample.y for sample in data.train_set.samples])
    counts = [int((labels == c).sum()) for c in range(2)]
    expected = [count / sum(counts) for count in counts]
    assert data.class_shares() == pytest.approx(expected)
    assert isinstance(data.train_set.samples[0], Data)
