import csv
import json
import signal

import fake_data
import pytest
import torch
from torch.nn import functional as F
from torch_geometric.data import Batch, Data

from ccnn_geo.export.trained import read_network
from ccnn_geo.nn.build import class_logits
from ccnn_geo.training.module import Classifier

CONFIG = """\
name: {name}
model: {{hidden_channels: 8, num_blocks: 1, kernel_hidden: 4, omega_0: 5.0, window_init: 0.2, dropout: 0.1{model}}}
optim: {{lr: 0.05, warmup_epochs: 1, kernel_l2: 0.0001{optim}}}
data: {{dataset: {name}, root: ., batch_size: 8{data}}}
trainer: {{max_epochs: 4, gradient_clip_val: 1.0, accelerator: cpu}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fake_data.register(monkeypatch, tmp_path)
    write(tmp_path, "tones", model=", causal: true", data=", augment: {noise: [10.0, 20.0]}")
    return tmp_path


def write(folder, name, model="", optim="", data=""):
    (folder / f"{name}.yaml").write_text(CONFIG.format(name=name, model=model, optim=optim, data=data))


def results(folder) -> dict:
    return json.loads((folder / "results.json").read_text())


def test_train_then_test_a_sequence(run_cli, folder):
    code, output, errors = run_cli("train", "--config", "tones.yaml", "--out", "run")
    assert (code, errors) == (0, "")
    assert len([line for line in output.splitlines() if line.startswith("epoch ")]) == 4
    for name in ("config.yaml", "metrics.csv", "curves.png", "confusion.png", "results.json"):
        assert (folder / "run" / name).stat().st_size > 0
    code, output, errors = run_cli("test", "run")
    assert (code, errors) == (0, "") and output.startswith("test (tones): accuracy ")
    assert (folder / "run" / "confusion_test_tones.png").exists()
    assert results(folder / "run")["test_tones"]["accuracy"] > 0.9
    # another length, and other options of the data
    code, _, errors = run_cli(
        "test", "run", "--data.dataset_args", '{"length": 16}', "--data.batch_size", "5"
    )
    assert (code, errors) == (0, "")
    assert run_cli("test", "--data.batch_size", "5", "run")[0] == 0

    _, network = read_network("run")
    assert (network.dim, network.in_channels, network.stem.kernel.causal) == (1, 1, True)
    code, output, _ = run_cli("info", "run")
    total = sum(p.numel() for p in network.parameters())
    assert code == 0 and output.splitlines()[-1].split() == ["total", f"{total:,}"]


@pytest.mark.usefixtures("no_pictures")
def test_interrupted_and_resumed_equals_unbroken(run_cli, folder, monkeypatch):
    step = Classifier.training_step
    handler = signal.getsignal(signal.SIGINT)

    def stop(self, *args):
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return step(self, *args)

    monkeypatch.setattr(Classifier, "training_step", stop)
    train = ("train", "--config", "tones.yaml", "--trainer.max_epochs", "3")
    assert run_cli(*train, "--out", "part")[0] == 130
    signal.signal(signal.SIGINT, handler)  # Lightning ignores it from then on
    monkeypatch.setattr(Classifier, "training_step", step)
    code, output, errors = run_cli("train", "--resume", "part", "--data.num_workers", "0")
    assert (code, errors) == (0, "") and "epoch 2/3" in output and "epoch 1/3" not in output
    assert run_cli(*train, "--out", "whole")[0] == 0
    rows = []
    for run in ("part", "whole"):
        with (folder / run / "metrics.csv").open() as file:
            rows.append([{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)])
    assert rows[0] == rows[1] and len(rows[0]) == 3
    a, b = (torch.load(f"{run}/checkpoints/last.ckpt", weights_only=True) for run in ("part", "whole"))
    for name, value in a["state_dict"].items():
        assert torch.equal(value, b["state_dict"][name]), name


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(
    ("name", "shape", "least"),
    [("spots", (2, 2, "global"), 0.9), ("visits", (3, 1, "global"), 0.9), ("scenes", (1, 3, "node"), 0.8)],
)
def test_images_series_and_scenes(run_cli, folder, name, shape, least):
    write(folder, name, model=", num_neighbors: 8")
    code, _, errors = run_cli(
        "train", "--config", f"{name}.yaml", "--out", "run", "--trainer.max_epochs", "4"
    )
    assert (code, errors) == (0, "")
    code, output, errors = run_cli("test", "run")
    assert (code, errors) == (0, "") and output.startswith(f"test ({name})")
    assert results(folder / "run")[f"test_{name}"]["accuracy"] > least
    settings, network = read_network("run")
    assert (network.in_channels, network.dim, network.readout) == shape
    assert (settings["in_channels"], settings["dim"], settings["readout"]) == shape


@pytest.mark.usefixtures("no_pictures")
def test_one_output_between_two_classes(run_cli, folder):
    write(folder, "tones", optim=", binary: true")
    assert run_cli("train", "--config", "tones.yaml", "--out", "run")[0] == 0
    code, _, errors = run_cli("test", "run")
    assert (code, errors) == (0, "")
    assert results(folder / "run")["test_tones"]["accuracy"] > 0.9
    assert read_network("run")[1].out_channels == 1
    code, _, errors = run_cli("train", "--resume", "run", "--optim.binary", "false")
    assert code == 1 and "optim.binary was True, got False" in errors
    write(folder, "spots", optim=", binary: true")
    code, _, errors = run_cli("train", "--config", "spots.yaml")
    assert code == 1 and "optim.binary: expected two classes, got 3" in errors
    assert not (folder / "runs").exists()


def test_the_loss_of_one_output_is_the_binary_cross_entropy():
    z, y = torch.randn(7, 1), torch.randint(2, (7,))
    expected = F.binary_cross_entropy_with_logits(z[:, 0], y.float())
    torch.testing.assert_close(F.cross_entropy(class_logits(z), y), expected)
    assert torch.equal(class_logits(torch.ones(2, 3)), torch.ones(2, 3))


def test_points_without_a_label_do_not_count():
    sizes = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 4}
    model = Classifier(sizes, ["low", "high"], 1, 3, "node")
    model.log = lambda *_, **__: None
    pos = torch.rand(20, 3)
    batch = Batch.from_data_list([Data(x=pos[:, 2:], pos=pos, y=torch.arange(20) % 3 - 1)])
    model.train()(batch)
    logits, known = model(batch), batch.y >= 0
    expected = F.cross_entropy(logits[known], batch.y[known])
    torch.testing.assert_close(model.training_step(batch, 0), expected)
    batch.y[:] = -1
    assert model.training_step(batch, 0) is None
    model.validation_step(batch, 0)
    assert int(model.evaluation.confusion.confmat.sum()) == 0


def test_scenes_without_labels_are_refused(run_cli, folder, monkeypatch):
    write(folder, "scenes", model=", num_neighbors: 8")
    sample = fake_data.Scenes.sample
    monkeypatch.setattr(
        fake_data.Scenes, "sample", lambda *a: Data(pos=sample(*a).pos, x=sample(*a).x, name="a.bin")
    )
    code, _, errors = run_cli("train", "--config", "scenes.yaml")
    assert code == 1 and "expected labels, scenes has none for a.bin" in errors and errors.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--data.num_points", "5"), 2, "num_points"),
        (("--data.limit", "0"), 1, "data.limit"),
        (("--data.augment.crop", "3"), 1, "data.augment: expected crop and flip only for images"),
        (("--data.dataset_args", '{"size": 3}'), 1, "data.dataset_args: expected some of"),
        (("--data.dataset", "nothing"), 1, "data.dataset: expected one of smnist"),
        (("--model.causal", "true", "--data.dataset", "spots", "--data.augment", "null"), 1, "causal"),
        (("--optim.readout", "node"), 2, "readout"),
    ],
)
def test_errors_are_one_line(run_cli, folder, arguments, code, message):
    found, _, errors = run_cli("train", "--config", "tones.yaml", *arguments)
    assert found == code and message in errors
    assert errors.startswith("ccnn-geo: ") and errors.count("\n") == 1
    assert not (folder / "runs").exists()


@pytest.mark.usefixtures("no_pictures")
def test_checkpoints_meet_data_of_their_kind_only(run_cli, folder):
    assert run_cli("train", "--config", "tones.yaml", "--out", "run", "--trainer.max_epochs", "1")[0] == 0
    for arguments, message in (
        (("test", "run", "--data.dataset", "spots"), "the checkpoint has the classes low, high"),
        (
            ("test", "run", "--data.dataset", "parametric"),
            "trained on tones, but parametric is a different kind",
        ),
        (("predict", "run", "a.off"), "trained on tones, without the preparation of a sample"),
    ):
        code, _, errors = run_cli(*arguments)
        assert code == 1 and message in errors and errors.count("\n") == 1


def test_missing_files_are_named_in_one_line(run_cli, folder):
    (folder / "tones" / "tones.bin").unlink()
    code, _, errors = run_cli("train", "--config", "tones.yaml", "--data.dataset_args", '{"download": false}')
    assert code == 1 and "place http://127.0.0.1:9/tones.bin there" in errors and errors.count("\n") == 1
