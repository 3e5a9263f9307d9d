from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from torch.nn import functional as F
from torch_geometric.data import Batch, Data

from ccnn_geo.cli.quiet import quiet
from ccnn_geo.export.trained import read_network
from ccnn_geo.nn.conv.kernel_norms import collect_kernel_norms, l2_penalty
from ccnn_geo.training import run
from ccnn_geo.training.data.shapes import ShapesDataModule
from ccnn_geo.training.module import Classifier
from ccnn_geo.training.schedule import warmup_cosine

NETWORK = {
    "hidden_channels": 8,
    "num_blocks": 1,
    "kernel_hidden": 4,
    "omega_0": 0.5,
    "window_init": 0.3,
    "num_neighbors": 8,
}


def data() -> ShapesDataModule:
    return ShapesDataModule("folder", "shapes", num_points=48, num_samples=64, batch_size=8)


def trainer(**kwargs) -> Trainer:
    quiet()
    defaults = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
    }
    return Trainer(**{**defaults, **kwargs})


def batch() -> Batch:
    clouds = [Data(x=torch.randn(20, 6), pos=torch.rand(20, 3), y=torch.tensor([i % 3])) for i in range(4)]
    return Batch.from_data_list(clouds)


def test_loss_drops(project):
    model, source = Classifier(NETWORK, warmup_epochs=1, lr=0.05), data()
    fit = trainer(max_epochs=12)
    fit.fit(model, datamodule=source)
    assert model.hparams.classes == ["ball", "disc"]
    assert fit.callback_metrics["train_loss"] < 0.5
    assert fit.callback_metrics["train_acc"] > 0.8
    assert set(fit.callback_metrics) >= {"val_loss", "val_acc", "val_mean_acc"}


@pytest.mark.usefixtures("no_pictures")
def test_the_average_of_the_weights_is_what_is_kept(project):
    """By hand: the first step's weights, then a tenth of each further step's."""
    seen, batches, expected = [], [], {}

    class Recorder(Callback):
        def on_train_batch_end(self, trainer, pl_module, _, batch, batch_idx):
            batches.append(batch)
            for name, p in pl_module.named_parameters():
                expected[name] = p.detach().clone() if not seen else 0.9 * expected[name] + 0.1 * p.detach()
            seen.append(pl_module.network.stem_norm.running_mean.clone())

    quiet()
    config = {
        "seed": 0,
        "model": NETWORK,
        "optim": {"ema": 0.9, "lr": 0.05, "warmup_epochs": 0.5},
        "data": {"dataset": "folder", "root": "shapes", "num_points": 48, "num_samples": 64, "batch_size": 8},
        "trainer": {"max_epochs": 2, "accelerator": "cpu"},
    }
    with pytest.MonkeyPatch.context() as patch:
        made = run.averaging
        patch.setattr(
            run, "averaging", lambda decay: [*made(decay), Recorder()]
        )  # before statistics are measured
        scores = run.train(config, Path("run"), progress=False)
    stored = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    assert len(seen) > 3
    for name, value in expected.items():
        torch.testing.assert_close(stored["state_dict"][name], value)
    moved = [not torch.equal(stored["current_model_state"][name], value) for name, value in expected.items()]
    assert all(moved)
    assert torch.equal(stored["current_model_state"]["network.stem_norm.running_mean"], seen[-1])
    _, network = read_network(Path("run/checkpoints/last.ckpt"))
    means = []  # of what the average of the weights gives, over the last epoch
    network.stem_norm.register_forward_pre_hook(lambda _, args: means.append(args[0].mean(0)))
    for batch in batches[len(batches) // 2 :]:
        network(batch)
    torch.testing.assert_close(network.stem_norm.running_mean, torch.stack(means).mean(0), atol=1e-5, rtol=0)
    torch.testing.assert_close(network.head.linear.weight, expected["network.head.linear.weight"])
    assert 0 <= scores.accuracy <= 1


@pytest.mark.parametrize(("accumulate", "share"), [(1, 1.0), (2, 1.0), (1, 0.4)])
def test_learning_rate_follows_the_schedule(project, accumulate, share):
    model = Classifier(NETWORK, warmup_epochs=1.5, warmup_share=share, lr=0.1)
    rates = []
    model.on_train_batch_start = lambda *_: rates.append(model.optimizers().param_groups[0]["lr"])
    fit = trainer(max_epochs=3, accumulate_grad_batches=accumulate)
    fit.fit(model, datamodule=data())
    batches, steps = len(rates) // 3, fit.global_step
    per_epoch = -(-batches // accumulate)
    assert steps == 3 * per_epoch
    done = [e * per_epoch + b // accumulate for e in range(3) for b in range(batches)]
    warmup = min(round(1.5 * per_epoch), int(share * steps))
    expected = [0.1 * warmup_cosine(s, warmup, steps) for s in done]
    assert rates == pytest.approx(expected)
    assert model.optimizers().param_groups[0]["lr"] == 0


def test_a_training_of_before_keeps_its_warmup():
    """Its checkpoint knows of no bound; of one of now another may be asked for."""
    model = Classifier(NETWORK, ["a", "b"], 6)
    assert model.hparams.warmup_share == 0.1
    before = {key: value for key, value in model.hparams.items() if key != "warmup_share"}
    for given, expected in (({"warmup_share": 0.3}, 0.1), ({}, 1.0)):
        model.on_load_checkpoint({"hyper_parameters": {**before, **given}})
        assert model.hparams.warmup_share == expected


def test_loss_is_smoothed_cross_entropy_with_penalty():
    model = Classifier(NETWORK, ["a", "b", "c"], 6, label_smoothing=0.2, kernel_l2=0.3).eval()
    model.log = lambda *_, **__: None
    inputs = batch()
    model.network.train()(inputs)
    model.eval()
    with collect_kernel_norms() as norms:
        log_p = model(inputs).log_softmax(dim=1)
    target = 0.8 * F.one_hot(inputs.y, 3) + 0.2 / 3
    expected = -(target * log_p).sum(dim=1).mean() + 0.3 * l2_penalty(norms)
    torch.testing.assert_close(model.training_step(inputs, 0), expected)


def test_weight_decay_is_decoupled():
    model = Classifier(NETWORK, ["a", "b"], 6, lr=0.1, weight_decay=0.5)
    model._trainer = type(
        "T", (), {"estimated_stepping_batches": 10, "num_training_batches": 2, "min_steps": None}
    )()
    model._trainer.accumulate_grad_batches = 1
    optimizer = model.configure_optimizers()["optimizer"]
    assert isinstance(optimizer, torch.optim.AdamW)
    assert optimizer.param_groups[0]["weight_decay"] == 0.5
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(model.network.parameters()))


def test_seed_decides_the_weights():
    draws = []
    for seed in (0, 0, 1):
        torch.rand(3)
        draws.append(Classifier(NETWORK, ["a", "b"], 6, seed=seed).network.head.linear.weight)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_checkpoint_is_plain(project):
    fit, model = trainer(max_epochs=1), Classifier(NETWORK, data={"num_points": 48})
    fit.fit(model, datamodule=data())
    fit.save_checkpoint("a.ckpt")
    stored = torch.load("a.ckpt", weights_only=True)
    assert stored["hyper_parameters"]["classes"] == ["ball", "disc"]
    again = Classifier.load_from_checkpoint("a.ckpt", weights_only=True)
    for name, value in model.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], value), name


def test_other_classes_are_refused(project):
    model = Classifier(NETWORK, ["cube", "ball"], 6)
    with pytest.raises(ValueError, match="has the classes cube, ball, the test set has ball, disc"):
        trainer().test(model, datamodule=data())


@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": 0},
        {"weight_decay": -1},
        {"warmup_epochs": -1},
        {"warmup_share": 1.1},
        {"kernel_l2": -1},
        {"label_smoothing": 1},
        {"nyquist": -1},
        {"ema": 1},
        {"decay": "some"},
    ],
)
def test_arguments_out_of_range(wrong):
    with pytest.raises(ValueError, match=r"optim.*expected"):
        Classifier(NETWORK, **wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"preset": "ccnn_9"}, "expected one of ccnn_4_16"),
        ({"hidden_channels": None}, "missing hidden_channels"),
        ({"conv": {"colour": 1}}, r"^model\.conv: expected arguments of SepFlexConv .*, got colour$"),
        ({"conv": {"window_init": 1}}, r"^model\.conv: .*, got window_init$"),
    ],
)
def test_networks_that_cannot_be_built(wrong, message):
    with pytest.raises(ValueError, match=message):
        Classifier({**NETWORK, **wrong}, ["a", "b"], 6)
