"""Training below the Nyquist rate: a start that the first batch limits, a penalty, and what checkpoints keep."""

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from torch_geometric.data import Batch, Data

from ccnn_geo.cli import main
from ccnn_geo.cli.quiet import quiet
from ccnn_geo.cli.train_options import train_parser
from ccnn_geo.nn.nyquist import nyquist_penalty, sample_spacing
from ccnn_geo.training.data.shapes import ShapesDataModule
from ccnn_geo.training.module import Classifier

NETWORK = {
    "hidden_channels": 8,
    "num_blocks": 1,
    "kernel_hidden": 4,
    "omega_0": 20.0,
    "window_init": 0.5,
    "num_neighbors": 8,
}


def fit(model: Classifier, *callbacks: Callback, resume: str | None = None) -> Classifier:
    quiet()
    source = ShapesDataModule("folder", "shapes", num_points=48, num_samples=64, batch_size=8)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=2,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    trainer.fit(model, datamodule=source, ckpt_path=resume, weights_only=True)
    return model


def kernels(model: Classifier) -> list:
    return [conv.kernel for conv in model.network.convs]


def step_loss(model: Classifier, inputs) -> torch.Tensor:
    model.log = lambda *_, **__: None
    torch.manual_seed(0)
    return model.training_step(inputs, 0)


def test_the_loss_has_the_penalty_of_the_first_batch():
    clouds = [Data(x=torch.randn(40, 6), pos=torch.rand(40, 3), y=torch.tensor([i % 3])) for i in range(4)]
    inputs, smaller = Batch.from_data_list(clouds), Batch.from_data_list(clouds)
    smaller.pos = inputs.pos / 7
    with_penalty = Classifier(NETWORK, ["a", "b", "c"], 6, nyquist=0.3).eval()
    without = Classifier(NETWORK, ["a", "b", "c"], 6).eval()
    expected = nyquist_penalty(kernels(without), sample_spacing(None, inputs.pos, inputs.batch))
    assert expected > 1
    for batch in (inputs, smaller, inputs):  # the spacing stays that of the first
        difference = step_loss(with_penalty, batch) - step_loss(without, batch)
        torch.testing.assert_close(difference, 0.3 * expected, rtol=1e-3, atol=1e-3)
    declared = Classifier(NETWORK, ["a", "b", "c"], 6, nyquist=1.0, nyquist_spacing=0.05).eval()
    difference = step_loss(declared, inputs) - step_loss(without, inputs)
    torch.testing.assert_close(difference, nyquist_penalty(kernels(without), 0.05), rtol=1e-3, atol=1e-3)


def test_on_grids_it_is_the_grid_s():
    model = Classifier(NETWORK, ["a", "b"], 1, dim=2, nyquist=1.0).eval()
    step_loss(model, (torch.randn(2, 1, 6, 11), torch.tensor([0, 1])))
    assert model.hparams.nyquist_spacing == pytest.approx([0.2, 0.2])


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(project):
    class Saver(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.current_epoch == 0:
                trainer.save_checkpoint("first.ckpt")

    def make() -> Classifier:
        return Classifier({**NETWORK, "init_spacing": "auto"}, nyquist=0.1, lr=0.05)

    whole = fit(make(), Saver())
    stored = torch.load("first.ckpt", weights_only=True)["hyper_parameters"]["nyquist_spacing"]
    assert stored == pytest.approx(whole.network.first_spacing.value.tolist())  # both of the first batch
    resumed = fit(make(), resume="first.ckpt")
    assert resumed.hparams.nyquist_spacing == stored
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(resumed.network.state_dict()[name], value, msg=name)
    again = Classifier.load_from_checkpoint("first.ckpt", weights_only=True)
    assert again.hparams.nyquist_spacing == stored


def test_checkpoints_from_before_load(project):
    model = fit(Classifier({**NETWORK, "omega_0": 1.0}, ["ball", "disc"], 6))
    trainer = model.trainer
    trainer.save_checkpoint("new.ckpt")
    stored = torch.load("new.ckpt", weights_only=True)
    assert stored["hyper_parameters"].pop("nyquist") == 0
    assert stored["hyper_parameters"].pop("nyquist_spacing") is None
    torch.save(stored, "old.ckpt")
    again = Classifier.load_from_checkpoint("old.ckpt", weights_only=True)
    assert torch.equal(again.network.head.linear.weight, model.network.head.linear.weight)


def test_command_line(project, capsys):
    arguments = ["train", "--config", "tiny.yaml"]
    assert main([*arguments, "--model.init_spacing", "2"]) != 0
    assert "expected window_init above 1.27" in capsys.readouterr().err
    assert main([*arguments, "--optim.nyquist", "1", "--model.kernel", "mlp"]) != 0
    assert "MLPKernel: expected a kernel with frequencies" in capsys.readouterr().err
    assert not (project / "runs").exists()
    options = ["--model.init_spacing", "auto", "--optim.nyquist", "0.1", "--optim.nyquist_spacing", "0.2"]
    config = train_parser("folder").parse_args([*arguments[1:], *options])
    assert config.model.init_spacing == "auto"
    assert (config.optim.nyquist, config.optim.nyquist_spacing) == (0.1, 0.2)
