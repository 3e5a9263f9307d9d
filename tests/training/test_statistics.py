"""Where a training evaluates or stores, the norms' statistics are those of its weights: against numpy."""

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch_geometric.data import Batch, Data

from ccnn_geo.cli.quiet import quiet
from ccnn_geo.training.callbacks import PlanLine
from ccnn_geo.training.module import Classifier
from ccnn_geo.training.statistics import BATCHES, SAMPLES, NormStatistics
from ccnn_geo.training.trainer import averaging


class Tiny(LightningModule):
    """A linear layer and its norm, whose weights move by much in each step."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm, self.out = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)

    def forward(self, batch):
        return self.out(self.norm(self.linear(batch[0])))

    def training_step(self, batch, batch_idx):
        return (self(batch) - 5).square().mean()

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Seen(Callback):
    """Keeps the batches of the epoch, and statistics with those that the weights of the moment give, by numpy."""

    def __init__(self, last):
        self.last, self.batches, self.found = last, [], []

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.batches.append(batch[0].numpy())

    def compare(self, module):
        weight, bias = module.linear.weight.detach().numpy(), module.linear.bias.detach().numpy()
        rows = [batch @ weight.T + bias for batch in self.batches[-self.last :]]
        expected = [np.mean([y.mean(0) for y in rows], 0), np.mean([y.var(0, ddof=1) for y in rows], 0)]
        kept = module.norm.running_mean.numpy(), module.norm.running_var.numpy()
        self.found.append([np.abs(a - e).max() for a, e in zip(kept, expected, strict=True)])

    def on_validation_epoch_start(self, trainer, module):
        assert not module.training
        self.compare(module)

    def on_train_epoch_end(self, trainer, module):
        if trainer.limit_val_batches == 0:
            self.compare(module)
        self.batches.clear()


def samples_of(count):
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(0))


def fit(samples, batch_size, last, ema=0.0, more=(), **settings):
    quiet()
    data = TensorDataset(samples_of(samples))
    seen, module = Seen(last), Tiny()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=2,
        callbacks=[*averaging(ema), NormStatistics(), *more, seen],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **settings,
    )
    trainer.fit(module, DataLoader(data, batch_size), DataLoader(data, 64))
    return np.array(seen.found), module


@pytest.mark.parametrize(
    ("samples", "batch_size", "last"),
    [
        (40, 40, 1),  # one step an epoch
        (60, 20, 3),  # all there are
        (1000, 100, 3),  # the fewest with 256 samples
        (80, 4, 16),  # and no more than 16
    ],
)
def test_validation_sees_statistics_of_its_weights(samples, batch_size, last):
    assert BATCHES == 16 and SAMPLES == 256
    found, module = fit(samples, batch_size, last)
    assert found.shape == (2, 2) and found.max() < 1e-5
    assert module.norm.momentum == 0.1 and module.norm.num_batches_tracked == 2 * samples // batch_size


def test_and_so_does_a_checkpoint_without_validation():
    found, _ = fit(60, 20, 3, limit_val_batches=0)
    assert found.shape == (2, 2) and found.max() < 1e-5


def test_validation_within_an_epoch():
    found, _ = fit(80, 10, 8, val_check_interval=0.5)
    assert found.shape == (4, 2) and found.max() < 1e-5


def test_averaged_weights_have_their_own():
    found, _ = fit(60, 20, 3, ema=0.9)
    assert found.shape == (2, 2) and found.max() < 1e-5


def test_without_validation_the_averaged_weights_are_stored_with_their_own():
    stored = {}

    class Store(Callback):
        def on_train_epoch_end(self, trainer, module):
            checkpoint = {"state_dict": {}}
            average = next(c for c in trainer.callbacks if hasattr(c, "_average_model"))
            average.on_save_checkpoint(trainer, module, checkpoint)
            stored.update({k: v.clone() for k, v in checkpoint["state_dict"].items()})

    fit(20, 20, 1, ema=0.9, more=[Store()], limit_val_batches=0)
    x = samples_of(20)
    y = x.numpy() @ stored["linear.weight"].numpy().T + stored["linear.bias"].numpy()
    np.testing.assert_allclose(stored["norm.running_mean"], y.mean(0), atol=1e-6)
    np.testing.assert_allclose(stored["norm.running_var"], y.var(0, ddof=1), rtol=1e-5)


def test_clouds_are_counted_and_not_points():
    kept, clouds = NormStatistics(), [Data(x=torch.zeros(5, 1)) for _ in range(100)]
    trainer = type("T", (), {"world_size": 2})()
    for _ in range(5):
        kept.on_train_batch_end(trainer, nn.Identity(), None, Batch.from_data_list(clouds), 0)
    assert len(kept._batches) == 2  # 200 clouds in this process, as many in the other


class Loaded:
    """A Trainer as it is before its loaders are made."""

    accumulate_grad_batches, num_training_batches, estimated_stepping_batches = 2, float("inf"), 50
    min_steps = None

    def __init__(self):
        self.fit_loop = self

    def setup_data(self):
        self.num_training_batches = 9


def test_steps_that_max_steps_alone_ends():
    model = Classifier({"preset": "ccnn_4_16"}, ["a", "b"], 6, lr=0.04)
    model._trainer = Loaded()
    model._trainer.min_steps = 51
    with pytest.raises(
        ValueError, match=r"trainer\.min_steps: expected at most the 50 steps of the run, got 51"
    ):
        model.configure_optimizers()
    model._trainer.min_steps = 50
    scheduler = model.configure_optimizers()["lr_scheduler"]["scheduler"]
    assert scheduler.get_last_lr() == [pytest.approx(0.04 / 5)]  # the first of five steps of warm-up
    lines = []
    loader = DataLoader(range(50), batch_size=5, drop_last=True)
    trainer = type("T", (), {"is_global_zero": True, "callbacks": [], "train_dataloader": loader})()
    trainer.world_size, trainer.num_training_batches = 1, 10
    trainer.lr_scheduler_configs = [type("C", (), {"scheduler": scheduler})()]
    PlanLine(lines.append).on_train_start(trainer, model)
    trainer.is_global_zero = False
    PlanLine(lines.append).on_train_start(trainer, model)
    asked = "limited by optim.warmup_share, optim.warmup_epochs is 10"
    loader = DataLoader(range(52), batch_size=5, drop_last=True)
    trainer.is_global_zero, trainer.train_dataloader = True, loader
    PlanLine(lines.append).on_train_start(trainer, model)
    assert lines.pop().startswith(
        "each epoch leaves out 2 of 52 training samples, different ones each time; they do not fill"
    )
    lines.pop()
    trainer.num_training_batches = 3  # limit_train_batches
    PlanLine(lines.append).on_train_start(trainer, model)
    assert lines[-1].startswith("warm-up: 5 of 50 steps") and lines.pop()
    assert lines == [f"warm-up: 5 of 50 steps (1 of 10 epochs); {asked}; learning rate 0.04"]
