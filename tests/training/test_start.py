"""A training that starts from a trained network: which weights are taken, and which learn."""

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.export import save_classifier
from ccnn_geo.training.optim import decay_groups
from ccnn_geo.training.start import (
    freeze_trunk,
    rest_trunk,
    settings_of,
    take_weights,
    with_trunk_rate,
)
from ccnn_geo.transforms import ShapePipeline

SIZES = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 6}
DATA = {"dataset": "folder", "root": "elsewhere", "num_points": 48, "num_samples": 64, "features": ["pos"]}


def network(outputs=2, **sizes):
    torch.manual_seed(outputs)
    return CCNN(3, outputs, 3, **{**SIZES, **sizes})


@pytest.fixture
def model(project):
    """A trained network in ``model``, which knows balls and discs."""
    trained = network()
    trained(torch.randn(60, 3), torch.rand(60, 3), torch.arange(60) // 30)
    pipeline = ShapePipeline(48, 64, ("pos",))
    save_classifier("model", trained.eval(), ["ball", "disc"], DATA, pipeline=pipeline.settings())
    return trained


def same(one, other, keys):
    return all(torch.equal(one.state_dict()[key], other.state_dict()[key]) for key in keys)


def test_the_trunk_comes_and_the_head_only_for_the_same_classes(model):
    trunk = [key for key in model.state_dict() if not key.startswith("head.")]
    head = [key for key in model.state_dict() if key.startswith("head.")]
    other = network(3)
    assert take_weights(other, ["a", "b", "c"], "model").endswith("with a new head")
    assert same(model, other, trunk) and other.head.scale.moment == 0
    again = network()
    take_weights(again, ["disc", "ball"], "model")  # in another order: other outputs
    assert same(model, again, trunk) and not same(model, again, head)
    assert "head" not in take_weights(again, ["ball", "disc"], "model")
    assert same(model, again, [*trunk, *head])


def test_a_branch_comes_without_its_answers_and_rests_with_the_trunk(model):
    sizes = {"members": 2, "set_channels": 3}
    trained = network(**sizes)
    trained(torch.randn(60, 3), torch.rand(60, 3), torch.arange(60) // 30)
    pipeline = ShapePipeline(48, 64, ("pos",))
    save_classifier("branch", trained.eval(), ["ball", "disc"], DATA, pipeline=pipeline.settings())
    answers = ("head.", "set_branch.linear.")
    below = [key for key in trained.state_dict() if not key.startswith(answers)]
    assert any(key.startswith("set_branch.points.") for key in below)
    other = network(3, **sizes)
    take_weights(other, ["a", "b", "c"], "branch")
    assert same(trained, other, below)
    freeze_trunk(other.train())
    learning = {name for name, p in other.named_parameters() if p.requires_grad}
    assert learning == {name for name, _ in other.named_parameters() if name.startswith(answers)}
    rest_trunk(other)
    assert not other.set_branch.norms[0].training and other.head.training
    assert other(torch.randn(60, 3), torch.rand(60, 3), torch.arange(60) // 30).shape == (2 * 3, 3)


def test_the_fit_of_other_targets_does_not_come(project):
    scale = {"units": ["eV"], "mean": [0.0], "std": [1.0]}
    trained = network(1, composition=True)
    trained(torch.randn(60, 3), torch.rand(60, 3), torch.arange(60) // 30)
    trained.composition.fit(torch.randn(9, 3), torch.randn(9, 1))
    data = {"dataset": "clouds"}
    save_classifier(
        "energies",
        trained.eval(),
        [],
        data,
        targets={"names": ["energy"], **scale},
        pipeline={"kind": "cloud"},
    )
    other = network(1, composition=True)
    take_weights(other, [], "energies")
    assert not other.composition.is_known and not other.composition.weight.any()


def test_another_network_is_refused(model):
    with pytest.raises(ValueError, match=r"--from model: a different network: .*\[16.*here and .*\[8.*there"):
        take_weights(network(hidden_channels=16), ["a", "b"], "model")


def test_settings_make_the_same_network(model):
    from ccnn_geo.nn.build import build_network

    found = settings_of("model")
    built = build_network(3, 2, **found["model"])
    assert {k: v.shape for k, v in built.state_dict().items()} == {
        k: v.shape for k, v in model.state_dict().items()
    }
    assert found["data"] == {key: value for key, value in DATA.items() if key != "root"}


def test_rates_below_the_head(model):
    head = {id(parameter) for parameter in model.head.parameters()}
    groups = decay_groups(model, 0.1, "weights")
    total = sum(p.numel() for p in model.parameters())
    slow = with_trunk_rate(groups, head, 0.01, 0.1)
    assert sum(p.numel() for group in slow for p in group["params"]) == total
    for group in slow:
        assert {id(p) in head for p in group["params"]} == {"lr" not in group}
        assert group.get("lr", 0.001) == pytest.approx(0.001)
    alone = with_trunk_rate(groups, head, 0.01, 0.0)
    assert {id(p) for group in alone for p in group["params"]} == head
    assert with_trunk_rate(groups, head, 0.01, 1.0) == groups


def trained(project):
    stored = torch.load(project / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return {
        key.removeprefix("network."): value for key, value in stored.items() if key.startswith("network.")
    }


@pytest.mark.parametrize("rate", ["0", "0.1"])
def test_by_command(model, project, run_cli, rate, no_pictures):
    options = ("--data.root", "shapes", "--data.batch_size", "6", "--trainer.max_epochs", "1")
    code, output, errors = run_cli(
        "train", "--from", "model", *options, "--optim.trunk_lr", rate, "--out", "run"
    )
    assert (code, errors) == (0, "") and "weights: from model\n" in output
    before, after = model.state_dict(), trained(project)
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert any(key.startswith("head.") for key in changed)
    below = {key for key in changed if not key.startswith("head.")}
    assert all(key.endswith("kernel.domain") for key in below) == (rate == "0"), (
        below
    )  # where points were seen
    assert run_cli("train", "--resume", "run", "--trainer.max_epochs", "2")[0] == 0  # its own weights


def test_what_cannot_be(model, project, run_cli):
    for arguments, message in (
        (("--from", "nowhere"), "nowhere: no such checkpoint"),
        (("--from", "model", "--data.dataset", "mnist"), "trained on folder, but mnist is a different kind"),
        (("--from", "model", "--resume", "run"), "a resumed run has its own weights"),
        (("--from", "model", "--optim.trunk_lr", "-1"), "optim.trunk_lr: expected 0 or more"),
        (
            ("--from", "model", "--model.hidden_channels", "16", "--data.root", "shapes"),
            "a different network",
        ),
    ):
        code, _, errors = run_cli("train", *arguments, "--trainer.max_epochs", "1")
        assert code == 1 and message in errors, errors
