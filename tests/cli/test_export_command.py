"""A run becomes a folder, which predicts as its checkpoint does; the tests of exports make a program of one."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from ccnn_geo import CCNN, load
from ccnn_geo.export import is_pretrained, load_classifier, save_classifier
from ccnn_geo.export.classifier import read_classifier
from ccnn_geo.export.loading import predict
from ccnn_geo.training.module import Classifier
from ccnn_geo.transforms.pipelines.shapes import ShapePipeline

DATA = {
    "dataset": "folder",
    "root": "/home/someone/shapes",
    "num_points": 40,
    "num_samples": 64,
    "features": ["pos", "normal"],
    "batch_size": 8,
    "augment": {"shift": 0.1},
}
NETWORK = {
    "hidden_channels": 8,
    "num_blocks": 1,
    "kernel_hidden": 4,
    "omega_0": 0.5,
    "conv": {"low_pass": 0.05},
}
NETWORK |= {"window_init": 0.3, "num_neighbors": 8, "kernel_layers": 1}
SHAPE = np.random.default_rng(0).normal(size=(64, 6))
SHAPE[:, 3:] /= np.linalg.norm(SHAPE[:, 3:], axis=1, keepdims=True)


@pytest.fixture
def run(project) -> Path:
    """A run whose network has seen one batch."""
    model = Classifier(NETWORK, ["ball", "disc"], 6, data=DATA)
    model.network.train()(torch.randn(60, 6), torch.rand(60, 3), torch.arange(60) // 20)
    stored = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    (project / "run" / "checkpoints").mkdir(parents=True)
    torch.save(stored, project / "run" / "checkpoints" / "best.ckpt")
    return project / "run"


def test_a_folder_predicts_as_its_checkpoint(run, run_cli, monkeypatch):
    assert run_cli("export", "run", "model") == (0, "model/config.json\nmodel/model.safetensors\n", "")
    expected = predict(run, SHAPE)
    assert predict(load_classifier("model"), SHAPE) == expected == predict("model", SHAPE)
    settings, network = read_classifier("model")
    assert ShapePipeline.from_settings(settings["data"]) == ShapePipeline.from_settings(DATA)
    text = Path("model/config.json").read_text()
    assert json.loads(text)["network"]["low_pass"] == 0.05 and "someone" not in text and "augment" not in text
    assert CCNN.from_pretrained("model").config == network.config == json.loads(text)["network"]
    assert is_pretrained("model") and not is_pretrained(run) and not is_pretrained("nowhere")

    code, _, errors = run_cli("export", "model", "model")
    assert code == 1 and "not empty" in errors and len(errors.splitlines()) == 1
    assert run_cli("export", "model", "again")[0] == 0
    assert predict(load_classifier("again"), SHAPE) == expected

    fake = types.ModuleType("huggingface_hub")
    fake.snapshot_download = lambda name, **given: str(Path("again").resolve())
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    assert predict(load_classifier("someone/shapes", revision="v1"), SHAPE) == expected


def test_load_reads_a_classifier_from_wherever_it_is(run, run_cli, monkeypatch):
    assert run_cli("export", "run", "model")[0] == 0
    expected = predict(run, SHAPE)
    for source in ("run", run, run / "checkpoints" / "best.ckpt", "run/checkpoints/best.ckpt", "model"):
        assert load(source)(SHAPE) == expected
    asked = []
    fake = types.ModuleType("huggingface_hub")
    fake.snapshot_download = lambda name, **given: asked.append((name, given)) or str(Path("model").resolve())
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    assert load("someone/shapes", revision="v1", token="t")(SHAPE) == expected
    ((name, given),) = asked
    assert name == "someone/shapes" and given["revision"] == "v1" and given["token"] == "t"


def test_what_load_cannot_read(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # not installed
    for source, error, message in (
        ("nowhere.ckpt", FileNotFoundError, r"nowhere\.ckpt: no such checkpoint"),
        ("run/checkpoints/other.ckpt", FileNotFoundError, "no such checkpoint; there is .*best.ckpt"),
        (Path("runs/nowhere"), FileNotFoundError, "no such checkpoint"),
        ("someone/shapes", ImportError, "needs huggingface_hub"),
    ):
        with pytest.raises(error, match=message):
            load(source)
    with pytest.raises(ValueError, match="run: a local source has no revisions, got revision='v1'"):
        load("run", revision="v1")
    with pytest.raises(ValueError, match="device 'nowhere': expected one that this machine has"):
        load("run", "nowhere")
    image = CCNN(1, 2, 2, hidden_channels=4, num_blocks=0)
    save_classifier("images", image, ["cat", "dog"], {"dataset": "cifar10"})
    with pytest.raises(ValueError, match="images: trained on cifar10, without the preparation of a sample"):
        load("images")


def test_folders_that_are_no_classifier(run, run_cli):
    assert run_cli("export", "run", "model")[0] == 0
    network = CCNN.from_pretrained("model")
    network.save_pretrained("alone")
    with pytest.raises(ValueError, match="a CCNN without classes"):
        load_classifier("alone")
    with pytest.raises(ValueError, match="save_classifier: 3 classes, expected 2 for 2 outputs"):
        save_classifier("three", network, ["a", "b", "c"], DATA)
    config = json.loads(Path("model/config.json").read_text())
    for changes, message in (
        ({"classes": ["a"], "data": {}}, "1 class, expected 2"),
        ({"classes": ["a", "b"]}, "the classifier lacks data"),
    ):
        Path("model/config.json").write_text(json.dumps({**config, "classifier": changes}))
        with pytest.raises(ValueError, match=message):
            load_classifier("model")
    image = CCNN(1, 2, 2, hidden_channels=4, num_blocks=0)
    save_classifier("images", image, ["cat", "dog"], {"dataset": "cifar10"})
    with pytest.raises(ValueError, match="trained on cifar10, without the preparation of a sample"):
        load_classifier("images")


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_read(project, run_cli):
    (project / "full").mkdir()
    (project / "full" / "notes.txt").write_text("kept")
    for form in ("safetensors", "torch-export", "onnx"):
        code, output, errors = run_cli("export", "nowhere.ckpt", "full", "--format", form)
        assert (code, output) == (1, "") and errors.startswith(
            "ccnn-geo: full: not empty; name another folder"
        )


@pytest.mark.parametrize(
    ("name", "opener"), [("model.pt2", "torch.export.load"), ("model.onnx", "onnxruntime.InferenceSession")]
)
def test_a_program_is_told_from_weights(project, run_cli, name, opener):
    network = CCNN(6, 2, 3, hidden_channels=4, num_blocks=0)
    files = {name: lambda file: file.write(b"program")}
    save_classifier(
        "program", network, ["a", "b"], {"dataset": "folder"}, files=files, program={"file": name}
    )
    said = (
        f"program: holds the program {name}, which {opener} opens, and no model.safetensors; expected weights"
    )
    code, _, errors = run_cli("predict", "program", "a.off")
    assert code == 1 and errors.startswith(f"ccnn-geo: {said}") and len(errors.splitlines()) == 1
    with pytest.raises(FileNotFoundError, match=f"^{said}"):
        CCNN.from_pretrained("program")


def test_a_single_output_between_two_classes(project):
    network = CCNN(6, 1, 3, hidden_channels=4, num_blocks=0)
    save_classifier("two", network, ["no", "yes"], {"dataset": "folder"})
    assert read_classifier("two")[0]["binary"] is True


def test_wrong_usage_of_the_command(run, run_cli):
    for arguments, code, message in (
        (("run",), 2, "out"),
        (("run", "out", "--format", "pickle"), 2, "invalid choice: 'pickle'"),
        (("run", "out", "--kind", "grid"), 2, "--kind grid is for programs"),
        (("nowhere", "out"), 1, "no such checkpoint"),
        (("run", "out", "--format", "torch-export", "--kind", "grid"), 1, "not seen a grid"),
    ):
        found, _, errors = run_cli("export", *arguments)
        assert found == code and message in errors and len(errors.splitlines()) == 1
    assert not Path("out").exists()


def test_checkpoints_and_configurations_of_older_releases(run, run_cli):
    """What an older release did not write has its default; what a newer one knows, or a name of before, is said."""
    best = run / "checkpoints" / "best.ckpt"
    stored = torch.load(best, weights_only=True)
    given = stored["hyper_parameters"]
    old = {key: given[key] for key in ("network", "classes", "in_channels", "data")}
    torch.save({**stored, "hyper_parameters": old}, "old.ckpt")
    assert run_cli("export", "old.ckpt", "old")[0] == 0
    assert predict(load_classifier("old"), SHAPE) == predict(best, SHAPE)

    other = {**given, "network": {**given["network"], "spin": 1}}
    torch.save({**stored, "hyper_parameters": other}, "new.ckpt")
    code, _, errors = run_cli("export", "new.ckpt", "new")
    assert code == 1 and "new.ckpt: of another release of ccnn_geo" in errors and "'spin'" in errors

    code, _, errors = run_cli("train", "--config", "modelnet40/ccnn_4_140")
    assert code == 1 and "the configuration is now called modelnet40/ccnn_4_140_paper" in errors
