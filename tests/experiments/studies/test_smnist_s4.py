"""A CCNN beside S4: trained alike, continued where they were interrupted, reported at equal minutes."""

import fake_data
import pytest
import torch

from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import peer_training, smnist_s4
from ccnn_geo.experiments.studies.peer_training import EpochClock, train, train_apart
from ccnn_geo.experiments.studies.smnist_s4 import NETWORKS, accuracy_after, settings
from ccnn_geo.training.run import check
from ccnn_geo.training.schedule import warmup_cosine

EPOCHS = 3


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A small network on generated tones of two classes, for a few epochs."""
    folder = tmp_path / "data"
    folder.mkdir()
    fake_data.register(monkeypatch, folder)
    model = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 5.0, "causal": True}
    return {
        "seed": 0,
        "model": {**model, "window_init": 0.2, "dropout": 0.1},
        "optim": {"lr": 0.02, "warmup_epochs": 1, "warmup_share": 1},
        "data": {"dataset": "tones", "root": str(folder), "batch_size": 8},
        "trainer": {"max_epochs": EPOCHS, "accelerator": "cpu"},
    }


class Watch(EpochClock):
    """Notes the rates before each step, and may stop a training."""

    rates: list
    stop = None

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == self.stop:
            raise RuntimeError("stopped")


@pytest.fixture
def watch(monkeypatch):
    monkeypatch.setattr(Watch, "rates", [], raising=False)
    monkeypatch.setattr(peer_training, "EpochClock", Watch)
    return Watch


def assert_systems_follow_the_schedule_at_a_rate_of_their_own(rates, found):
    steps = len(rates) // EPOCHS
    factors = [warmup_cosine(s, steps, steps * EPOCHS) for s in range(steps * EPOCHS)]
    assert rates == [[pytest.approx(0.02 * f), pytest.approx(1e-3 * f)] for f in factors]
    assert found["accuracy"] > 80 and found["windows"] == []
    assert len(found["curve"]) == len(found["training_curve"]) == EPOCHS


@pytest.mark.parametrize("network", NETWORKS)
def test_a_training_keeps_its_schedule_and_goes_on_where_it_was_interrupted(
    config, tmp_path, watch, monkeypatch, network
):
    whole = train(tmp_path / "whole", config, network)
    if network == "s4":
        assert_systems_follow_the_schedule_at_a_rate_of_their_own(watch.rates, whole)
    monkeypatch.setattr(watch, "stop", 2)
    with pytest.raises(RuntimeError, match="stopped"):
        train(tmp_path / "parts", config, network)
    monkeypatch.setattr(watch, "stop", None)
    parts = train(tmp_path / "parts", config, network)
    for key in ("accuracy", "curve", "training_curve", "windows", "parameters"):
        assert parts[key] == whole[key]
    assert len(whole["windows"]) == (2 if network == "ccnn" else 0)
    assert len(parts["seconds"]) == EPOCHS and parts["seconds"] == sorted(parts["seconds"])
    done = train(tmp_path / "parts", config, network)  # only the test part is left to do
    assert done == parts


def test_errors_come_back_from_the_other_process(tmp_path, config, monkeypatch):
    """From one that need not import Lightning, and from a training that is not apart."""
    threads = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        peer_training.apart(divmod, 1, 0)
    assert torch.get_num_threads() == threads
    config["data"] |= {"dataset": "smnist", "batch_size": 0}
    monkeypatch.setattr(peer_training, "apart", lambda function, *arguments: function(*arguments))
    with pytest.raises(ValueError, match="expected batch_size >= 1"):
        train_apart(tmp_path, config, "s4")


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_both_are_trained_alike(scale, tmp_path):
    ours, peer = (settings(scale, network, tmp_path, 3) for network in NETWORKS)
    for config in (ours, peer):
        check(config)
        config["model"].pop("omega_0")
        config["optim"].pop("lr")
        config["optim"].pop("kernel_l2")
    assert ours == peer and ours["seed"] == 3 and ours["data"]["root"] == str(tmp_path)
    assert ours["model"]["preset"] == "ccnn_4_140" and ours["model"]["causal"]
    assert (ours["trainer"]["max_epochs"] == 210) == (scale == "paper")


def test_accuracy_after_some_time():
    run = {"curve": [50.0, 80.0, 90.0], "seconds": [10.0, 21.0, 30.0]}
    assert [accuracy_after(run, s) for s in (9, 10, 20.9, 21, 99)] == [None, 50.0, 50.0, 80.0, 90.0]


def test_the_report_has_equal_minutes_and_equal_epochs(tmp_path, monkeypatch):
    runs = {
        "ccnn": {"curve": [50.0, 80.0, 90.0], "seconds": [60.0, 120.0, 180.0], "windows": [0.1, 0.2]},
        "s4": {"curve": [40.0, 70.0, 95.0], "seconds": [120.0, 180.0, 300.0], "windows": []},
    }

    def instead(folder, config, network):
        return {**runs[network], "training_curve": [], "accuracy": 91.25, "parameters": 1234}

    opened = []
    monkeypatch.setattr(smnist_s4, "train_apart", instead)
    monkeypatch.setattr(smnist_s4, "SequentialMNIST", lambda root, split: opened.append(split))
    options = Options("small", tmp_path, (0, 1))
    text = run_study(smnist_s4.STUDY, options, tmp_path / "out", say=str).read_text()
    assert opened == ["train", "test"]
    assert "| after 1.5 minutes | after 3.0 minutes | after 3 epochs | test |" in text
    both = " ± 0.0"
    ours = f"| 1.00 | 50.0{both} | 90.0{both} | 90.0{both} | 91.25 ± 0.00 |"
    peer = f"| 1.67 | - | 70.0{both} | 95.0{both} | 91.25 ± 0.00 |"
    assert f"| CCNN-4,140 | 1,234 {ours}" in text and f"| S4, width 140 | 1,234 {peer}" in text
    assert "| CCNN-6,380, the paper | | | | | | 99.72 |" in text
    assert "stem to last block: 0.100, 0.200; 0.075 before" in text
    assert (tmp_path / "out/curves.png").stat().st_size > 1000
