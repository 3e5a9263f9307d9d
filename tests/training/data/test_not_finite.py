"""NaN and infinities in samples, and trainings that diverge: one line that says where."""

import fake_data
import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from ccnn_geo.training.data.finite import FiniteSamples

CONFIG = """\
name: {name}
model: {{hidden_channels: 4, num_blocks: 1, kernel_hidden: 4, omega_0: 5.0, window_init: 0.2, num_neighbors: 4}}
optim: {{lr: {lr}, warmup_epochs: 0}}
data: {{dataset: {name}, root: ., batch_size: 8, num_workers: {workers}}}
trainer: {{max_epochs: 2, accelerator: cpu}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, no_pictures):
    monkeypatch.chdir(tmp_path)
    return fake_data.register(monkeypatch, tmp_path)


def spoil(monkeypatch, split: str, value: float) -> None:
    """Puts a value into sample 3 of a split of the tones."""
    plain = fake_data.noise

    def noise(name, *shape):
        values = plain(name, *shape)
        if name == split:
            values[3, 7] = value
        return values

    monkeypatch.setattr(fake_data, "noise", noise)


def write(folder, name: str, lr: float = 0.01, workers: int = 0) -> str:
    (folder / "a.yaml").write_text(CONFIG.format(name=name, lr=lr, workers=workers))
    return "a.yaml"


@pytest.mark.parametrize(
    ("split", "workers", "value"),
    [("train", 0, np.nan), ("train", 1, np.inf), ("validation", 0, -np.inf)],
)
def test_a_sample_of_a_grid_is_named(run_cli, folder, monkeypatch, split, workers, value):
    spoil(monkeypatch, split, value)
    config = write(folder, "tones", workers=workers)
    code, _, errors = run_cli("train", "--config", config, "--out", "run")
    part = "training" if split == "train" else split
    assert code == 1 and errors == (
        f"ccnn-geo: tones, {part} set: sample 3 has NaN or Inf in 1 of 32 values of the grid [1, 32] (first: [0, 7]), "
        "expected numbers\n"
    )


def test_a_sample_of_the_test_set_is_named(run_cli, folder, monkeypatch):
    assert (
        run_cli("train", "--config", write(folder, "tones"), "--out", "run", "--trainer.max_epochs", "1")[0]
        == 0
    )
    spoil(monkeypatch, "test", np.nan)
    code, _, errors = run_cli("test", "run")
    assert code == 1 and errors.startswith("ccnn-geo: tones, test set: sample 3 has NaN or Inf in 1 of 32")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("what", ["x", "pos"])
def test_a_sample_of_points_is_named(run_cli, folder, monkeypatch, what):
    plain = fake_data.Visits.sample

    def sample(self, place, label):
        data = plain(self, place, label)
        if place == 5:
            data[what][2] = torch.nan
        return data

    monkeypatch.setattr(fake_data.Visits, "sample", sample)
    code, _, errors = run_cli("train", "--config", write(folder, "visits"), "--out", "run")
    assert code == 1 and errors.count("\n") == 1
    assert f"visits, training set: sample 5 has NaN or Inf in {3 if what == 'x' else 1} of " in errors
    assert f" values of {what} [" in errors


def test_the_name_of_a_sample_is_said():
    samples = [Data(x=torch.full((2, 1), torch.inf), pos=torch.zeros(2, 3), name="train/cup/a.off")]
    with pytest.raises(
        ValueError, match=r"^shapes: sample 0 \(train/cup/a\.off\) has NaN or Inf in 2 of 2 values of x"
    ):
        FiniteSamples(samples, "shapes")[0]


def test_samples_are_what_they_were():
    grids = [(torch.ones(1, 4), 2), (torch.ones(1, 4, dtype=torch.long), 1)]
    found = FiniteSamples(grids, "grids")
    assert len(found) == 2 and found[0] is grids[0] and found[1] is grids[1]


@pytest.mark.parametrize("window", ["gaussian", "null"])
def test_a_training_that_diverges_ends_before_it_spoils_a_checkpoint(run_cli, folder, window):
    """A window that is not a number makes a step fail; without one all steps are made."""
    options = ["--model.window", window, "--out", "run"]
    code, output, errors = run_cli("train", "--config", write(folder, "tones", lr=1e30), *options)
    assert code == 1 and errors.count("\n") == 1, output
    assert errors.startswith("ccnn-geo: training has diverged: after step ")
    assert "of epoch 0 network." in errors and "is not finite; lower optim.lr" in errors
    assert list((folder / "run").rglob("*.ckpt")) == []


def test_a_step_that_fails_with_sound_weights_says_what_it_said(run_cli, folder, monkeypatch):
    def step(*_):
        raise ValueError("something else")

    monkeypatch.setattr("ccnn_geo.training.module.Classifier.training_step", step)
    code, _, errors = run_cli("train", "--config", write(folder, "tones"), "--out", "run")
    assert (code, errors) == (1, "ccnn-geo: something else\n")
