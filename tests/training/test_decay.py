"""What decays: by names, on a step without gradients, and from the command line's option."""

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.training.module import Classifier
from ccnn_geo.training.optim import decay_groups


def decayed(network: torch.nn.Module, decay: str) -> set[str]:
    """Names of the parameters that a step of AdamW without gradients changes."""
    optimizer = torch.optim.AdamW(decay_groups(network, 0.1, decay), lr=0.5)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    changed = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
    for name, p in network.named_parameters():
        if name in changed:
            torch.testing.assert_close(p.detach(), before[name] * (1 - 0.5 * 0.1))
    return changed


@pytest.mark.parametrize("kernel", ["magnet", "gabor", "siren", "fourier", "random_fourier", "mlp"])
def test_weights_of_linear_layers_decay(kernel):
    network = CCNN(2, 3, dim=2, hidden_channels=4, num_blocks=1, kernel_hidden=4, kernel=kernel)
    assert decayed(network, "weights") == {
        "stem.kernel.network.output.weight",
        "stem.pointwise.weight",
        "blocks.0.conv.kernel.network.output.weight",
        "blocks.0.conv.pointwise.weight",
        "blocks.0.linear.weight",
        "head.linear.weight",
    }


def test_all_decay():
    network = CCNN(2, 3, dim=2, hidden_channels=4, num_blocks=1, kernel_hidden=4)
    zero = {name for name, p in network.named_parameters() if not p.any()}
    assert decayed(network, "all") == {name for name, _ in network.named_parameters()} - zero


def test_each_parameter_is_in_one_group():
    network = CCNN(2, 3, dim=2, hidden_channels=4, num_blocks=1, kernel_hidden=4)
    groups = decay_groups(network, 0.1, "weights")
    found = [id(p) for group in groups for p in group["params"]]
    assert sorted(found) == sorted(id(p) for p in network.parameters())


def test_another_decay_is_refused():
    with pytest.raises(ValueError, match=r"optim\.decay: expected one of all, weights, got 'biases'"):
        Classifier({"preset": "ccnn_4_16"}, decay="biases")
    with pytest.raises(ValueError, match=r"optim\.decay: expected one of all, weights, got 'some'"):
        decay_groups(torch.nn.Linear(1, 1), 0.1, "some")
