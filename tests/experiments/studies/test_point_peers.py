"""Peers on point clouds: equal settings, equal budgets, reports."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import budget_training, point_peers
from ccnn_geo.experiments.studies.budget_training import SomeValidations, seconds_per_epoch, train_within
from ccnn_geo.experiments.studies.peer_report import best_of, paired
from ccnn_geo.experiments.studies.peer_training import PEERS, EpochClock
from ccnn_geo.experiments.studies.point_peers import FEATURES, METHODS, OURS, classifier, settings

SMALL = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 0.5, "num_neighbors": 4}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Balls and needles: eight for training, four for validation, of each."""
    folder, rng = tmp_path_factory.mktemp("shapes"), np.random.default_rng(0)
    for part, numbers in (("train", range(8)), ("validation", range(8, 12))):
        for name, stretch in (("ball", 1.0), ("needle", 0.1)):
            (folder / part / name).mkdir(parents=True)
            for i in numbers:
                normal = rng.normal(size=(32, 3))
                normal /= np.linalg.norm(normal, axis=1, keepdims=True)
                cloud = np.concatenate([normal * [1, 1, stretch], normal], axis=1)
                np.save(folder / part / name / f"{i:02}.npy", cloud.astype(np.float32))
    return folder


class Tiny(torch.nn.Module):
    """A linear layer on mean features, in the place of PointNet, whose layers are wide."""

    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.linear = torch.nn.Linear(in_channels, num_classes)
        self.dropout = torch.nn.Dropout(0.1)

    def forward(self, data):
        return self.linear(
            self.dropout(data.x).view(int(data.batch[-1]) + 1, -1, data.x.size(1)).abs().mean(1)
        )


@pytest.fixture
def toy(monkeypatch):
    """Settings that are quick: a peer and a CCNN, both small, on 16 points."""
    monkeypatch.setitem(PEERS, "pointnet", Tiny)

    def quick(method, scale, root, seed):
        config = settings(method, scale, root, seed)
        config["data"] |= {"num_points": 16, "num_samples": 32, "batch_size": 8}
        config["model"] = config["model"] if classifier(method) == "peer" else SMALL
        config["trainer"]["accelerator"] = "cpu"
        return config

    monkeypatch.setattr(point_peers, "settings", quick)
    monkeypatch.setattr(point_peers, "METHODS", {name: METHODS[name] for name in ("pointnet", "ccnn_4_32")})
    monkeypatch.setattr(point_peers, "OURS", ("ccnn_4_32",))
    return quick


class Stop(SomeValidations):
    at = None

    def on_train_epoch_start(self, trainer, pl_module):
        super().on_train_epoch_start(trainer, pl_module)
        if trainer.current_epoch == self.at:
            raise RuntimeError("stopped")


@pytest.mark.parametrize("name", ["pointnet", "ccnn_4_32"])
def test_an_interrupted_training_goes_on(root, toy, tmp_path, monkeypatch, name):
    monkeypatch.setattr(budget_training, "SomeValidations", Stop)
    monkeypatch.setattr(budget_training, "VALIDATIONS", 3)
    config, kind = toy(METHODS[name], "small", root, 0), classifier(METHODS[name])
    config["optim"]["ema"] = 0.5
    whole = train_within(tmp_path / "whole", config, kind, 5, None)
    assert whole["epochs"] == 5 and whole["validated"] == [2, 4, 5] and len(whole["curve"]) == 3
    assert whole["accuracy"] == whole["curve"][-1] and whole["training"] == whole["training_curve"][-1]
    monkeypatch.setattr(Stop, "at", 4)
    with pytest.raises(RuntimeError, match="stopped"):
        train_within(tmp_path / "parts", config, kind, 5, None)
    monkeypatch.setattr(Stop, "at", None)
    parts = train_within(tmp_path / "parts", config, kind, 5, None)
    assert {**parts, "seconds": 0} == {**whole, "seconds": 0}
    assert len(parts["seconds"]) == 5 and parts["seconds"] == sorted(parts["seconds"])


def test_as_many_epochs_as_fit(root, toy, tmp_path, monkeypatch):
    """Measured once: an interrupted training keeps its number, a changed estimate does not count."""
    monkeypatch.setattr(budget_training, "seconds_per_epoch", lambda *_: 2.0)
    config = toy(METHODS["pointnet"], "small", root, 0)
    found = train_within(tmp_path / "a", config, "peer", None, 7.9)
    assert found["epochs"] == 3 and 3 in found["validated"]
    monkeypatch.setattr(budget_training, "seconds_per_epoch", lambda *_: 0.1)
    assert train_within(tmp_path / "a", config, "peer", None, 7.9) == found
    monkeypatch.setattr(budget_training, "seconds_per_epoch", lambda *_: 99.0)
    assert train_within(tmp_path / "b", config, "peer", None, 7.9)["epochs"] == 1
    with pytest.raises(ValueError, match="expected epochs or seconds, got 3 and 7"):
        train_within(tmp_path / "c", config, "peer", 3, 7.0)


def test_seconds_are_those_of_steps_after_the_first(root, toy, tmp_path, monkeypatch):
    now = iter([100.0, 150.0, 200.0, *(200 + 0.5 * i for i in range(1, 11))])
    monkeypatch.setattr(budget_training.time, "process_time", lambda: next(now))
    config = toy(METHODS["pointnet"], "small", root, 0)
    config["optim"]["ema"] = 0.9
    # two batches of an epoch
    assert seconds_per_epoch(config, "peer", tmp_path) == pytest.approx(2 * 0.5)
    assert next(now, None) is None


def test_the_clock_leaves_validation_out(monkeypatch):
    times = {False: 9.0, True: 11.0}
    for validation, expected in times.items():
        clock, now = EpochClock(validation), iter([3.0, 10.0, 12.0, 14.0] if not validation else [3.0, 14.0])
        clock._now = lambda now=now: next(now)
        clock._before = -clock._now()
        clock.on_validation_start(None, None)
        clock.on_validation_end(None, None)
        clock.on_train_epoch_end(None, None)
        assert clock.seconds == [expected]


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if not method.config])
def test_a_peer_is_made_of_its_settings(name):
    if name == "perceiver":
        pytest.importorskip("perceiver_pytorch", reason="needs the extra peers (perceiver-pytorch)")
    arguments = dict(METHODS[name].model)
    network = PEERS[arguments.pop("peer")](6, 7, **arguments).eval()
    data = Data(x=torch.randn(512, 6), pos=torch.randn(512, 3), batch=torch.arange(2).repeat_interleave(256))
    assert network(data).shape == (2, 7)


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_all_are_trained_alike(scale, tmp_path):
    """But for what the table says."""
    configs = {name: settings(method, scale, tmp_path, 2) for name, method in METHODS.items()}
    ours = configs["ccnn_4_140"]
    for name, config in configs.items():
        given = config["data"].pop("features")
        peer = classifier(METHODS[name]) == "peer"
        expected = ["normal", "pos"] if name == "paper" else ["normal_outer"] if peer else list(FEATURES)
        assert given == expected
        assert {**config["data"], "features": ours["data"].get("features")} == {"features": None} | ours[
            "data"
        ] and config["trainer"] == ours["trainer"]
        own = {"lr", "kernel_l2"} | ({"weight_decay", "label_smoothing"} if name == "paper" else set())
        keep = {key: value for key, value in ours["optim"].items() if key not in own}
        assert {key: value for key, value in config["optim"].items() if key not in own} == keep
        assert config["seed"] == 2 and "max_epochs" not in config["trainer"]
    assert ours["data"]["num_points"] == (256 if scale == "small" else 512)
    paper = configs["paper"]
    assert (paper["model"]["omega_0"], paper["model"]["window_init"], paper["model"]["num_neighbors"]) == (
        50,
        0.075,
        256,
    )
    assert paper["optim"]["lr"] == 0.02 and paper["optim"]["kernel_l2"] == 1e-8


def test_the_study_from_folds_to_report(root, toy, tmp_path, monkeypatch):
    monkeypatch.setitem(point_peers.BUDGETS, "small", {"time": {"seconds": 0.1}, "epochs": {"epochs": 2}})
    monkeypatch.setattr(point_peers, "apart", lambda function, *arguments: function(*arguments))
    measured = {}  # once for each kind of network

    def once(config, kind, folder):
        if kind not in measured:
            measured[kind] = seconds_per_epoch(config, kind, folder)
        return measured[kind]

    monkeypatch.setattr(budget_training, "seconds_per_epoch", once)
    text = run_study(point_peers.STUDY, Options("small", root, (0, 4)), tmp_path / "out", say=str).read_text()
    assert "## 0.1 seconds each" in text and "## 2 epochs each" in text
    assert text.count("| PointNet |") == text.count("| CCNN-4,32, band-limited |") == 2
    for seed, fold in ((0, 0), (4, 1)):
        parts = sorted(p.name for p in (tmp_path / f"out/folds/{fold}/validation/ball").iterdir())
        assert parts == [f"{i:02}.npy" for i in range(fold, 12, 4)]
        assert (tmp_path / f"out/jobs/epochs-pointnet-{seed}/last.ckpt").exists()
    assert all((tmp_path / "out" / f"{name}.png").stat().st_size > 1000 for name in ("dots", "curves"))


def test_differences_are_paired():
    runs = {"a": [{"accuracy": v} for v in (80.0, 70.0)], "b": [{"accuracy": v} for v in (83.0, 71.0)]}
    assert best_of(runs, ["a", "b"]) == "b"
    assert paired(runs["a"], runs["b"]) == "-2.0 ± 1.0" and paired(runs["a"][:1], runs["b"][:1]) == "-3.0"


def test_every_ccnn_of_ours_is_a_method():
    assert set(OURS) <= set(METHODS) and all(METHODS[name].config for name in OURS)
    assert {m.model["peer"] for m in METHODS.values() if not m.config} == set(PEERS)
