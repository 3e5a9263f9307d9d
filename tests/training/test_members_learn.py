"""Of several networks in one each has a loss of its own, whatever the task."""

import pytest
import torch
from torch.nn import functional as F
from torch_geometric.data import Batch, Data

from ccnn_geo.training.module import Learner

MEMBERS = 3
NETWORK = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4, "num_neighbors": 8, "members": MEMBERS}
TARGETS = {"names": ["energy"], "units": ["eV"], "mean": [0.0], "std": [1.0]}


def clouds(truth):
    each = [Data(x=torch.randn(20, 6), pos=torch.rand(20, 3), y=truth(i)) for i in range(4)]
    return Batch.from_data_list(each)


def loss_of(model, batch):
    model.log = lambda *args, **kwargs: None
    model(batch)  # sets the scales
    return model.training_step(batch, 0), model(batch).unflatten(0, (MEMBERS, -1))


def test_of_classes():
    batch = clouds(lambda i: torch.tensor([i % 3]))
    model = Learner(NETWORK, classes=["a", "b", "c"], in_channels=6, label_smoothing=0.1)
    loss, each = loss_of(model, batch)
    own = [F.cross_entropy(answers, batch.y, label_smoothing=0.1) for answers in each]
    torch.testing.assert_close(loss, torch.stack(own).mean())
    model.eval()
    assert model(batch).shape == (4, 3)


def test_of_classes_with_a_branch():
    batch = clouds(lambda i: torch.tensor([i % 3]))
    model = Learner({**NETWORK, "set_channels": 4}, classes=["a", "b", "c"], in_channels=6)
    model.log = lambda *args, **kwargs: None
    model.network.set_branch.dropout.p = 0.0
    model(batch)  # sets the scales
    each = model(batch).unflatten(0, (MEMBERS + 1, -1))
    own = [F.cross_entropy(answers, batch.y) for answers in each]
    torch.testing.assert_close(model.training_step(batch, 0), torch.stack(own).mean())


def test_of_points_some_of_which_have_no_label():
    batch = clouds(lambda i: torch.arange(20) % 4 - 1)
    model = Learner(NETWORK, classes=["a", "b", "c"], in_channels=6, readout="node", task="segmentation")
    loss, each = loss_of(model, batch)
    own = [F.cross_entropy(answers, batch.y, ignore_index=-1) for answers in each]
    torch.testing.assert_close(loss, torch.stack(own).mean())


def test_of_cells_of_grids():
    model = Learner(NETWORK, classes=["a", "b"], in_channels=2, dim=2, readout="node", task="segmentation")
    batch = torch.randn(3, 2, 6, 5), torch.arange(90).reshape(3, 6, 5) % 2
    loss, each = loss_of(model, batch)
    own = [F.cross_entropy(answers, batch[1].flatten()) for answers in each]
    torch.testing.assert_close(loss, torch.stack(own).mean())


@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_of_numbers(loss):
    batch = clouds(lambda i: torch.tensor([[float(i)]]))
    model = Learner(NETWORK, targets=TARGETS, in_channels=6, loss=loss)
    found, each = loss_of(model, batch)
    compare = F.mse_loss if loss == "mse" else F.l1_loss
    own = [compare(answers, batch.y) for answers in each]
    torch.testing.assert_close(found, torch.stack(own).mean())
